"""The duration of `memo train` on the events of about 600 windows, and of a whole retrain, with the built-in model.

python bench/train.py
"""

import resource
import time
from itertools import pairwise
from pathlib import Path

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
        whole_retrain, peak = retrain(home), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        file = home.root / "lines.txt"
        write_lines(file, given)
        whole = seconds(lambda: memo("train", str(file)))
        taken = steps(given, home.root / "trained")
    report.add("`memo train FILE`, including its start and evaluation", f"{whole:.1f} s", "≤ 300 s")
    report.add(f"one step, median of {len(taken) + 1}", f"{median(taken):.3f} s")
    report.add(f"a retrain on {RETRAINED:,} events, with its judgement", f"{whole_retrain:.0f} s", "≤ 180 s")
    report.add("the most memory that it takes", f"{peak:.2f} GB", "≤ 1.2 GB")
    report.show()


if __name__ == "__main__":
    main()
