"""The rejects file: where something could not be read and why, never its text."""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from data.importers.line import Reject

MAX_BYTES = 10_000_000
"""A rejects file grows no further."""
MAX_NAME = 200


def write(folder: Path, name: str, rejects: Iterable[Reject]) -> Path:
    """Add the rejects of a file of that name; gives the rejects file."""
    written = folder / f"{name.replace('/', '~').encode(errors='replace')[:MAX_NAME].decode(errors='ignore')}.jsonl"
    with written.open("a", encoding="utf-8") as out:
        for reject in rejects:
            if out.tell() < MAX_BYTES:
                row = {"file": name, reject.unit: reject.place, "reason": reject.reason, "sha256": reject.sha256}
                out.write(json.dumps(row) + "\n")
    return written


def count(folder: Path) -> int:
    """Return the number of rejects, one a line of the files in the folder."""
    files = [(file, file.stat()) for file in folder.iterdir()]
    return sum(_lines(file, found.st_mtime_ns, found.st_size) for file, found in files)


@lru_cache
def _lines(file: Path, _modified_ns: int, _size: int) -> int:
    """Cached by modification time and size, for the live view asks twice a second."""
    return file.read_bytes().count(b"\n")
