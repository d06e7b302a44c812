"""How fast a scope's learned state is rebuilt from the log, and how long one prediction takes the worker."""

import time
from dataclasses import dataclass, field
from functools import partial

from _stack import Report, invented, memo, new_home, p50_p99, seconds, store, write_lines

from db import events
from db.engine import Store
from memo.events import Event
from memo.settings import Settings
from worker.predictors.language import Reader, Scores
from worker.predictors.mixed import MixedPredictor
from worker.predictors.serving import BUILTIN, BUILTIN_ADAPTER, Serving
from worker.stream import CHUNK, Stream

LOG, ASKED = 20_000, 500
TOP, WINDOW = 10, 5


@dataclass
class Timed:
    """A reader whose answers are timed."""

    reader: Reader
    times: list[float] = field(default_factory=list)

    def read(self, event: Event) -> None:
        """Take in the next event."""
        self.reader.read(event)

    def scores(self) -> Scores:
        """What comes next."""
        began = time.perf_counter()
        scores = self.reader.scores()
        self.times.append(time.perf_counter() - began)
        return scores


def rebuild(opened: Store, predictor: MixedPredictor) -> None:
    """Learn the log, as the worker does where it holds no stream."""
    scope = Settings.load().scope
    stream = Stream(scope, BUILTIN, 0, predictor, WINDOW)
    while stream.seq < LOG:
        with opened.read() as session:
            rows = events.after(session, scope, stream.seq, CHUNK)
        for row in rows:
            stream.learn(row)


def ask(predictor: MixedPredictor, given: list[Event]) -> list[float]:
    """Seconds of the prediction after each event."""
    times = []
    for end in range(WINDOW, len(given)):
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
        model = Serving(Settings.load().model).load()
        model.add_adapter(BUILTIN, BUILTIN_ADAPTER)
        timed = Timed(model.reader(BUILTIN))
        both, alone = MixedPredictor(timed), MixedPredictor()
        write_lines(home.root / "lines.txt", given[:LOG])
        memo("import", str(home.root / "lines.txt"))
        with store(home) as opened:
            with_model, without = (seconds(partial(rebuild, opened, one)) for one in (both, alone))
    asked = given[LOG - WINDOW :]
    times, times_alone = ask(both, asked), ask(alone, asked)
    report.add("rebuild from the store, with the language model's reader", f"{LOG / with_model:,.0f} events a second")
    report.add("rebuild from the store, history alone", f"{LOG / without:,.0f} events a second")
    report.add(f"one prediction, p50 / p99 of {ASKED}", p50_p99(times))
    report.add("part: the language model", p50_p99(timed.times))
    rest = [whole - part for whole, part in zip(times, timed.times, strict=True)]
    report.add("part: history, mixer, upcoming", p50_p99(rest))
    report.add("one prediction without the language model, p50 / p99", p50_p99(times_alone))
    report.show()


if __name__ == "__main__":
    main()
