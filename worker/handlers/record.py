"""The handler that appends candidates to a file, for programs that would rather read a file than a queue."""

import json
import os
from typing import Any

from memo.core.files import open_private
from memo.core.predictions import action_as_dict
from memo.protocols import Candidate, DispatchContext, Handler, Home, Settings

MAX_BYTES = 5_000_000  # a larger file is rotated once, to `dispatched.jsonl.1`


class RecordHandler(Handler):
    """Appends one JSON line for each candidate to `dispatched.jsonl` in MEMO_HOME."""

    name = "record"
    quick = True

    def __init__(self, settings: Settings, home: Home, max_bytes: int = MAX_BYTES) -> None:
        self._file, self._max_bytes = home.recorded, max_bytes

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Append the candidate."""
        if self._file.exists() and self._file.stat().st_size > self._max_bytes:
            self._file.replace(self._file.with_suffix(".jsonl.1"))
        line = {
            "prediction": context.prediction_id,
            "scope": context.scope,
            "made_at": context.made_at.isoformat(),
            "expected_at": candidate.expected_at.isoformat(),
            "probability": candidate.probability,
            "action": action_as_dict(candidate.action),
        }
        text = json.dumps(line, ensure_ascii=False).encode(errors="replace")  # a title may hold half a surrogate pair
        with open(self._file, "ab+", opener=open_private) as file:
            end = file.tell()
            is_cut_off = end > 0 and os.pread(file.fileno(), 1, end - 1) != b"\n"
            file.write(b"\n" * is_cut_off + text + b"\n")
        return {"file": self._file.name}
