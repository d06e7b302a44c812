"""One file that grows: the whole lines, or objects of a JSON array, that are new in it, and how far it is read then."""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.importers.objects import BEFORE, split
from memo.core.grammar import MAX_LINE

CHUNK = 1 << 17
"""Bytes read at once: about two thousand lines."""
MARK = 256
"""Bytes before the offset by which a file is known again."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file is read; `mark` is the digest of the bytes just before."""

    offset: int = 0
    mark: str = ""
    inside: bool = False
    """Inside a line that is too long, whose rest is passed over."""

    def as_cursor(self) -> dict[str, Any]:
        """The place as JSON."""
        return asdict(self)

    def holds(self, file: int) -> bool:
        """Whether the file still has, before the offset, what was read there: it was not cut and written anew."""
        return os.fstat(file).st_size >= self.offset and self.mark == _mark(_before(file, self.offset))


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end, and where it begins; of one that is too long, its beginning."""

    offset: int
    raw: bytes


def open_below(root: Path, relative: Path) -> int | None:
    """A descriptor of a regular file below `root`, reached through no link; None where there is none."""
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        for part in relative.parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        file = os.open(relative.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)  # no wait for a pipe
    except OSError:
        return None
    finally:
        os.close(folder)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


def identity(file: int) -> str:
    """What a file keeps when it is renamed: device and inode."""
    found = os.fstat(file)
    return f"{found.st_dev}:{found.st_ino}"


def read(file: int, place: Place) -> Iterator[tuple[list[Line], Place]]:
    """The whole lines from a place on, or objects of an array, chunk by chunk; a last one that has no end waits."""
    if os.pread(file, MARK, 0).lstrip(BEFORE).startswith(b"["):
        yield from _objects(file, place)
        return
    offset, inside, rest = place.offset, place.inside, b""
    before = _before(file, offset)
    while chunk := os.pread(file, CHUNK, offset + len(rest)):
        *whole, kept = (data := rest + chunk).split(b"\n")
        lines = []
        for raw in whole:
            if not inside:
                lines.append(Line(offset, raw))
            offset, inside = offset + len(raw) + 1, False
        if inside or len(kept) > MAX_LINE:
            if not inside:
                lines.append(Line(offset, kept))
            offset, inside, kept = offset + len(kept), True, b""
        before = (before + data[: len(data) - len(kept)])[-MARK:]
        rest = kept
        if lines or inside:
            yield lines, Place(offset, _mark(before), inside)


def _objects(file: int, place: Place) -> Iterator[tuple[list[Line], Place]]:
    offset, rest = place.offset, b""
    before = _before(file, offset)
    while chunk := os.pread(file, CHUNK, offset + len(rest)):
        found, end = split(data := rest + chunk)
        if len(data) - end > MAX_LINE:
            found, end = [*found, (end, data[end:])], len(data)
        lines = [Line(offset + at, raw) for at, raw in found]
        before = (before + data[:end])[-MARK:]
        offset, rest = offset + end, data[end:]
        if lines:
            yield lines, Place(offset, _mark(before))


def _before(file: int, offset: int) -> bytes:
    start = max(0, offset - MARK)
    return os.pread(file, offset - start, start)


def _mark(before: bytes) -> str:
    return hashlib.blake2b(before, digest_size=12).hexdigest() if before else ""
