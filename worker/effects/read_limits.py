"""How far the handlers that read may go: until a time, while the machine has memory to spare."""

import time
from datetime import UTC, datetime

from memo.core.settings import PreloadSettings
from worker.effects.machine import Machine

MEGABYTE = 1_000_000
SHARE = 4
"""At most one in so many bytes of the memory that is free to be used."""
ASKED_EVERY_S = 0.1


class Limits:
    """Of one go."""

    def __init__(self, settings: PreloadSettings, until: datetime, machine: Machine | None = None) -> None:
        self._settings, self._machine = settings, machine or Machine()
        left = (until - datetime.now(UTC)).total_seconds()
        self._deadline = time.monotonic() + min(left, settings.seconds)
        self._asked = float("-inf")
        self._stalled = 0.0

    def bytes(self, most_mb: int) -> int:
        """How much may be read."""
        import psutil

        return min(most_mb * MEGABYTE, psutil.virtual_memory().available // SHARE)

    def objection(self) -> str:
        """The deadline, or that programs wait for memory."""
        now = time.monotonic()
        if now >= self._deadline:
            return "deadline"
        if now - self._asked >= ASKED_EVERY_S:
            self._asked, self._stalled = now, self._machine.stalled("memory") or 0.0
        return "memory pressure" if self._stalled > self._settings.memory_pressure else ""
