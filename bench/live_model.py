"""How long answers of the language model take while the worker serves, and how many are late, for any base model.

    python bench/live_model.py [--base FOLDER --adapter FOLDER] [--events N] [--every SECONDS]

Events of an invented person come at an even pace; the first answer, which reads a whole context, is not counted.
"""

import argparse
import time
from pathlib import Path

from _stack import Report, invented, p50_p99

from memo.core.settings import ModelSettings
from worker.prediction.update import LIMIT_S
from worker.predictors.language_model.time_limited_reader import TimeLimitedReader
from worker.predictors.serving import BUILTIN, Serving

BEFORE = 128  # events read before the first answer


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--base", default=BUILTIN)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--every", type=float, default=0.5, metavar="SECONDS")
    given = parser.parse_args()
    report = Report(f"The language model {Path(given.base).name} while the worker serves")
    reader = Serving(ModelSettings(base=given.base), LIMIT_S).reader(BUILTIN, given.adapter)
    assert isinstance(reader, TimeLimitedReader)
    events, times = invented(BEFORE + given.events), list[float]()
    for event in events[:BEFORE]:
        reader.read(event)
    began = time.perf_counter()
    while not reader.scores().actions:
        pass
    report.add(f"first answer, after {BEFORE} events", f"{time.perf_counter() - began:.1f} s")
    late = reader.late
    for event in events[BEFORE:]:
        time.sleep(given.every)
        began = time.perf_counter()
        reader.read(event)
        reader.scores()
        times.append(time.perf_counter() - began)
    report.add(f"one answer, p50 / p99 of {given.events}, an event each {given.every:g} s", p50_p99(times))
    report.add(f"late, after {LIMIT_S:g} s", f"{reader.late - late}")
    report.show()


if __name__ == "__main__":
    main()
