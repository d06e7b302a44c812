"""How long an app was used: from the time it got the focus until it lost it, or nobody was there any more."""

from datetime import datetime, timedelta

from memo.core.events import Event, Operation

SHORTEST_S = 1.0
"""What is shorter was passed over on the way to another window."""


class Usage:
    """Of one person at one screen. Each call gives the usage that ends with it, if any."""

    def __init__(self) -> None:
        self._app, self._since = "", datetime.min

    def focused(self, app: str, at: datetime) -> Event | None:
        """An app has got the focus, or its user is back at it."""
        if app == self._app:
            return None
        ended = self.left(at)
        self._app, self._since = app, at
        return ended

    def left(self, at: datetime) -> Event | None:
        """From then on nobody used anything: away, asleep, or no window has the focus."""
        app, self._app = self._app, ""
        seconds = (at - self._since).total_seconds() if app else 0.0
        if seconds < SHORTEST_S:
            return None
        return Event(at, Operation.APP_USAGE, app, detail=f"{seconds:.0f}")

    def clock_set(self, by: timedelta) -> None:
        """The clock was set; no more time has gone by than before."""
        if self._app:
            self._since += by
