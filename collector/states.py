"""What each source does, for `memo status` and `memo sources`: one small file, written where something changes."""

import json
import threading
from contextlib import suppress
from enum import StrEnum

from memo.paths import Home


class State(StrEnum):
    """Of a source."""

    WATCHING = "watching"
    MISSING = "missing"
    """The machine lacks what it needs."""
    FAILED = "failed"
    """It is run again after a pause."""


class States:
    """Of all sources; each of them is told by its own thread."""

    def __init__(self, home: Home) -> None:
        self._file = home.sources
        self._lock = threading.Lock()
        self._sources: dict[str, dict[str, str | int]] = {}
        self.close()  # what a collector that was killed has left

    def put(self, name: str, state: State, says: str = "") -> None:
        """What a source does now; each failure is counted."""
        with self._lock:
            failures = int(self._sources.get(name, {}).get("failures", 0)) + (state is State.FAILED)
            self._sources[name] = {"state": state, "says": says, "failures": failures}
            fresh = self._file.with_suffix(".new")
            with suppress(OSError):  # a full disk must not end a source
                fresh.write_text(json.dumps(self._sources))
                fresh.replace(self._file)  # whole or not at all

    def close(self) -> None:
        """Nothing runs any more."""
        self._file.unlink(missing_ok=True)
