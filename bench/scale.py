"""What each step of the live path and each command takes in a store of years, compared with a small one.

python bench/scale.py [NUMBER…] [--postgres URL] [--picture FILE]

`URL` names an empty database, which is used instead of SQLite and emptied again between two sizes.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from multiprocessing.synchronize import Event as Signal
from pathlib import Path
from typing import Any, cast

from _large import fill
from _stack import Report, median, memo, new_home, seconds, store
from matplotlib.figure import Figure
from sqlalchemy import text

from collector.intake import Intake
from db import migrate
from db.engine import Store, open_store
from db.intake import events, time_order
from db.intake.scopes import find_scope
from db.prediction import predictions
from db.prediction.versions import BUILTIN, Usable
from db.upkeep import figures, retention
from forget import forget
from forget.query import ForgetQuery
from memo.core.errors import MemoError
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch
from worker.effects.seen_before import SeenBefore
from worker.prediction.scope_models import ScopeModels
from worker.prediction.update import ScopeUpdater
from worker.predictors.mixed import MixedPredictor
from worker.predictors.serving import Serving
from worker.resources import Resources

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from stores import SINCE_0014  # noqa: E402

SIZES = (10_000, 1_000_000)
ROUNDS = 20
MANY = 2_000  # events of one transaction
COMMAND_ROUNDS = 3
LONG_S = 2.0  # what takes longer is measured once
LONGEST_S = 3_600.0  # wait for the answer to a statement that changes all rows
SITE = "once.example"  # a site with few visits
VISITS = 417
PAUSE_S = 0.005  # between two transactions of the other writer
PRUNED = 100_000  # events at most
LOCKING = (
    "UPDATE scopes SET last_seq = last_seq WHERE name = :scope",
    "UPDATE events SET seq = seq WHERE scope = :scope AND seq = 0",  # none
)
"""Statements that, in any schema, take the locks of a transaction that stores an event."""
DRAWN = (
    "event stored",
    "update: learned, predicted, settled, sent",
    "worker's model, from a snapshot",
    "seen before? (never)",
    "counts of `memo status`",
    "`memo status`",
    "`memo history`",
    "`memo why`",
    "`memo predict`",
    "match of `memo forget --site`",
    "`memo forget --site`, 417 events",
    "longest wait of another writer: prune",
)

Figures = dict[str, float]
"""Seconds, unless the name says otherwise."""


class HistoryAlone(Serving):
    """Serves predictors without the language model."""

    def predictor(self, version: str, folder: Path | None, weights: dict[str, Any] | None = None) -> MixedPredictor:
        """Return a predictor without a reader."""
        return MixedPredictor(None, weights)


class Nowhere:
    """A publisher and a queue that take everything."""

    def publish(self, messages: object) -> None:
        """Take the messages."""

    def send_task(self, *given: object, **options: object) -> None:
        """Take the task."""


def measure(home: Home, number: int) -> Figures:
    """Fill the store of the settings; return what everything takes."""
    settings, found = Settings.load(), Figures()
    with store(home) as opened:
        parts: list[Callable[[], Figures]] = [
            lambda: {"fill the store": seconds(lambda: fill(opened, settings.scope, number))},
            lambda: {"bytes per event": size(opened) / number},
            lambda: live_path(opened, home, settings),
            lambda: queries(opened, home, settings, number),
            lambda: commands(opened),
            lambda: deletion(opened, home, settings),
            lambda: upgrade(opened, home, settings),
        ]
        for part in parts:
            found |= (more := part())
            print(f"{number:,} events: {more}", file=sys.stderr, flush=True)
    return found


def size(opened: Store) -> int:
    """Return the bytes that the store uses."""
    from db.upkeep.deletion import count_bytes

    with opened.read() as session:
        return count_bytes(session)


def live_path(opened: Store, home: Home, settings: Settings) -> Figures:
    """Return the medians of a new event's way: stored, then learned and predicted from, then sent."""
    nowhere = cast(Any, Nowhere())
    updater = ScopeUpdater(Resources(home, settings, opened, nowhere, nowhere))
    updater.models = ScopeModels(updater._resources, HistoryAlone(settings.model))
    intake = Intake(opened, settings, home, lambda scope: None)
    stored, updated = list[float](), list[float]()
    many = Batch([now(f"page {nth}") for nth in range(MANY)], "bulk", {})
    inserted = seconds(lambda: intake.store_batches("inbox", many))
    first = seconds(partial(updater.update, settings.scope))
    for nth in range(ROUNDS + 1):
        event = replace(now(f"page {nth % 3}"), scope=settings.scope)
        stored.append(seconds(partial(intake.store_batches, "inbox", Batch([event], "file", {"position": nth}))))
        updated.append(seconds(partial(updater.update, settings.scope)))
    updater.models.close()
    again = ScopeModels(updater._resources, HistoryAlone(settings.model))
    with opened.read() as session:
        row = find_scope(session, settings.scope)
    assert row is not None
    return {
        "worker's first update, without a snapshot": first,
        "worker's model, from a snapshot": seconds(lambda: again.open(row, Usable(BUILTIN, None))),
        "event stored": median(stored[1:]),
        "one event, if 2,000 are stored together": inserted / MANY,
        "update: learned, predicted, settled, sent": median(updated[1:]),
    }


