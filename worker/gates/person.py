"""Gates that look at the person: MEMO may be paused, and nothing that is noticed disturbs."""

from datetime import datetime, time

from sqlalchemy.orm import Session

from memo.core import pauses
from memo.core.paths import Home
from memo.core.settings import Settings
from worker.effects.machine import Machine
from worker.gates.attempt import Attempt


class Paused:
    """MEMO is not paused."""

    name = "pause"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._zone, self._home = settings.zone, home

    def objection(self, session: Session, go: Attempt) -> str | None:
        """It is."""
        pause = pauses.current(self._home)
        if pause is None:
            return None
        return f"until {pause.until.astimezone(self._zone):%Y-%m-%d %H:%M}" if pause.ends else "until `memo resume`"


class QuietHours:
    """No one is disturbed in quiet hours."""

    name = "quiet hours"

    def __init__(self, settings: Settings) -> None:
        self._hours, self._zone = settings.dispatch.quiet_hours, settings.zone

    def objection(self, session: Session, go: Attempt) -> str | None:
        """It is quiet."""
        if not go.noticed or not self._hours:
            return None
        since, until = map(time.fromisoformat, self._hours.split("-"))
        now = datetime.now(self._zone).time()
        quiet = since <= now < until if since <= until else now >= since or now < until
        return f"until {until:%H:%M}" if quiet else None


class FullScreen:
    """No one is disturbed in front of a film, a game or a presentation."""

    name = "full screen"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def objection(self, session: Session, go: Attempt) -> str | None:
        """The window in front fills the screen."""
        return "a window fills the screen" if go.noticed and self._machine.full_screen() else None
