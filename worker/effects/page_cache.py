"""Reading files ahead into the page cache, without slowing down any other program."""

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from memo.desktop.launch_sets import UNIT, Span

CHUNK = 1 << 20  # bytes of one read; readahead or fadvise of a whole file would load only a part, silently
PAGE = os.sysconf("SC_PAGE_SIZE")
# One page in this many, and the last one, is read without waiting; if all of them are cached, so is the chunk.
# mincore(2) is no help: it reports all pages of another user's files as cached.
SAMPLE = 64
MANY = 1_000  # a folder with more entries is listed, but they are not looked at one by one
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

BUDGET = "budget"
Objection = Callable[[], str]  # returns the reason to stop, or an empty text


@dataclass(frozen=True, slots=True)
class Pace:
    """How considerately files are read.

    Idle scheduling classes are not enough: not every disk's queue knows them, processors share caches, and a busy
    neighbour slows down what runs on the same core.
    """

    rest: float = 5.0  # time of rest as a multiple of the time of work
    work_s: float = 0.001  # shortest time of work before a rest
    wait_s: float = 2.0  # longest time in all to wait, after rests, while another program runs
    poll_s: float = 0.005  # time between two looks at whether one does
    loadavg: Path = Path("/proc/loadavg")


@dataclass(slots=True)
class Warmed:
    """The result: of the files, `read_bytes` were read from disk and `there_bytes` were cached already.

    `ms` is processor time, which others could have used; `reading_ms` is the time of work with waits for the disk,
    but without rests.
    """

    files: int = 0
    read_bytes: int = 0
    there_bytes: int = 0
    ms: float = 0.0
    reading_ms: float = 0.0
    stopped: str = ""

    @property
    def as_result(self) -> dict[str, Any]:
        """The result of a handler, as JSON; files that were mostly not cached count as cold."""
        times = {"ms": round(self.ms, 1), "reading_ms": round(self.reading_ms, 1)}
        return asdict(self) | times | {"cold": self.read_bytes > self.there_bytes}


def warm(files: Mapping[str, tuple[Span, ...]], most: int, objection: Objection, pace: Pace = Pace()) -> Warmed:
    """Read those spans of the files (none: all of a file) that are not cached, at most `most` bytes.

    `objection` is asked before each chunk. A file whose missing part is larger than the rest of `most` is skipped.
    """
    return _Warming(most, objection, pace).warm(files)


class _Warming:
    def __init__(self, most: int, objection: Objection, pace: Pace) -> None:
        self._most, self._objection, self._pace = most, objection, pace
        self._done, self._buffer = Warmed(), bytearray(CHUNK)
        self._since, self._waited_s = time.perf_counter(), 0.0

    def warm(self, files: Mapping[str, tuple[Span, ...]]) -> Warmed:
        began = time.process_time()
        steps = (
            *(partial(self._folder, folder) for folder in dict.fromkeys(map(os.path.dirname, files))),
            *(partial(self._file, path, spans) for path, spans in files.items()),
        )
        for step in steps:
            step()
            self._rest()
            if self._done.stopped not in ("", BUDGET):
                break
        self._done.reading_ms += (time.perf_counter() - self._since) * 1e3
        self._done.ms = (time.process_time() - began) * 1e3
        return self._done

    def _folder(self, path: str) -> None:
        self._done.stopped = self._objection()
        if not self._done.stopped:
            _list(path)

    def _file(self, path: str, spans: tuple[Span, ...]) -> None:
        with opened(path) as file:
            if file is None:
                return
            self._done.files += 1
            missing = [chunk for chunk in _chunks(os.fstat(file).st_size, spans) if not self._is_there(file, *chunk)]
            if self._done.read_bytes + sum(length for _, length in missing) > self._most:
                self._done.stopped = BUDGET
                return
            for start, length in missing:
                if reason := self._objection():
                    self._done.stopped = reason
                    return
                with suppress(OSError):  # if the disk fails, the app will fail at it, too
                    self._done.read_bytes += os.preadv(file, [memoryview(self._buffer)[:length]], start)
                self._rest()

    def _is_there(self, file: int, start: int, length: int) -> bool:
        there = is_there(file, start, length)
        self._done.there_bytes += length if there else 0
        return there

    def _rest(self) -> None:
        worked_s = time.perf_counter() - self._since
        if worked_s >= self._pace.work_s:
            self._done.reading_ms += worked_s * 1e3
            time.sleep(self._pace.rest * worked_s)
            self._wait_for_others()
            self._since = time.perf_counter()

    def _wait_for_others(self) -> None:
        while self._waited_s < self._pace.wait_s and _others_run(self._pace.loadavg):
            time.sleep(self._pace.poll_s)
            self._waited_s += self._pace.poll_s


def _others_run(loadavg: Path) -> bool:
    """Return whether the kernel counts another program as running or runnable."""
    try:
        running = loadavg.read_text(encoding="ascii").split()[3]
    except (OSError, IndexError):  # not Linux
        return False
    return int(running.partition("/")[0]) > 1


def _list(folder: str) -> None:
    """Cache a folder and its entries: programs also look for files that they do not read, or that do not exist."""
    with suppress(OSError), os.scandir(folder) as entries:
        found = list(entries)
        for entry in found if len(found) <= MANY else ():
            with suppress(OSError):
                entry.stat()


@contextmanager
def opened(path: str) -> Iterator[int | None]:
    """Yield the descriptor of a readable regular file; None for a link, a pipe, a device, or no such file."""
    try:
        file = os.open(path, _FLAGS)
    except (OSError, ValueError):
        yield None
        return
    try:
        is_file = stat.S_ISREG(os.fstat(file).st_mode)
        if is_file:  # no readahead by the kernel
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
        yield file if is_file else None
    finally:
        os.close(file)


def is_there(file: int, start: int, length: int) -> bool:
    """Return whether this part of a file is cached, by one page in `SAMPLE`; asking for a missing page loads it."""
    page = bytearray(1)
    try:
        for offset in (*range(start, start + length, SAMPLE * PAGE), start + length - 1):
            os.preadv(file, [page], offset, os.RWF_NOWAIT)
    except OSError:  # it is not, or this file system can't tell
        return False
    return True


def _chunks(size: int, spans: tuple[Span, ...]) -> Iterator[tuple[int, int]]:
    for first, count in spans or ((0, -(-size // UNIT)),):
        end = min(size, (first + count) * UNIT)
        for start in range(first * UNIT, end, CHUNK):
            yield start, min(CHUNK, end - start)
