"""How long `memo train` takes on the events of about 600 windows of a file, with the built-in model."""

import time
from itertools import pairwise
from pathlib import Path

from _stack import Report, invented, median, memo, new_home, seconds, write_lines

from memo.core.events import Event
from memo.core.settings import Settings
from training.fitting.fine_tune import train

EVENTS = 1_700
"""So many stand in 600 windows of five lines whose overlaps are put together."""


def steps(given: list[Event], out: Path) -> list[float]:
    """Seconds of each step but the first, of the same training in this process."""
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
    report.add("`memo train FILE`, start and evaluation included", f"{whole:.1f} s", "≤ 300 s")
    report.add(f"a step, median of {len(taken) + 1}", f"{median(taken):.3f} s")
    report.show()


if __name__ == "__main__":
    main()
