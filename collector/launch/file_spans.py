"""The parts of a file that a launch needs: all of a small file, the touched spans of a large one."""

import os

from memo.desktop.launch_sets import UNIT, Span

WHOLE = 4 << 20  # bytes up to which a mapped file is needed whole
LARGEST = 20 << 20  # bytes up to which a file that was read, not mapped, is included


def wanted_spans(path: str, touched: set[int], before: tuple[Span, ...]) -> tuple[Span, ...] | None:
    """Return a large file's spans touched now or before; an empty tuple for all of the file, None to leave it out."""
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
    """Return the size of a file's spans in bytes; 0 if it is gone."""
    try:
        size = os.stat(path).st_size
    except OSError:
        return 0
    return min(size, sum(count for _, count in spans) * UNIT) if spans else size


def _joined(units: set[int]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for unit in sorted(units):
        if spans and sum(spans[-1]) == unit:
            spans[-1] = (spans[-1][0], spans[-1][1] + 1)
        else:
            spans.append((unit, 1))
    return tuple(spans)
