"""Pauses: spans of time in which MEMO takes in nothing. Each is kept, since a source may tell of it only afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from memo.core.errors import MemoError
from memo.core.files import open_private
from memo.core.paths import Home

EVER, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pause:
    """From when until when; `NEVER` where `memo resume` is to end it. ValueError for a time without an offset."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.until.tzinfo is None:
            raise ValueError("a pause's times need an offset from UTC")

    @property
    def ends(self) -> bool:
        """Whether it ends by itself."""
        return self.until != NEVER

    def covers(self, at: datetime) -> bool:
        """Whether that time lies in it; a time may be given in whole seconds."""
        return self.since.replace(microsecond=0) <= at < self.until


def read(home: Home) -> list[Pause]:
    """All pauses. A file that can't be read, or says nothing, is a pause without beginning and end."""
    try:
        lines = home.paused.read_text(encoding="ascii").splitlines()
        return [Pause(*map(datetime.fromisoformat, line.split())) for line in lines] or [Pause(EVER, NEVER)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError):
        return [Pause(EVER, NEVER)]


def current(home: Home) -> Pause | None:
    """The pause that goes on now. One without an end does so at any time: the clock may have been set back since."""
    now = datetime.now(UTC)
    return max((one for one in read(home) if one.covers(now) or not one.ends), key=lambda one: one.until, default=None)


def begin(home: Home, span: timedelta | None) -> Pause:
    """Pause for so long, or until `end`; takes the place of a pause that goes on."""
    now = datetime.now(UTC)
    made = Pause(now, NEVER if span is None else now + span)
    _write(home, [*_ended(home, now), made])
    return made


def end(home: Home) -> None:
    """Take in events from now on."""
    if home.paused.exists():
        _write(home, _ended(home, datetime.now(UTC)))


def _ended(home: Home, now: datetime) -> list[Pause]:
    return [replace(one, until=min(one.until, now)) for one in read(home) if one.since != EVER]


def _write(home: Home, pauses: Sequence[Pause]) -> None:
    fresh = home.paused.with_suffix(".new")
    try:
        if not pauses:
            home.paused.unlink(missing_ok=True)
            return
        with open(fresh, "w", encoding="ascii", opener=open_private) as file:
            file.writelines(f"{one.since.isoformat()} {one.until.isoformat()}\n" for one in pauses)
        fresh.replace(home.paused)  # whole or not at all
    except OSError as error:
        raise MemoError(
            f"{home.paused} can't be written ({error.strerror}); make room for it, or mend its folder."
        ) from error
