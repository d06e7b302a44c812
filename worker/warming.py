"""Reads files so that they lie in memory before they are wanted, in a way that disturbs nobody."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from memo.launch_sets import UNIT, Span

CHUNK = 1 << 20
"""Bytes of one read. One whole-file readahead or fadvise would load a part only, and say nothing."""
PAGE, SAMPLE = os.sysconf("SC_PAGE_SIZE"), 64
"""One page in so many, and the last one, is asked for without waiting: a chunk whose pages are all there is not read.
mincore(2) says that all pages of another user's files are there."""
LOWEST = 19
REST = 2
"""After each read, so many times as long is rested: not each disk's queue knows idle classes."""
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

File = tuple[str, tuple[Span, ...]]
"""Path, and the parts to read; none: all of it."""
Objection = Callable[[], str]
"""Why not to go on; empty where nothing speaks against it."""


@dataclass(slots=True)
class Warmed:
    """What was done. `read_bytes` were not in memory before, `there_bytes` were.

    `ms` is the processor's time, what it took from others; `reading_ms` is how long it read, for the most part waiting.
    """

    files: int = 0
    read_bytes: int = 0
    there_bytes: int = 0
    ms: float = 0.0
    reading_ms: float = 0.0
    stopped: str = ""

    @property
    def as_result(self) -> dict[str, Any]:
        """As a handler returns it; what was mostly not in memory was cold."""
        times = {"ms": round(self.ms, 1), "reading_ms": round(self.reading_ms, 1)}
        return asdict(self) | times | {"cold": self.read_bytes > self.there_bytes}

    def is_there(self, file: int, start: int, length: int) -> bool:
        """Whether this part of a file is in memory; counted where it is."""
        there = is_there(file, start, length)
        self.there_bytes += length if there else 0
        return there

    def read(self, file: int, buffer: memoryview, start: int) -> None:
        """Read so much as fits into the buffer, then rest."""
        began = time.perf_counter()
        with suppress(OSError):  # a disk may fail; the app will see that too
            self.read_bytes += os.preadv(file, [buffer], start)
        took = time.perf_counter() - began
        self.reading_ms += took * 1e3
        time.sleep(REST * took)


def be_idle() -> None:
    """Let this process wait for all others, at the processor and at the disk."""
    os.setpriority(os.PRIO_PROCESS, 0, LOWEST)
    with suppress(OSError, AttributeError):  # not each system has classes
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def warm(files: Iterable[File], most: int, objection: Objection) -> Warmed:
    """Read what is not in memory yet of these files; `objection` is asked before each chunk.

    At most `most` bytes are read: a file of which more is missing than is left of them is passed over.
    """
    done, began = Warmed(), time.process_time()
    _warm(done, files, most, objection)
    done.ms = (time.process_time() - began) * 1e3
    return done


def _warm(done: Warmed, files: Iterable[File], most: int, objection: Objection) -> None:
    buffer = bytearray(CHUNK)
    for path, spans in files:
        with opened(path) as file:
            if file is None:
                continue
            done.files += 1
            missing = [chunk for chunk in _chunks(os.fstat(file).st_size, spans) if not done.is_there(file, *chunk)]
            if done.read_bytes + sum(length for _, length in missing) > most:
                done.stopped = "budget"
                continue
            for start, length in missing:
                if words := objection():
                    done.stopped = words
                    return
                done.read(file, memoryview(buffer)[:length], start)


@contextmanager
def opened(path: str) -> Iterator[int | None]:
    """A regular file, open for reading; None for a link, a pipe, a device, or what is gone or another's."""
    try:
        file = os.open(path, _FLAGS)
    except (OSError, ValueError):
        yield None
        return
    try:
        is_file = stat.S_ISREG(os.fstat(file).st_mode)
        if is_file:  # read what is asked for, and nothing ahead of it
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
        yield file if is_file else None
    finally:
        os.close(file)


def is_there(file: int, start: int, length: int) -> bool:
    """Whether this part of a file is in memory, by one page in `SAMPLE`; a page that isn't is fetched by asking."""
    page = bytearray(1)
    try:
        for offset in (*range(start, start + length, SAMPLE * PAGE), start + length - 1):
            os.preadv(file, [page], offset, os.RWF_NOWAIT)
    except OSError:  # it isn't, or this file system can't tell
        return False
    return True


def _chunks(size: int, spans: tuple[Span, ...]) -> Iterator[tuple[int, int]]:
    for first, count in spans or ((0, -(-size // UNIT)),):
        end = min(size, (first + count) * UNIT)
        for start in range(first * UNIT, end, CHUNK):
            yield start, min(CHUNK, end - start)
