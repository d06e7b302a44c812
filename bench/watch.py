"""What watching costs: processes, once a second among many, and thousands of folders, also while they are searched."""

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

PROCESSES, FOLDERS, FILES = 400, 5_000, 10
WATCH_S = 60.0


@contextmanager
def watching(source: Source) -> Iterator[list[Event]]:
    """A source in a thread of this process, and what it has told."""
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
    """So many processes more."""
    started = [subprocess.Popen(["sleep", "infinity"]) for _ in range(number)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def spent(wait_s: float) -> float:
    """Share of a core that this process uses in so long."""
    before = time.process_time()
    time.sleep(wait_s)
    return (time.process_time() - before) / wait_s


def make_folders(root: Path) -> None:
    """A tree of folders with small files in them."""
    for number in range(FOLDERS):
        folder = root / f"{number // 100}" / f"{number}"
        folder.mkdir(parents=True)
        for name in range(FILES):
            (folder / f"{name}.txt").write_text("some words\n")


def processes(report: Report, home: Home) -> None:
    """The share of a core that the scan uses."""
    with sleepers(PROCESSES), watching(ProcessesSource(Settings(), home)):
        time.sleep(3)  # the first scan, and the look at what was too young for it
        share, there = spent(WATCH_S), len(psutil.pids())
    report.add(f"processes: {there} of them, over {WATCH_S:.0f} s, of one core", f"{share:.2%}", "≤ 0.3 %")


def folders(report: Report, home: Home) -> None:
    """The time until all folders are watched, and what a search through them costs."""
    with tempfile.TemporaryDirectory() as root:
        make_folders(Path(root))
        source = FoldersSource(Settings(sources=SourceSettings(folders=[root])), home)
        began = time.perf_counter()
        with watching(source) as events:
            start = time.perf_counter() - began
            before = time.process_time()
            search = seconds(lambda: subprocess.run(["grep", "-rq", "no such words", root], check=False))
            used = time.process_time() - before
            told = len(events)
    tree = f"{FOLDERS:,} folders, {FOLDERS * FILES:,} files"
    report.add(f"folders: {tree}: until all are watched", f"{start:.2f} s", "≤ 1 s")
    report.add(f"CPU while `grep -r` reads them all ({search:.1f} s)", f"{used * 1e3:.0f} ms, {told} events", "none")


def main() -> None:
    """Print the table."""
    report = Report("Watching")
    with new_home() as home:
        processes(report, home)
        folders(report, home)
    report.show()


if __name__ == "__main__":
    main()
