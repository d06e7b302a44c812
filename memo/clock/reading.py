"""Readings of the clock. The wall clock may be wrong or be set; the machine's uptime only grows, also in a suspend."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

BOOT, UPTIME = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/uptime")
TOLERANCE_S = 300.0  # by which the wall clock may be corrected, plus a hundredth of the time between two readings
LONGEST = timedelta(days=31)  # that a machine may be off while its clock is believed


@dataclass(frozen=True, slots=True)
class Reading:
    """The time by the wall clock; the machine's boot, by its id, and how long ago that was."""

    at: datetime
    boot: str
    uptime_s: float

    @classmethod
    def now(cls) -> "Reading":
        """Return a reading of now. The uptime is the kernel's own: no setting of a process changes it."""
        return cls(datetime.now(UTC), BOOT.read_text("ascii").strip(), float(UPTIME.read_text("ascii").split()[0]))

    @classmethod
    def parse(cls, text: str) -> "Reading":
        """Return the reading that `str` wrote. Raises ValueError."""
        at, boot, uptime_s = text.split()
        return cls(datetime.fromisoformat(at), boot, float(uptime_s))

    def __str__(self) -> str:
        return f"{self.at.isoformat()} {self.boot} {self.uptime_s}"

    def agrees_with(self, earlier: "Reading") -> bool:
        """Return whether the wall clock has not been set since an earlier reading, as far as the uptime tells."""
        by_wall_s = (self.at - earlier.at).total_seconds()
        if self.boot == earlier.boot:
            by_uptime_s = self.uptime_s - earlier.uptime_s
            return abs(by_wall_s - by_uptime_s) <= TOLERANCE_S + by_uptime_s / 100
        return self.uptime_s - TOLERANCE_S <= by_wall_s <= LONGEST.total_seconds()
