"""Sixty days of an invented person who changes their job and their browser: what MEMO foresees, trains and takes back.

PYTHONPATH=tests python bench/simulate.py [--days N] [--picture FILE]

The days pass as fast as they can be computed, by a clock of their own. Every event is stored, learned and followed by a
prediction as in the running MEMO; each evening its tick looks what is due, and trainings run in their own process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, product
from pathlib import Path
from typing import Any

from _stack import Report, new_home, store
from false_clock import FalseClock
from matplotlib.figure import Figure
from sqlalchemy import select

from data.synthetic.people import Person, stream
from data.synthetic.words import BROWSERS
from db.engine import Store
from db.intake import events
from db.models import EventRow, PredictionRow, VersionRow
from db.page.acts import ActFilter, find_acts
from db.prediction import versions
from db.upkeep import jobs, retrain, runs
from memo.core.events import CONTEXT, Event
from memo.core.paths import Home
from memo.core.predictions import Ranking
from memo.core.settings import Settings
from scheduler import tick
from training.drift import VIEWS
from training.evaluation import metrics
from training.evaluation.evaluate import MODEL, compare_ranks
from training.evaluation.person_views import NAMES, Outcome, View
from training.evaluation.served import JudgedAct, judge, read_acts
from worker.prediction.update import ScopeUpdater
from worker.predictors.mixed import MixedPredictor
from worker.resources import Resources

START = datetime(2027, 1, 4, tzinfo=UTC)  # a Monday that is still to come, so that the clock only goes forward
DAYS = 60
MOST = 1_000_000  # acts
WORKER, OTHER_JOB = 32, 18  # seeds of two people, of whom the second lends their tools
BACK = 0.03  # of the share before a change, from which on habits are learned again
EVENING = timedelta(minutes=30)  # from the last event of a day to the tick


class Nobody:
    """Takes what is published and asked, and passes it on to nobody."""

    def publish(self, messages: Sequence[dict[str, Any]]) -> None:
        """Do nothing."""

    def send_task(self, *_: object, **__: object) -> None:
        """Do nothing."""


class Life:
    """The life of a person in a store, by a clock of its own, and of a predictor that has no language model."""

    def __init__(self, home: Home, opened: Store, settings: Settings, clock: FalseClock) -> None:
        self._store, self._settings, self._clock = opened, settings, clock
        self._ahead = timedelta()
        resources = Resources(home, settings, opened, Nobody(), Nobody())  # type: ignore[arg-type]
        self._updater, self._alone = ScopeUpdater(resources), MixedPredictor()
        self._updater.warm_up()
        self._waiting: list[Ranking] = []
        self.ranks_alone: list[int | None] = []
        """Of what came, by history alone, for each prediction."""

    def live(self, day: Sequence[Event]) -> None:
        """Do what the person does on a day; what happens in one second is followed by one prediction."""
        for at, burst in groupby(day, lambda event: event.at):
            self._set_clock(at)
            happened, repeats = list(burst), events.Repeats()
            with self._store.write() as session:
                keys = [repeats.key(event) for event in happened]
                events.add_events(session, self._settings.scope, happened, keys)
            self._updater.update(self._settings.scope)
            for event in happened:
                self._settle(event)
                self._alone.learn(event)
            self._waiting.append(self._alone.predict([happened[-1]], self._settings.predict.top))

    def rest(self) -> None:
        """Let the evening pass: MEMO does what is due."""
        self._set_clock(datetime.now(UTC) + EVENING)
        tick.run(Nobody(), self._settings, self._store)
        with self._store.read() as session:
            is_asked = bool(runs.find_queued(session))
        if is_asked:
            subprocess.run([sys.executable, "-m", "training"], check=True)

    def end(self) -> None:
        """Let the clock be right again."""
        self._clock.move(timedelta())

    def _set_clock(self, at: datetime) -> None:
        missing = (at - datetime.now(UTC)).total_seconds()
        if missing > 0:
            self._ahead += timedelta(seconds=missing // 1 + 1)
            self._clock.move(self._ahead)

    def _settle(self, came: Event) -> None:
        if came.operation not in CONTEXT:
            for ranking in self._waiting:
                actions = [one.action for one in ranking.candidates]
                self.ranks_alone.append(actions.index(came.action) + 1 if came.action in actions else None)
            self._waiting = []


def days(count: int) -> Iterator[list[Event]]:
    """Yield the person's days; the job changes after a third of them, the browser after two thirds."""
    who, first, second = Person(WORKER, "en"), *change_days(count)
    for begin, end in ((0, first), (first, second), (second, count)):
        if begin == first:
            who.tools = Person(OTHER_JOB, "en").tools
        if begin == second:
            who.browser = next(browser for browser in BROWSERS["en"] if browser != who.browser)
        happened = stream(who, end - begin, START + timedelta(days=begin))
        for day in range(begin, end):
            yield [event for event in happened if day_of(event.at) == day]


