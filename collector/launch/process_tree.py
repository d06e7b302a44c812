"""Files and bytes that a tree of processes has read so far, by /proc."""

import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress

from collector.launch import proc
from memo.desktop.launch_sets import UNIT

PAGE = os.sysconf("SC_PAGE_SIZE")
# Bits of a pagemap entry: present in memory, or swapped out. Source: Linux' Documentation/admin-guide/mm/pagemap.rst.
PRESENT = 1 << 63 | 1 << 62
CLOCK_TOLERANCE_S = 0.1

Touched = dict[str, set[int]]
"""Path -> its mapped units that were touched."""


def tree(executable: str, began: float) -> list[int]:
    """Return the processes that run this executable since `began`, and all their descendants."""
    pids = proc.pids()
    found = [process for process in map(proc.read, pids) if process]
    roots = [p.pid for p in found if p.executable == executable and abs(p.began - began) < CLOCK_TOLERANCE_S]
    return [p.pid for p in found if any(proc.descends(p.pid, root) for root in roots)]


def counters(pids: Iterable[int]) -> tuple[int, int]:
    """Return major faults and bytes read from disks; a parent's counters include those of its ended children."""
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
    """Return the mapped files, with the units of each that were touched."""
    found: Touched = defaultdict(set)
    for pid in pids:
        with suppress(OSError), open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pages:
            for path, start, end, offset in _mappings(pid):
                found[path].update(
                    _units(os.pread(pages.fileno(), (end - start) // PAGE * 8, start // PAGE * 8), offset)
                )
    return found


def opened(pids: Iterable[int]) -> set[str]:
    """Return the open files."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


def _mappings(pid: int) -> Iterator[tuple[str, int, int, int]]:
    """Yield path, start and end address, and offset in the file of each mapping. Source: proc(5)."""
    with open(f"/proc/{pid}/maps", "rb") as file:
        for line in file:
            addresses, _, offset, _, _, *path = line.rstrip(b"\n").split(None, 5)
            if path and path[0].startswith(b"/"):
                start, end = (int(address, 16) for address in addresses.split(b"-"))
                yield os.fsdecode(path[0]), start, end, int(offset, 16)


def _units(entries: bytes, offset: int) -> Iterator[int]:
    for number, (entry,) in enumerate(struct.iter_unpack("=Q", entries[: len(entries) // 8 * 8])):
        if entry & PRESENT:
            yield (offset + number * PAGE) // UNIT
