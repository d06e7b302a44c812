"""Notice when the wall clock was set by much: nothing old is deleted until it is right, so a person has to know."""

from memo.clock.pauses import Clock
from memo.clock.reading import Reading

TOLD_S = 3600.0  # for which a person is reminded


class ClockWatch:
    """Compares each reading of the clock with the one before."""

    def __init__(self, clock: Clock = Reading.now) -> None:
        self._clock = clock
        self._last, self._notice, self._told_until_s = clock(), "", 0.0

    def look(self) -> str:
        """Return a sentence if the wall clock was set within the last hour, by the machine's uptime; else ""."""
        now = self._clock()
        if not now.agrees_with(self._last):
            expected = self._last.at.astimezone().isoformat(" ", "minutes")
            self._notice = (
                f"The clock was set from {expected} to {now.at.astimezone().isoformat(' ', 'minutes')}; check it with "
                "`date`. Nothing old is deleted until it has been right for three days."
            )
            self._told_until_s = now.uptime_s + TOLD_S
        self._last = now
        return self._notice if now.uptime_s < self._told_until_s else ""
