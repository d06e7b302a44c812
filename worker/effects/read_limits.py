"""Limits of the handlers that read files: a deadline, and the memory that is available."""

import time
from datetime import UTC, datetime

from memo.core.settings import PreloadSettings
from memo.desktop.machine import Machine

MEGABYTE = 1_000_000  # bytes
SHARE = 4  # at most one in this many bytes of the available memory is used
READING_S = 0.1  # time between two readings of the memory pressure


class Limits:
    """The limits of one attempt."""

    def __init__(self, settings: PreloadSettings, until: datetime, machine: Machine | None = None) -> None:
        self._settings, self._machine = settings, machine or Machine()
        left_s = (until - datetime.now(UTC)).total_seconds()
        self._deadline = time.monotonic() + min(left_s, settings.seconds)
        self._read_at = float("-inf")
        self._stalled = 0.0

    def bytes(self, most_mb: int) -> int:
        """Return how many bytes may be read."""
        import psutil

        return min(most_mb * MEGABYTE, psutil.virtual_memory().available // SHARE)

    def objection(self) -> str:
        """Return why to stop ("deadline", "memory pressure"), or an empty text."""
        now = time.monotonic()
        if now >= self._deadline:
            return "deadline"
        if now - self._read_at >= READING_S:
            self._read_at, self._stalled = now, self._machine.stalled("memory") or 0.0
        return "memory pressure" if self._stalled > self._settings.memory_pressure else ""