def change_days(count: int) -> tuple[int, int]:
    """Return the numbers of the days, from 0, on which job and browser are new."""
    return count // 3, count * 2 // 3


def day_of(at: datetime) -> int:
    """Return the number of the day of a time, from 0."""
    return (at - START).days


def play(life: Life, count: int) -> None:
    """Let the days pass."""
    for number, day in enumerate(days(count)):
        began = time.perf_counter()
        if day:
            life.live(day)
        life.rest()
        print(f"day {number + 1}: {len(day)} events, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)


@dataclass
class Found:
    """What came of a life: its judged acts; ranks of what came next, as served and by history alone, with the day."""

    acts: list[JudgedAct]
    next: list[tuple[int, int | None, int | None]]
    trained: list[VersionRow]
    drifted: datetime | None  # last

    def of_days(self, begin: int, end: int) -> list[JudgedAct]:
        """Return the acts of some days."""
        return [one for one in self.acts if begin <= day_of(one.act.at) < end]


def collect(opened: Store, scope: str, ranks_alone: Sequence[int | None]) -> Found:
    """Return what came of a life."""
    row = PredictionRow
    settled = select(EventRow.at, row.outcome_rank).join(EventRow, row.outcome_event_id == EventRow.id)
    with opened.read() as session:
        served = session.execute(settled.order_by(row.id)).all()
        acts = list(judge(read_acts(find_acts(session, scope, ActFilter(), MOST)), NAMES))
        trained = list(versions.find_versions(session, scope))[::-1]
        drift = jobs.find_last_run(session, retrain.name_drift(scope))
    ranks = [(day_of(at), rank, alone) for (at, rank), alone in zip(served, ranks_alone, strict=True)]
    return Found(acts, ranks, trained, drift)


def outcomes(acts: Sequence[JudgedAct], view: View) -> list[Outcome]:
    """Return the outcomes of acts in a view."""
    return [one.outcomes[view] for one in acts if view in one.outcomes]


def rate(acts: Sequence[JudgedAct], name: str, cut: int, view: View = "switch") -> float:
    """Return the share of acts whose place is among the first `cut`; nan without acts."""
    ranks = [one.ranks[name] for one in outcomes(acts, view)]
    return sum(metrics.is_hit(rank, cut) for rank in ranks) / len(ranks) if ranks else float("nan")


def describe_return(found: Found, changed: int, count: int) -> str:
    """Return how soon hit@3 of switch was back after a change of habits, in words."""
    before = rate(found.of_days(changed - 7, changed), MODEL, 3)
    later = [rate(found.of_days(day, min(count, changed + 7)), MODEL, 3) for day in range(changed, changed + 5)]
    back = next((number for number, share in enumerate(later) if share >= before - BACK), None)
    shares = ", ".join(f"{rate(found.of_days(day, day + 1), MODEL, 3):.2f}" for day in range(changed, changed + 5))
    return f"{before:.2f} in the week before; back after {back} days; day by day {shares}"


def weeks_behind(found: Found, count: int) -> tuple[list[str], list[str]]:
    """Return in which weeks what was served is behind the best rule, and behind history alone, by more than noise."""
    rules, alone = list[str](), list[str]()
    for week in range(1, count // 7):  # in the first one the rules only learn
        acts = found.of_days(7 * week, 7 * week + 7)
        for view, cut in product(VIEWS, (1, 3)):
            best = max(NAMES, key=lambda name: rate(acts, name, cut, view))
            if is_behind([(one.ranks[MODEL], one.ranks[best]) for one in outcomes(acts, view)], cut):
                rules.append(f"week {week + 1}, hit@{cut} of {view}, {best}")
        pairs = [(rank, other) for day, rank, other in found.next if day // 7 == week]
        alone += [f"week {week + 1}, hit@{cut} of the next event" for cut in (1, 3) if is_behind(pairs, cut)]
    return rules, alone


def is_behind(pairs: Sequence[tuple[int | None, int | None]], cut: int) -> bool:
    """Return whether the first ranks are behind the second ones by more than noise."""
    return bool(pairs) and compare_ranks(pairs)[f"hit@{cut}"]["95"][1] < 0


def describe(version: VersionRow) -> str:
    """Return what became of a promoted version, in words."""
    live = version.metrics.get("live")
    words = [f"{version.created_at:%d %b}", "promoted"]
    words += [f"then {live['log_loss']:+.3f} nats ({live['95'][0]:+.3f} to {live['95'][1]:+.3f})"] if live else []
    return ", ".join(words)


def is_promoted(version: VersionRow) -> bool:
    """Return whether a version was promoted."""
    return bool(version.metrics.get("judged", {}).get("promoted"))


def draw(found: Found, count: int, file: Path) -> None:
    """Draw the days: how often the next other place was among three, and when versions came."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    axes = figure.subplots()
    worked = [day for day in range(count) if outcomes(found.of_days(day, day + 1), "switch")]
    for name, words, width in ((MODEL, "MEMO", 2.2), ("mru", "most recent first", 1), ("markov1", "Markov chain", 1)):
        shares = [rate(found.of_days(day, day + 1), name, 3) for day in worked]
        axes.plot([day + 1 for day in worked], shares, label=words, linewidth=width, marker=".")
    for day, words in zip(change_days(count), ("new job", "new browser"), strict=True):
        axes.axvline(day + 1, color="black", linestyle=":")
        axes.annotate(words, (day + 1.3, 0.95), xycoords=("data", "axes fraction"))
    for promoted, marker in ((True, "^"), (False, "x")):
        made = [day_of(one.created_at) + 1.5 for one in found.trained if is_promoted(one) == promoted]
        label = "version promoted" if promoted else "version rejected"
        axes.plot(made, [0.03] * len(made), marker, color="black", transform=axes.get_xaxis_transform(), label=label)
    axes.set(xlabel="day", ylabel="next other place among three (hit@3 of switch)")
    figure.legend(loc="outside lower center", ncols=5)
    figure.savefig(file, dpi=110)


def main() -> None:
    """Print the table, and draw the picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--picture", type=Path, default=Path("simulate.png"))
    given = parser.parse_args()
    if "TEST_CLOCK" not in os.environ:  # the clock is loaded when a process starts
        with tempfile.TemporaryDirectory() as place:
            clock = FalseClock(Path(place))
            os.environ |= clock.settings
            sys.exit(subprocess.run([sys.executable, *sys.argv]).returncode)
    report = Report(f"{given.days} days of an invented person")
    with new_home() as home:
        os.environ["MEMO_SCHEDULE__RETRAIN_IDLE_S"] = "0"
        settings = Settings.load()
        with store(home) as opened:
            life = Life(home, opened, settings, FalseClock(Path(os.environ["TEST_CLOCK"]).parent))
            play(life, given.days)
            found = collect(opened, settings.scope, life.ranks_alone)
            life.end()
    draw(found, given.days, given.picture)
    show(report, found, given.days)


def show(report: Report, found: Found, count: int) -> None:
    """Print the table."""
    for day, words in zip(change_days(count), ("new job", "new browser"), strict=True):
        report.add(f"hit@3 of switch, {words} on day {day + 1}", describe_return(found, day, count), "back in 2 days")
    rules, alone = weeks_behind(found, count)
    report.add("weeks behind the best rule by more than noise", "; ".join(rules) or "none", "none")
    report.add("weeks behind history alone by more than noise", "; ".join(alone) or "none", "none")
    promoted = [one for one in found.trained if is_promoted(one)]
    wrong = [one.id for one in promoted if one.metrics.get("live", {}).get("95", (0, 0))[1] < 0]
    report.add(f"promotions that proved wrong, of {len(promoted)}", ", ".join(wrong) or "none", "none")
    rejected = len(found.trained) - len(promoted)
    report.add("versions trained and judged", f"{len(found.trained)}, of which {rejected} rejected")
    for one in promoted:
        report.add(f"version {one.id}", describe(one))
    report.add("drift was last found", f"{found.drifted:%d %b}" if found.drifted else "never")
    report.show()


if __name__ == "__main__":
    main()
