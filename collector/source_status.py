"""What each source does, for `memo status` and `memo sources`: one small file, written where something changes."""

import json
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from enum import StrEnum
from operator import length_hint
from typing import Any

from memo.core.events import Event
from memo.core.paths import Home

EVERY = 1_000
"""Events of a past between two words of how far it is read."""


class SourceState(StrEnum):
    """Of a source."""

    WATCHING = "watching"
    MISSING = "missing"
    """The machine lacks what it needs."""
    FAILED = "failed"
    """It is run again after a pause."""


class SourceStates:
    """Of all sources; each of them is told by its own thread."""

    def __init__(self, home: Home) -> None:
        self._file = home.sources
        self._lock = threading.Lock()
        self._sources: dict[str, dict[str, Any]] = {}
        self.close()  # what a collector that was killed has left

    def put(self, name: str, state: SourceState, says: str = "") -> None:
        """What a source does now; each failure is counted."""
        with self._lock:
            failures = self._sources.get(name, {}).get("failures", 0) + (state is SourceState.FAILED)
            self._sources[name] = {"state": state, "says": says, "failures": failures}
            self._write()

    def counted(self, name: str, past: Iterable[Event]) -> Generator[Event, None, None]:
        """The events of a past that is read now; meanwhile it is said how far that is, where it takes a while.

        Close it where it may not have been read to its end.
        """
        total = length_hint(past)
        try:
            for number, event in enumerate(past):
                if number % EVERY == 0 and total > EVERY:
                    self._read(name, {"done": number, "total": total})
                yield event
        finally:
            if total > EVERY:
                self._read(name, None)

    def _read(self, name: str, reading: dict[str, int] | None) -> None:
        with self._lock:
            rest = {key: value for key, value in self._sources[name].items() if key != "reading"}
            self._sources[name] = rest | ({"reading": reading} if reading else {})
            self._write()

    def _write(self) -> None:
        fresh = self._file.with_suffix(".new")
        with suppress(OSError):  # a full disk must not end a source
            fresh.write_text(json.dumps(self._sources))
            fresh.replace(self._file)  # whole or not at all

    def close(self) -> None:
        """Nothing runs any more."""
        self._file.unlink(missing_ok=True)
