"""Which parts of a file a launch read: all of a small one, of a large one what was touched."""

import os

from memo.desktop.launch_sets import UNIT, Span

WHOLE, LARGEST = 4 << 20, 20 << 20
"""Of a mapped file above the first only what was touched counts; one that was read is kept up to the second."""


def wanted_spans(path: str, touched: set[int], before: tuple[Span, ...]) -> tuple[Span, ...] | None:
    """Of a large file what was touched now or before, of another one all, an empty tuple; None for no file to keep."""
    try:
        size = os.lstat(path).st_size if os.path.isfile(path) and not os.path.islink(path) else 0
    except OSError:
        return None
    if size <= WHOLE:
        return () if size else None
    units = touched | {unit for first, count in before for unit in range(first, first + count)}
    if units:
        units.add(0)  # the loader reads a library's head before it maps it
    return _joined(units) or (() if size <= LARGEST else None)


def bytes_of(path: str, spans: tuple[Span, ...]) -> int:
    """How much of a file that is; 0 where it is gone."""
    try:
        size = os.stat(path).st_size
    except OSError:
        return 0
    return min(size, sum(count for _, count in spans) * UNIT) if spans else size


def _joined(units: set[int]) -> tuple[Span, ...]:
    found: list[Span] = []
    for unit in sorted(units):
        if found and sum(found[-1]) == unit:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((unit, 1))
    return tuple(found)
