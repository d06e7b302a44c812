"""The rejects file: where something could not be read and why, never its text."""

import json
from collections.abc import Iterable
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
