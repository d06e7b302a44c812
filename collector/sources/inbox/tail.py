"""Reads a growing file: its new complete lines, or objects of a JSON array, and the position after them."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from data.importers.objects import BEFORE, split
from memo.core.grammar import MAX_LINE

CHUNK = 1 << 17  # bytes read at once, about two thousand lines
MARK = 256  # bytes before the offset by which a file is recognised


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file has been read; `mark` is a digest of the bytes just before."""

    offset: int = 0
    mark: str = ""
    inside: bool = False  # inside a line that is too long and whose rest is skipped

    def is_valid_in(self, file: int) -> bool:
        """Return whether the file was only appended to: it still has the same bytes before the offset."""
        return os.fstat(file).st_size >= self.offset and self.mark == _digest(_bytes_before(file, self.offset))


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end, and its offset; of one that is too long, the beginning."""

    offset: int
    raw: bytes


def open_below(root: Path, relative: Path) -> int:
    """Return a descriptor of a regular file below `root`, reached without symbolic links. Raises OSError."""
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in relative.parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # does not block on a pipe
        file = os.open(relative.name, flags, dir_fd=folder)
    finally:
        os.close(folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "not a regular file")
    return file


def identity(file: int) -> str:
    """Return a file's device and inode, which it keeps when it is renamed."""
    status = os.fstat(file)
    return f"{status.st_dev}:{status.st_ino}"


def read_from(
    file: int, position: Position, chunk: int = CHUNK, max_line: int = MAX_LINE
) -> Iterator[tuple[list[Line], Position]]:
    """Yield the complete lines, or objects of an array, after a position, and the position after them.

    An incomplete last line is left for the next time.
    """
    is_array = os.pread(file, MARK, 0).lstrip(BEFORE).startswith(b"[")
    offset, inside, rest = position.offset, position.inside and not is_array, b""
    before = _bytes_before(file, offset)
    while new := os.pread(file, chunk, offset + len(rest)):
        data = rest + new
        found, end = split(data) if is_array else _split_lines(data)
        lines = [Line(offset + start, raw) for start, raw in found[int(inside) :]]
        inside = inside and not found
        if inside or len(data) - end > max_line:
            if not inside:
                lines.append(Line(offset + end, data[end:]))
            end, inside = len(data), not is_array
        before = (before + data[:end])[-MARK:]
        offset, rest = offset + end, data[end:]
        if lines or inside:
            yield lines, Position(offset, _digest(before), inside)


def _split_lines(data: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Return the complete lines, each with its offset, and the offset of the rest."""
    *lines, rest = data.split(b"\n")
    starts = accumulate((len(raw) + 1 for raw in lines), initial=0)
    return list(zip(starts, lines, strict=False)), len(data) - len(rest)


def _bytes_before(file: int, offset: int) -> bytes:
    start = max(0, offset - MARK)
    return os.pread(file, offset - start, start)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=12).hexdigest() if data else ""
