"""The state of each source for `memo status` and `memo sources`: one small file, rewritten at each change."""

import json
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from enum import StrEnum
from operator import length_hint
from typing import Any

from memo.core.events import Event
from memo.core.files import write_atomically
from memo.core.paths import Home

EVERY = 1_000  # events of a past between two updates of its progress


class SourceState(StrEnum):
    """The state of a source."""

    WATCHING = "watching"
    MISSING = "missing"  # the machine lacks something that it needs
    FAILED = "failed"  # it is restarted after a delay


class SourceStates:
    """The states of all sources; each thread sets that of its own."""

    def __init__(self, home: Home) -> None:
        self._file = home.sources
        self._lock = threading.Lock()
        self._sources: dict[str, dict[str, Any]] = {}
        self.close()  # removes the file of a collector that was killed

    def set_state(self, name: str, state: SourceState, says: str = "") -> None:
        """Record a source's state and the reason for it; failures are counted."""
        with self._lock:
            failures = self._sources.get(name, {}).get("failures", 0) + (state is SourceState.FAILED)
            self._sources[name] = {"state": state, "says": says, "failures": failures}
            self._write()

    def set_impairment(self, name: str, says: str) -> None:
        """Record what a source that watches can't see, with the remedy; empty if it sees everything again."""
        with self._lock:
            if self._sources.get(name, {}).get("state") == SourceState.WATCHING:
                self._sources[name] = self._sources[name] | {"says": says}
                self._write()

    def with_progress(
        self, name: str, past: Iterable[Event], advance: Callable[[], None]
    ) -> Generator[Event, None, None]:
        """Yield the events of a past, call `advance` before each, and record how far it has been read, if it is long.

        Close the generator if it may not have been read to its end.
        """
        total = length_hint(past)
        try:
            for number, event in enumerate(past):
                advance()
                if number % EVERY == 0 and total > EVERY:
                    self._set_progress(name, {"done": number, "total": total})
                yield event
        finally:
            if total > EVERY:
                self._set_progress(name, None)

    def _set_progress(self, name: str, reading: dict[str, int] | None) -> None:
        with self._lock:
            rest = {key: value for key, value in self._sources[name].items() if key != "reading"}
            self._sources[name] = rest | ({"reading": reading} if reading else {})
            self._write()

    def _write(self) -> None:
        with suppress(OSError):  # a full disk must not end a source
            write_atomically(self._file, json.dumps(self._sources))

    def close(self) -> None:
        """Remove the file: no source runs any more."""
        self._file.unlink(missing_ok=True)
