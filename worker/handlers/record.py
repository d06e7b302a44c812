"""The handler that appends to a file, for programs that would rather read a file than a queue."""

import json
import os
from typing import Any

from memo.core.files import open_private
from memo.core.paths import Home
from memo.core.predictions import Candidate, action_as_dict
from memo.core.settings import Settings
from memo.protocols import DispatchContext, Handler

MAX_BYTES = 5_000_000
"""Above this the file is set aside once, as `dispatched.jsonl.1`."""


class RecordHandler(Handler):
    """Appends one JSON line for each candidate to `dispatched.jsonl` in MEMO_HOME."""

    name = "record"
    quick = True

    def __init__(self, settings: Settings, home: Home) -> None:
        self._file = home.root / "dispatched.jsonl"

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Append it."""
        if self._file.exists() and self._file.stat().st_size > MAX_BYTES:
            self._file.replace(self._file.with_suffix(".jsonl.1"))
        line = {
            "prediction": context.prediction_id,
            "scope": context.scope,
            "made_at": context.made_at.isoformat(),
            "expected_at": candidate.expected_at.isoformat(),
            "probability": candidate.probability,
            "action": action_as_dict(candidate.action),
        }
        text = json.dumps(line, ensure_ascii=False).encode(errors="replace")  # a title may hold half a character
        with open(self._file, "ab+", opener=open_private) as file:
            end = file.tell()
            broken_off = end > 0 and os.pread(file.fileno(), 1, end - 1) != b"\n"
            file.write(b"\n" * broken_off + text + b"\n")
        return {"file": self._file.name}
