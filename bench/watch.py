"""The cost of watching many processes, and thousands of folders, also while a program searches them.

python bench/watch.py
"""

import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from _stack import Report, new_home, seconds

from collector.sources.files.folders import FoldersSource
from collector.sources.processes.processes import ProcessesSource
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings, SourceSettings
from memo.protocols import Source, Stop

PROCESSES = 400
FOLDERS = 5_000
FILES = 10  # in each folder
WATCH_S = 60.0


@contextmanager
def watching(source: Source) -> Iterator[list[Event]]:
    """Run a source in a thread, and provide the events that it emits."""
    events, stop = list[Event](), Stop()
    thread = threading.Thread(
        target=source.run, args=(lambda batch: events.extend(batch.events), lambda key: None, stop)
    )
    thread.start()
    source.watching.wait()
    try:
        yield events
    finally:
        stop.set()
        thread.join()


@contextmanager
def sleepers(number: int) -> Iterator[None]:
    """Start processes that do nothing."""
    started = [subprocess.Popen(["sleep", "infinity"]) for _ in range(number)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def spent(wait_s: float) -> float:
    """Return the share of a core that this process uses while it waits."""
    before = time.process_time()
    time.sleep(wait_s)
    return (time.process_time() - before) / wait_s


def make_folders(root: Path) -> None:
    """Make a tree of folders with small files."""
    for number in range(FOLDERS):
        folder = root / f"{number // 100}" / f"{number}"
        folder.mkdir(parents=True)
        for name in range(FILES):
            (folder / f"{name}.txt").write_text("some words\n")


def processes(report: Report, home: Home) -> None:
    """Measure the share of a core that the scan uses."""
    with sleepers(PROCESSES), watching(ProcessesSource(Settings(), home)):
        time.sleep(3)  # until the first scan, and the second one for processes too young for the first
        share, there = spent(WATCH_S), len(psutil.pids())
    report.add(f"{there} processes: CPU over {WATCH_S:.0f} s, of one core", f"{share:.2%}", "≤ 0.3 %")


def folders(report: Report, home: Home) -> None:
    """Measure the time until all folders are watched, and the cost of a search through them."""
    with tempfile.TemporaryDirectory() as root:
        make_folders(Path(root))
        source = FoldersSource(Settings(sources=SourceSettings(folders=[root])), home)
        began = time.perf_counter()
        with watching(source) as events:
            start = time.perf_counter() - began
            before = time.process_time()
            search = seconds(lambda: subprocess.run(["grep", "-rq", "no such words", root], check=False))
            used = time.process_time() - before
            emitted = len(events)
    tree = f"{FOLDERS:,} folders, {FOLDERS * FILES:,} files"
    report.add(f"{tree}: time until all are watched", f"{start:.2f} s", "≤ 1 s")
    report.add(f"CPU while `grep -r` reads them all ({search:.1f} s)", f"{used * 1e3:.0f} ms, {emitted} events", "none")


def main() -> None:
    """Print the table."""
    report = Report("Watching")
    with new_home() as home:
        processes(report, home)
        folders(report, home)
    report.show()


if __name__ == "__main__":
    main()
