"""What a tree of processes has read so far, as /proc tells it of one's own processes."""

import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress

from collector.launch import proc
from memo.desktop.launch_sets import UNIT

PAGE = os.sysconf("SC_PAGE_SIZE")
THERE = 1 << 63 | 1 << 62
"""Bits of an entry in pagemap: in memory, or swapped out; of this file, or a copy since the program wrote there.
Source: Linux' Documentation/admin-guide/mm/pagemap.rst."""
LATE_S = 0.1
"""Two clocks agree as far as that."""

Touched = dict[str, set[int]]
"""Path -> the units of it that are mapped and were touched."""


def tree(executable: str, began: float) -> list[int]:
    """The processes that run this executable since that time, and all that they have started."""
    pids = proc.pids()
    found = [process for process in map(proc.read, pids) if process]
    roots = [one.pid for one in found if one.executable == executable and abs(one.began - began) < LATE_S]
    return [one.pid for one in found if any(proc.descends(one.pid, root) for root in roots)]


def counters(pids: Iterable[int]) -> tuple[int, int]:
    """Major faults, and bytes read from disks; those of processes that ended are with the ones that waited for them."""
    faults = read = 0
    for pid in pids:
        with suppress(OSError, ValueError, IndexError):
            fields = proc.stat(pid)
            faults += int(fields[9]) + int(fields[10])
            with open(f"/proc/{pid}/io", encoding="ascii") as file:
                counts = dict(line.split(": ") for line in file)
            read += int(counts["read_bytes"])
    return faults, read


def mapped(pids: Iterable[int]) -> Touched:
    """The files that are mapped."""
    found: Touched = defaultdict(set)
    for pid in pids:
        with suppress(OSError), open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pages:
            for path, start, end, offset in _mappings(pid):
                found[path].update(
                    _units(os.pread(pages.fileno(), (end - start) // PAGE * 8, start // PAGE * 8), offset)
                )
    return found


def opened(pids: Iterable[int]) -> set[str]:
    """The files that are open."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


def _mappings(pid: int) -> Iterator[tuple[str, int, int, int]]:
    """Path, first and last address, offset in the file. Source: proc(5)."""
    with open(f"/proc/{pid}/maps", "rb") as file:
        for line in file:
            addresses, _, offset, _, _, *path = line.rstrip(b"\n").split(None, 5)
            if path and path[0].startswith(b"/"):
                start, end = (int(one, 16) for one in addresses.split(b"-"))
                yield os.fsdecode(path[0]), start, end, int(offset, 16)


def _units(entries: bytes, offset: int) -> Iterator[int]:
    for number, (entry,) in enumerate(struct.iter_unpack("=Q", entries[: len(entries) // 8 * 8])):
        if entry & THERE:
            yield (offset + number * PAGE) // UNIT
