"""The language model alone on the windows 64-80 % of recorded streams: hit@k with and without an adapter.

    python bench/lm_dev.py FILE.json… [--base builtin] [--epochs N] [--rate R]

The events before the first asked window train the adapter; each window is asked before its answer is learned.
"""

import argparse
import json
import math
import tempfile
import time
from datetime import UTC
from pathlib import Path

from data.windows import feed
from memo.core.events import CONTEXT, Event
from memo.core.grammar import parse
from memo.core.settings import ModelSettings, TrainSettings
from training.fitting.fine_tune import train
from worker.predictors.language_model.prompt import ModelReader
from worker.predictors.serving import load_model

BEGIN = 0.64
END = 0.80


def read(path: Path) -> tuple[list[Event], list[tuple[list[Event], Event]]]:
    """Return the events before the asked part, and its steps: the new events, then the one to predict."""
    windows = json.loads(path.read_text("utf-8"))
    windows = windows[: int(len(windows) * END)]
    begin = int(len(windows) / END * BEGIN)
    before: list[Event] = []
    steps = []
    for n, fed in enumerate(feed((window["input"].splitlines()[1:], window["output"]) for window in windows)):
        new, answer = [parse(line, UTC) for line in fed.new], parse(fed.output, UTC)
        if n < begin:
            before += [*new, answer]
        else:
            steps.append((new, answer))
    return before, steps


def ranks(
    reader: ModelReader, before: list[Event], steps: list[tuple[list[Event], Event]]
) -> tuple[list[int], list[float]]:
    """Return the rank of each asked event (0: not ranked), and the milliseconds of each answer."""
    for event in before:
        reader.read(event)
    reader.scores()
    found, times = [], []
    for new, answer in steps:
        begin = time.perf_counter()
        for event in new:
            reader.read(event)
        scores = reader.scores().actions
        times.append((time.perf_counter() - begin) * 1000)
        if answer.operation not in CONTEXT:
            own = scores.get(answer.action, -math.inf)
            found.append(1 + sum(other > own for other in scores.values()) if own > -math.inf else 0)
        reader.read(answer)
    return found, times


def show(name: str, found: list[int], times: list[float]) -> None:
    """Print one line of figures."""
    hits = "/".join(f"{sum(0 < rank <= k for rank in found) / len(found):.3f}" for k in (1, 3, 5))
    times = sorted(times)
    p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
    print(f"{name:32} n={len(found)} hit@1/3/5 {hits}  p50 {p50:.1f} ms p99 {p99:.1f} ms", flush=True)


def main() -> None:
    """Measure each file, then all of them together."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--base", default="builtin")
    parser.add_argument("--epochs", type=int, default=TrainSettings().epochs)
    parser.add_argument("--rate", type=float, default=TrainSettings().learning_rate)
    given = parser.parse_args()
    settings = TrainSettings(epochs=given.epochs, learning_rate=given.rate)
    pooled: dict[str, tuple[list[int], list[float]]] = {"frozen": ([], []), "adapted": ([], [])}
    for path in given.files:
        before, steps = read(path)
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            metrics = train(before, given.base, Path(folder), settings, lambda *_: None, "auto")
            print(f"{path.stem}: {len(before)} events in {time.perf_counter() - begin:.0f} s, {metrics}", flush=True)
            language = load_model(ModelSettings(base=given.base))
            language.add_adapter("own", Path(folder))
            for name, version in (("frozen", None), ("adapted", "own")):
                found, times = ranks(language.reader(version), before, steps)
                show(f"{path.stem} {name}", found, times)
                pooled[name][0].extend(found)
                pooled[name][1].extend(times)
    for name, (found, times) in pooled.items():
        show(f"all {name}", found, times)


if __name__ == "__main__":
    main()
