"""App usage: from when an app gets the focus until it loses it or the person leaves."""

from datetime import datetime, timedelta

from memo.core.events import Event, Operation

MIN_USAGE_S = 1.0  # a shorter usage was only a step on the way to another window


class Usage:
    """The app in use by one person at one screen. Each call returns the usage event that it ends, if any."""

    def __init__(self, min_s: float = MIN_USAGE_S) -> None:
        self._app, self._since, self._min_s = "", datetime.min, min_s

    def start(self, app: str, at: datetime) -> Event | None:
        """Start the usage of an app, unless it is in use already."""
        if app == self._app:
            return None
        ended = self.stop(at)
        self._app, self._since = app, at
        return ended

    def stop(self, at: datetime) -> Event | None:
        """End the usage: the person is away, the machine is asleep, or no window has the focus."""
        app, self._app = self._app, ""
        seconds = (at - self._since).total_seconds() if app else 0.0
        if seconds < self._min_s:
            return None
        return Event(at, Operation.APP_USAGE, app, detail=f"{seconds:.0f}")

    def shift_clock(self, by: timedelta) -> None:
        """Record that the wall clock was set, so that the duration does not change."""
        if self._app:
            self._since += by
