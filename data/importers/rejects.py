"""The rejects files: where something could not be read and why, never its text."""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from data.importers.line import Reject
from memo.core.files import open_private

MAX_BYTES = 10_000_000  # a rejects file grows no further
MAX_NAME = 200  # bytes


def write(folder: Path, name: str, rejects: Iterable[Reject], max_bytes: int = MAX_BYTES) -> Path:
    """Append the rejects of the file `name` to its rejects file, and return that."""
    written = folder / f"{name.replace('/', '~').encode(errors='replace')[:MAX_NAME].decode(errors='ignore')}.jsonl"
    with open(written, "a", encoding="utf-8", opener=open_private) as out:
        for reject in rejects:
            if out.tell() < max_bytes:
                row = {"file": name, reject.unit: reject.place, "reason": reject.reason, "sha256": reject.sha256}
                out.write(json.dumps(row) + "\n")
    return written


def count(folder: Path) -> int:
    """Return the number of rejects in all files of the folder."""
    files = [(file, file.stat()) for file in folder.iterdir()]
    return sum(_lines(file, found.st_mtime_ns, found.st_size) for file, found in files)


@lru_cache
def _lines(file: Path, _modified_ns: int, _size: int) -> int:
    """Count the lines; cached by modification time and size, since the live view asks twice a second."""
    return file.read_bytes().count(b"\n")
