"""The record of refused messages: when, by which part and why, never what they said."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from memo.core.files import open_private
from memo.core.logs import get_logger
from memo.core.paths import Home

MAX_BYTES = 1_000_000  # the record grows no further; the log goes on

log = get_logger(__name__)


def record(home: Home, reason: str) -> None:
    """Count a refused message."""
    log.warning("message_refused", reason=reason)
    row = json.dumps({"at": datetime.now(UTC).isoformat(timespec="seconds"), "reason": reason})
    with suppress(OSError), open(file(home), "a", encoding="utf-8", opener=open_private) as out:
        if out.tell() < MAX_BYTES:
            out.write(f"{row}\n")


def count(home: Home) -> int:
    """Return the number of refused messages."""
    with suppress(OSError):
        return file(home).read_bytes().count(b"\n")
    return 0


def file(home: Home) -> Path:
    """Return the file of the record."""
    return home.logs / "refused-messages.jsonl"
