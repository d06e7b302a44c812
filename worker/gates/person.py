"""Gates about the person: MEMO may be paused, and nothing noticeable may disturb."""

from datetime import tzinfo

from sqlalchemy.orm import Session

from memo.clock import pauses, quiet_hours
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.machine import Machine
from worker.gates.attempt import Attempt


def paused(zone: tzinfo, home: Home, session: Session, attempt: Attempt) -> str | None:
    """Block everything while MEMO is paused."""
    pause = pauses.current(home)
    if pause is None:
        return None
    return f"until {pause.until.astimezone(zone):%Y-%m-%d %H:%M}" if pause.ends else "until `memo resume`"


def quiet(settings: Settings, session: Session, attempt: Attempt) -> str | None:
    """Block in quiet hours what is noticeable."""
    until = quiet_hours.find_end(settings) if attempt.noticed else None
    return f"until {until:%H:%M}" if until else None


def full_screen(machine: Machine, session: Session, attempt: Attempt) -> str | None:
    """Block what would disturb a film, a game or a presentation."""
    return "a window fills the screen" if attempt.noticed and machine.full_screen() else None
