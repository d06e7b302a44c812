"""The duration of `memo train` on the events of about 600 windows, with the built-in model.

python bench/train.py
"""

import time
from itertools import pairwise
from pathlib import Path

from _stack import Report, invented, median, memo, new_home, seconds, write_lines

from memo.core.events import Event
from memo.core.settings import Settings
from training.fitting.fine_tune import train

EVENTS = 1_700  # in 600 windows of five lines, without the overlaps


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
        file = home.root / "lines.txt"
        write_lines(file, given)
        whole = seconds(lambda: memo("train", str(file)))
        taken = steps(given, home.root / "trained")
    report.add("`memo train FILE`, including its start and evaluation", f"{whole:.1f} s", "≤ 300 s")
    report.add(f"one step, median of {len(taken) + 1}", f"{median(taken):.3f} s")
    report.show()


if __name__ == "__main__":
    main()
