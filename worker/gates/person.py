"""Gates about the person: MEMO may be paused, and nothing noticeable may disturb."""

from sqlalchemy.orm import Session

from memo.clock import pauses, quiet_hours
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.machine import Machine
from worker.gates.attempt import Attempt


class Paused:
    """MEMO must not be paused."""

    name = "pause"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._zone, self._home = settings.zone, home

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return the end of the pause, or None."""
        pause = pauses.current(self._home)
        if pause is None:
            return None
        return f"until {pause.until.astimezone(self._zone):%Y-%m-%d %H:%M}" if pause.ends else "until `memo resume`"


class QuietHours:
    """In quiet hours nothing noticeable happens."""

    name = "quiet hours"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return the end of the quiet hours, or None."""
        until = quiet_hours.find_end(self._settings) if attempt.noticed else None
        return f"until {until:%H:%M}" if until else None


class FullScreen:
    """Nothing noticeable disturbs a film, a game or a presentation."""

    name = "full screen"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return that a window fills the screen, or None."""
        return "a window fills the screen" if attempt.noticed and self._machine.full_screen() else None