def now(title: str) -> Event:
    """Return a focus that happens now."""
    return Event(datetime.now(UTC), Operation.WINDOW_FOCUS, title, "App")


def queries(opened: Store, home: Home, settings: Settings, number: int) -> Figures:
    """Return the medians of single questions to the store."""
    seen = SeenBefore(settings, home)
    miss = Action(Operation.WEB_VISIT, "never.example")

    def check() -> None:
        try:
            seen.check(miss, settings.scope)
        except MemoError:
            return

    def ask(question: Callable[[Any], object]) -> Callable[[], object]:
        def asked() -> None:
            with opened.read() as session:
                question(session)

        return asked

    asked = {
        "tick: scopes that wait": ask(predictions.find_unasked_scopes),
        "seen before? (never)": check,
        "program of an app (never seen)": lambda: seen.executable("never"),
        "counts of `memo status`": ask(partial(figures.find_figures, scope=settings.scope)),
        "first query of `memo watch --all`": ask(
            partial(events.has_action, scope=settings.scope, action=miss, before=datetime.now(UTC))
        ),
        "check that the last 100 events are in order": ask(
            partial(time_order.find_misplaced, scope=settings.scope, seq=number - 100)
        ),
    }
    return {name: typical(call) for name, call in asked.items()}


def typical(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return the median duration after a first one, or that of the first one if it takes long."""
    first = seconds(call)
    return median([seconds(call) for _ in range(rounds)]) if first < LONG_S else first


def commands(opened: Store) -> Figures:
    """Return the medians of whole commands."""
    with opened.read() as session:
        newest = figures.find_newest_id(session)
    asked = (("status",), ("history", "--since", "1d"), ("why", str(newest)), ("predict",))
    return {f"`memo {words[0]}`": typical(partial(memo, *words, "--json"), COMMAND_ROUNDS) for words in asked}


def deletion(opened: Store, home: Home, settings: Settings) -> Figures:
    """Return what forgetting and pruning take, and how long they let another writer wait."""
    day = datetime.now(UTC) - timedelta(days=3)
    visits = [Event(day + timedelta(minutes=nth), Operation.WEB_VISIT, SITE) for nth in range(VISITS)]
    imported = Figures()
    with other_writer(opened, imported, "import of past events"):
        intake = Intake(opened, settings, home, lambda scope: None)
        from memo.protocols import Past

        took = seconds(lambda: intake.store_past("import", Past(iter(visits), "", {}), with_cursor=False))
    found = {"import of 417 past events": took} | imported
    query, silent = ForgetQuery(site=SITE), lambda done, total: None
    found["match of `memo forget --site`"] = seconds(lambda: forget.preview(opened, settings, query, silent))
    with other_writer(opened, found, "forget"):
        found["`memo forget --site`, 417 events"] = seconds(
            lambda: forget.forget(opened, settings, home, query, silent)
        )
    with opened.read() as session:
        before = oldest(session, PRUNED)
    with other_writer(opened, found, "prune"):
        took = seconds(lambda: retention.prune(opened, before, before, 0))
    return found | {"prune": took}


def upgrade(opened: Store, home: Home, settings: Settings) -> Figures:
    """Return what the upgrade of an earlier schema takes; each of its first steps is an index, others count days."""
    with closing(open_store(settings, home, answer_s=LONGEST_S)) as patient, patient.write() as session:
        for statement in SINCE_0014:
            session.execute(text(statement))
    found, ends = Figures(), list[float]()
    with other_writer(opened, found, "upgrade"):
        took = seconds(lambda: migrate.upgrade(settings, home, lambda done, total: ends.append(time.perf_counter())))
    lasting = [after - before for before, after in pairwise(ends)]
    return {
        "upgrade from schema 0014": took,
        "longest step of it: an index": max(lasting[:2]),
        "longest step of it: days counted": max(lasting[3:], default=0.0),
    } | found


def oldest(session: Any, number: int) -> datetime:
    """Return the time before which about `number` events lie, at most a quarter of all."""
    count = session.scalar(text("SELECT count(*) FROM events"))
    nth = min(number, count // 4)
    from sqlalchemy import select

    from db.models import EventRow

    return cast(datetime, session.scalar(select(EventRow.at).order_by(EventRow.at).offset(nth).limit(1)))


class other_writer:
    """Meanwhile, another process writes again and again, as one that stores events; notes its longest wait."""

    def __init__(self, opened: Store, found: Figures, name: str) -> None:
        self._found, self._name = found, f"longest wait of another writer: {name}"
        self._stop, self._longest = multiprocessing.Event(), multiprocessing.Value("d", 0.0)
        self._process = multiprocessing.Process(target=_write_on, args=(self._stop, self._longest))

    def __enter__(self) -> None:
        self._process.start()
        while not self._longest.value:
            time.sleep(0.01)
        self._longest.value = 0.0

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._process.join()
        self._found[self._name] = self._longest.value


def _write_on(stop: Signal, longest: Any) -> None:
    from db.upkeep import jobs

    settings = Settings.load()
    with closing(open_store(settings, Home.find(), int(1e3 * LONGEST_S), LONGEST_S)) as opened:
        while not stop.is_set():
            began = time.perf_counter()
            with opened.write() as session:
                for statement in LOCKING:
                    session.execute(text(statement), {"scope": settings.scope})
                jobs.record_run(session, "measured", "")
            longest.value = max(longest.value, time.perf_counter() - began)
            time.sleep(PAUSE_S)


def empty(url: str) -> None:
    """Delete all tables of a Postgres database."""
    with closing(open_store(Settings(database_url=url), Home.find())) as opened, opened.write() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("CREATE SCHEMA public"))


def main() -> None:
    """Print the table, and draw the picture if one is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("numbers", nargs="*", type=int, default=SIZES)
    parser.add_argument("--postgres", default="")
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    multiprocessing.set_start_method("spawn")
    kind, sizes = "Postgres" if given.postgres else "SQLite", " / ".join(f"{number:,}" for number in given.numbers)
    report, found = Report(f"A store of years, {kind}, {sizes} events, in seconds"), dict[int, Figures]()
    for number in given.numbers:
        with new_home() as home:
            if given.postgres:
                os.environ["MEMO_DATABASE_URL"] = given.postgres
                empty(given.postgres)
            found[number] = measure(home, number)
    show(report, found)
    if given.picture:
        draw(found, kind, given.picture)


def show(report: Report, found: dict[int, Figures]) -> None:
    """Print a row for each figure, with the ratio of the largest to the smallest size."""
    smallest, largest = min(found), max(found)
    for name, before in found[smallest].items():
        cells = " / ".join(f"{found[number][name]:.4g}" for number in found)
        report.add(name, f"{cells} (× {found[largest][name] / before:.1f})" if before else cells)
    report.show()


def draw(found: dict[int, Figures], kind: str, file: Path) -> None:
    """Draw what some figures take over the number of events, both on logarithmic scales."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots()
    for number, name in enumerate(DRAWN):
        values, style = [figures[name] for figures in found.values()], ("o-", "s--")[number // 6]  # colours come again
        axes.loglog(list(found), values, style, color=f"C{number % 6}", label=name.replace("`", ""))
    axes.set(xlabel="events in the store", ylabel="seconds", title=f"A store of years, {kind}")
    figure.legend(loc="outside right upper", fontsize="small")
    figure.savefig(file, dpi=110)


if __name__ == "__main__":
    main()
