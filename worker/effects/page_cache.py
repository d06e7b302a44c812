"""Reads files so that they lie in memory before they are wanted, in a way that disturbs nobody."""

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

CHUNK = 1 << 20
"""Bytes of one read. One whole-file readahead or fadvise would load a part only, and say nothing."""
PAGE, SAMPLE = os.sysconf("SC_PAGE_SIZE"), 64
"""One page in so many, and the last one, is asked for without waiting: a chunk whose pages are all there is not read.
mincore(2) says that all pages of another user's files are there."""
LOWEST = 19
REST = 5
"""So many times as long as it works it rests: not each disk's queue knows idle classes, and processors share caches."""
STINT_S = 0.001
"""It works at least so long before it rests."""
WAIT_S, LOOK_S = 2.0, 0.005
"""Then it waits, at most so long in all and looking so often, while another program runs: idle is for its own processor
alone, and a neighbour at work slows what runs on the same core."""
RUNNING = Path("/proc/loadavg")
MANY = 1_000
"""Entries of a folder above which these are not looked at one by one."""
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

BUDGET = "budget"
Objection = Callable[[], str]
"""Why not to go on; empty where nothing speaks against it."""


@dataclass(slots=True)
class Warmed:
    """What was done. `read_bytes` of files were not in memory before, `there_bytes` were.

    `ms` is the processor's time, what it took from others; `reading_ms` is how long it worked, waiting for the disk
    included, resting not.
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


def be_idle() -> None:
    """Let this process wait for all others, at the processor and at the disk."""
    import psutil

    os.setpriority(os.PRIO_PROCESS, 0, LOWEST)
    with suppress(OSError, AttributeError):  # not each system has classes
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # its processor counts as free for all others
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


def warm(files: Mapping[str, tuple[Span, ...]], most: int, objection: Objection) -> Warmed:
    """Read what is not in memory yet of these files, or of parts of them; `objection` is asked before each chunk.

    At most `most` bytes are read: a file of which more is missing than is left of them is passed over.
    """
    return _Warming(most, objection).warm(files)


class _Warming:
    def __init__(self, most: int, objection: Objection) -> None:
        self._most, self._objection = most, objection
        self._done, self._buffer = Warmed(), bytearray(CHUNK)
        self._since, self._waited = time.perf_counter(), 0.0

    def warm(self, files: Mapping[str, tuple[Span, ...]]) -> Warmed:
        began = time.process_time()
        acts = (
            *(partial(self._folder, folder) for folder in dict.fromkeys(map(os.path.dirname, files))),
            *(partial(self._file, path, spans) for path, spans in files.items()),
        )
        for act in acts:
            act()
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
                if words := self._objection():
                    self._done.stopped = words
                    return
                with suppress(OSError):  # a disk may fail; the app will see that too
                    self._done.read_bytes += os.preadv(file, [memoryview(self._buffer)[:length]], start)
                self._rest()

    def _is_there(self, file: int, start: int, length: int) -> bool:
        there = is_there(file, start, length)
        self._done.there_bytes += length if there else 0
        return there

    def _wait_for_others(self) -> None:
        while self._waited < WAIT_S and _others_run():
            time.sleep(LOOK_S)
            self._waited += LOOK_S

    def _rest(self) -> None:
        worked = time.perf_counter() - self._since
        if worked >= STINT_S:
            self._done.reading_ms += worked * 1e3
            time.sleep(REST * worked)
            self._wait_for_others()
            self._since = time.perf_counter()


def _others_run() -> bool:
    """Whether the kernel counts more than this program as running or ready to."""
    try:
        running = RUNNING.read_text(encoding="ascii").split()[3]
    except (OSError, IndexError):  # not Linux
        return False
    return int(running.partition("/")[0]) > 1


def _list(folder: str) -> None:
    """Find all that is in a folder: programs also look for what they don't read, or what isn't there."""
    with suppress(OSError), os.scandir(folder) as entries:
        found = list(entries)
        for entry in found if len(found) <= MANY else ():
            with suppress(OSError):
                entry.stat()


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
