"""The time and memory that the worker needs to learn, and to make one prediction.

python bench/predict.py
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

import psutil
from _stack import Report, invented, memo, new_home, p50_p99, seconds, store, write_lines

from db.engine import Store
from db.intake import events, scopes
from db.intake.events import LEARNED
from db.models import ScopeRow
from db.prediction.versions import Usable
from memo.core.events import Event, Operation
from memo.core.settings import Settings
from memo.messaging.publisher import Publisher
from memo.stack.broker import broker_url
from memo.stack.task_queue import make_app
from worker.prediction.scope_model import CHUNK, RANKED, ScopeModel
from worker.prediction.scope_models import ScopeModels
from worker.prediction.update import LIMIT_S
from worker.predictors.mixed import MixedPredictor
from worker.predictors.reader import Reader, Scores
from worker.predictors.serving import BUILTIN, Serving
from worker.resources import Resources

LOG = 20_000  # events learned first
ASKED = 500  # predictions
TOP = 10  # candidates
WINDOW = 5  # events
PAUSE_S = 0.05  # before each event that is asked about
KNOWN = 5_000  # different actions
TITLES = 100_000  # different titles


@dataclass
class Timed:
    """A reader whose answers are timed."""

    reader: Reader
    times: list[float] = field(default_factory=list)

    def read(self, event: Event) -> None:
        """Read the next event."""
        self.reader.read(event)

    def scores(self) -> Scores:
        """Return the scores, and note the time that they took."""
        began = time.perf_counter()
        scores = self.reader.scores()
        self.times.append(time.perf_counter() - began)
        return scores


def served_reader() -> Timed:
    """Return the built-in model's reader, with the worker's time limit."""
    reader = Serving(Settings.load().model, LIMIT_S).reader(BUILTIN, None)
    assert reader is not None
    return Timed(reader)


def rebuild(opened: Store, predictor: MixedPredictor) -> None:
    """Learn the log, as the worker does for a scope without learned state."""
    scope = Settings.load().scope
    stream = ScopeModel(scope, BUILTIN, 0, predictor, WINDOW)
    while stream.seq < LOG:
        with opened.read() as session:
            rows = events.find_after(session, scope, stream.seq, CHUNK)
        for row in rows:
            stream.learn(row, LOG - RANKED)


def ask(predictor: MixedPredictor, given: list[Event]) -> list[float]:
    """Return the seconds of the prediction after each event; the language model prepares itself in between."""
    times = []
    for end in range(WINDOW, len(given)):
        time.sleep(PAUSE_S)
        predictor.learn(given[end])
        began = time.perf_counter()
        predictor.predict(given[end - WINDOW + 1 : end + 1], TOP)
        times.append(time.perf_counter() - began)
    return times


def main() -> None:
    """Print the table."""
    report = Report(f"The worker's predictor, after {LOG:,} events")
    given = invented(LOG + ASKED)
    with new_home() as home:
        timed = served_reader()
        both, alone = MixedPredictor(timed), MixedPredictor()
        write_lines(home.root / "lines.txt", given[:LOG])
        memo("import", str(home.root / "lines.txt"))
        with store(home) as opened:
            with_model, without = (seconds(partial(rebuild, opened, one)) for one in (both, alone))
    asked = given[LOG - WINDOW :]
    times, times_alone = ask(both, asked), ask(alone, asked)
    report.add("rebuild from the store, with the language model's reader", f"{LOG / with_model:,.0f} events per second")
    report.add("rebuild from the store, history alone", f"{LOG / without:,.0f} events per second")
    report.add(f"one prediction, p50 / p99 of {ASKED}", p50_p99(times))
    report.add("part: the language model", p50_p99(timed.times))
    rest = [whole - part for whole, part in zip(times, timed.times, strict=True)]
    report.add("part: history, mixer, upcoming", p50_p99(rest))
    report.add("one prediction without the language model, p50 / p99", p50_p99(times_alone))
    report.show()
    restart()
    crowded()


def restart() -> None:
    """Print how long a worker takes to start again."""
    report = Report(f"A worker that starts again, {LEARNED:,} events of the past")
    with new_home() as home:
        write_lines(home.root / "lines.txt", invented(LEARNED))
        memo("import", str(home.root / "lines.txt"))
        settings = Settings.load()
        url = broker_url(home, settings)
        with store(home) as opened:
            context = Resources(home, settings, opened, Publisher(url), make_app(url))
            with opened.write() as session:
                row = scopes.lock_scope(session, settings.scope)
            first, second = (ScopeModels(context, Serving(settings.model)) for _ in range(2))
            for models in (first, second):
                models.serving.load()
            anew = seconds(lambda: _catch_up(first, row, opened))
            kept = seconds(first.close)
            again = seconds(lambda: _catch_up(second, row, opened))
            [file] = home.learned.iterdir()
            speed = f"{anew:.1f} s, {LEARNED / anew:,.0f} events a second"
            report.add("the whole log learned again", speed, "≥ 10,000 a second")
            report.add("what was learned written to the disk", f"{kept:.1f} s, {file.stat().st_size / 1e6:.0f} MB")
            report.add("the same read from there", f"{again:.1f} s", "≤ 5 s")
    report.show()


def _catch_up(models: ScopeModels, row: ScopeRow, opened: Store) -> None:
    model = models.open(row, Usable(BUILTIN, None))
    while model.seq < row.last_seq:
        with opened.read() as session:
            rows = events.find_after(session, model.scope, model.seq, CHUNK)
        for event_row in rows:
            model.learn(event_row, row.last_seq - RANKED)


def crowded() -> None:
    """Print the cost of many different actions."""
    report = Report(f"The predictor with {KNOWN:,} and {TITLES:,} different actions")
    for name, predictor in (("", MixedPredictor(served_reader())), (" without the language model", MixedPredictor())):
        for event in various(KNOWN, 2 * KNOWN):
            predictor.learn(event)
        times = p50_p99(ask(predictor, various(KNOWN, ASKED)))
        report.add(f"{KNOWN:,} actions: one prediction{name}, p50 / p99 of {ASKED}", times, "≤ 8 / 30 ms")
    before, predictor = psutil.Process().memory_info().rss, MixedPredictor()
    took = seconds(partial(_learn, predictor, various(TITLES, TITLES)))
    report.add(f"{TITLES:,} titles: learned without the language model", f"{took:.1f} s")
    report.add("memory that they use", f"{(psutil.Process().memory_info().rss - before) / 1e6:.0f} MB")
    report.add("one prediction, p50 / p99", p50_p99(ask(predictor, various(TITLES, ASKED))))
    report.show()


def various(kinds: int, count: int) -> list[Event]:
    """Return focus events of `kinds` different titles in 20 apps, each title equally often."""
    order = Random(0).sample(range(kinds), kinds)
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    return [
        Event(
            begin + timedelta(seconds=3 * number),
            Operation.WINDOW_FOCUS,
            f"title {order[number % kinds]}",
            app=f"app {order[number % kinds] % 20}",
        )
        for number in range(count)
    ]


def _learn(predictor: MixedPredictor, events: list[Event]) -> None:
    for event in events:
        predictor.learn(event)


if __name__ == "__main__":
    main()
