"""Pauses: spans of time in which MEMO records nothing. All are kept, since a source may report an act only later."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from memo.core.errors import MemoError
from memo.core.files import write_atomically
from memo.core.paths import Home

EVER = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pause:
    """A span of time, up to `NEVER` if only `memo resume` ends it; ValueError for a time without an offset."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.until.tzinfo is None:
            raise ValueError("the times of a pause need an offset from UTC")

    @property
    def ends(self) -> bool:
        """Whether it ends by itself."""
        return self.until != NEVER

    def covers(self, at: datetime) -> bool:
        """Return whether a time, which may be given in whole seconds, lies in the pause."""
        return self.since.replace(microsecond=0) <= at < self.until


def read(home: Home) -> list[Pause]:
    """Return all pauses; a file that is empty or cannot be read counts as a pause without start and end."""
    try:
        lines = home.paused.read_text(encoding="ascii").splitlines()
        return [Pause(*map(datetime.fromisoformat, line.split())) for line in lines] or [Pause(EVER, NEVER)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError):
        return [Pause(EVER, NEVER)]


def current(home: Home) -> Pause | None:
    """Return the pause in force, or None; one without an end always is, as the clock may have been set back."""
    now = datetime.now(UTC)
    return max((one for one in read(home) if one.covers(now) or not one.ends), key=lambda one: one.until, default=None)


def begin(home: Home, span: timedelta | None) -> Pause:
    """Pause for `span`, or until `end` is called; replaces a pause in force."""
    now = datetime.now(UTC)
    pause = Pause(now, NEVER if span is None else now + span)
    _write(home, [*_ended(home, now), pause])
    return pause


def end(home: Home) -> None:
    """End the pause in force, if there is one."""
    if home.paused.exists():
        _write(home, _ended(home, datetime.now(UTC)))


def _ended(home: Home, now: datetime) -> list[Pause]:
    return [replace(one, until=min(one.until, now)) for one in read(home) if one.since != EVER]


def _write(home: Home, pauses: Sequence[Pause]) -> None:
    lines = [f"{one.since.isoformat()} {one.until.isoformat()}\n" for one in pauses]
    try:
        if lines:
            write_atomically(home.paused, "".join(lines))
        else:
            home.paused.unlink(missing_ok=True)
    except OSError as error:
        raise MemoError(
            f"Cannot write {home.paused} ({error.strerror}); free some space, or correct its permissions."
        ) from error
