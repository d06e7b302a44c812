"""A clock that tests set, in place of the machine's."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from memo.clock.reading import Reading

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@dataclass
class Seconds:
    """Seconds that a test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Clock:
    """Clocks that stand still until they are set; both move on by `wait`."""

    at: datetime = NOW
    boot: str = "one"
    uptime_s: float = 100.0

    def __call__(self) -> Reading:
        return Reading(self.at, self.boot, self.uptime_s)

    def wait(self, span: timedelta) -> None:
        self.at += span
        self.uptime_s += span.total_seconds()
