"""The duration of `memo train` on the events of about 600 windows, and of a whole retrain, with the built-in model.

python bench/train.py
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import psutil
from _stack import Report, invented, median, memo, new_home, seconds, store, write_lines

from db.intake import events
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings
from training.fitting.fine_tune import train
from training.promote import train_and_promote

EVENTS = 1_700  # in 600 windows of five lines, without the overlaps

RETRAINED = 5_000  # events
SCOPE = "a@b"


@contextmanager
def watching_memory() -> Iterator[list[int]]:
    """Provide a list that fills with the bytes of memory of this process and its children, ten times a second."""
    found, done, own = [0], Flag(), psutil.Process()

    def watch() -> None:
        while not done.wait(0.1):
            with suppress(psutil.NoSuchProcess):
                found.append(sum(one.memory_full_info().pss for one in (own, *own.children(recursive=True))))

    thread = Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def retrain(home: Home) -> float:
    """Return the seconds of a training and judgement, as the running MEMO makes it."""
    settings, given, repeats = Settings.load(), invented(RETRAINED), events.Repeats()
    with store(home) as opened:
        with opened.write() as session:
            events.add_events(session, SCOPE, given, [repeats.key(event) for event in given])
        return seconds(lambda: train_and_promote(opened, home, settings, SCOPE, lambda _done, _total: None))


def steps(given: list[Event], out: Path) -> list[float]:
    """Return the seconds of each step but the first, of the same training in this process."""
    settings, ends = Settings.load(), list[float]()
    train(given, settings.model.base, out, settings.train, lambda *_: ends.append(time.perf_counter()))
    return [end - begin for begin, end in pairwise(ends)]


def main() -> None:
    """Print the table."""
    report = Report(f"Training on {EVENTS:,} events")
    given = invented(EVENTS)
    with new_home() as home:
        with watching_memory() as used:
            whole_retrain = retrain(home)
        file = home.root / "lines.txt"
        write_lines(file, given)
        whole = seconds(lambda: memo("train", str(file)))
        taken = steps(given, home.root / "trained")
    report.add("`memo train FILE`, including its start and evaluation", f"{whole:.1f} s", "≤ 300 s")
    report.add(f"one step, median of {len(taken) + 1}", f"{median(taken):.3f} s")
    report.add(f"a retrain on {RETRAINED:,} events, with its judgement", f"{whole_retrain:.0f} s", "≤ 180 s")
    report.add("the most memory (PSS) that it takes", f"{max(used) / 1e9:.2f} GB", "≤ 1.2 GB")
    report.show()


if __name__ == "__main__":
    main()
