"""Pauses: spans of time in which MEMO records nothing. All are kept, since a source may report an act only later."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import isfinite

from memo.clock.reading import Reading
from memo.core.errors import MemoError
from memo.core.files import write_atomically
from memo.core.paths import Home

EVER = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
UNKNOWN, ENDED = "unknown", "ended"  # in place of a boot
Clock = Callable[[], Reading]


@dataclass(frozen=True, slots=True)
class Pause:
    """A span of time, up to `NEVER` if only `memo resume` ends it.

    Raises ValueError for a time without an offset, and for an uptime that is no number.

    One that ends by itself knows the machine's boot in which it began and the uptime at its end: the wall clock may be
    set meanwhile.
    """

    since: datetime
    until: datetime
    boot: str = UNKNOWN
    uptime_s: float = 0.0

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.until.tzinfo is None:
            raise ValueError("the times of a pause need an offset from UTC")
        if not isfinite(self.uptime_s):
            raise ValueError("the uptime at the end of a pause is a number of seconds")

    @property
    def ends(self) -> bool:
        """Whether it ends by itself."""
        return self.until != NEVER

    def covers(self, at: datetime) -> bool:
        """Return whether a time, which may be given in whole seconds, lies in the pause."""
        return self.since.replace(microsecond=0) <= at < self.until

    def without(self, since: float, until: float) -> list[tuple[float, float]]:
        """Return the parts of a span of time that lie before and after the pause; times are seconds since the epoch."""
        parts = [(since, min(until, self.since.timestamp())), (max(since, self.until.timestamp()), until)]
        return [(begin, end) for begin, end in parts if begin < end]

    def is_in_force(self, now: Reading) -> bool:
        """Return whether it has neither ended by itself nor by `end`; it began earlier, whatever the clock says."""
        if self.boot == now.boot:
            return now.uptime_s < self.uptime_s
        return self.boot != ENDED and now.at < self.until

    def __str__(self) -> str:
        return f"{self.since.isoformat()} {self.until.isoformat()} {self.boot} {self.uptime_s}"

    @classmethod
    def parse(cls, line: str) -> "Pause":
        """Return the pause that a line states; old versions of MEMO wrote no boot and uptime. Raises ValueError."""
        since, until, *rest = line.split()
        boot, uptime_s = rest or (UNKNOWN, "0")
        return cls(datetime.fromisoformat(since), datetime.fromisoformat(until), boot, float(uptime_s))


def read(home: Home) -> list[Pause]:
    """Return all pauses; a file that is empty or cannot be read counts as a pause without start and end."""
    try:
        lines = home.paused.read_text(encoding="ascii").splitlines()
        return [Pause.parse(line) for line in lines] or [Pause(EVER, NEVER)]
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        return [Pause(EVER, NEVER)]


def spans(home: Home, clock: Clock = Reading.now) -> list[Pause]:
    """Return all pauses as they cover events: one in force has no end yet, and no beginning if the clock was set back.

    A clock that was set back to before the pause gives what happens now the time of what came before it.
    """
    now = clock()
    return [
        replace(one, since=EVER if now.at < one.since else one.since, until=NEVER) if one.is_in_force(now) else one
        for one in read(home)
    ]


def current(home: Home, clock: Clock = Reading.now) -> Pause | None:
    """Return the pause in force, or None."""
    now = clock()
    return max((one for one in read(home) if one.is_in_force(now)), key=lambda one: one.until, default=None)


def begin(home: Home, span: timedelta | None, clock: Clock = Reading.now) -> Pause:
    """Pause for `span`, or until `end` is called; replaces a pause in force."""
    now = clock()
    if span is None:
        pause = Pause(now.at, NEVER)
    else:
        pause = Pause(now.at, now.at + span, now.boot, now.uptime_s + span.total_seconds())
    _write(home, [*_ended(home, now.at), pause])
    return pause


def end(home: Home, clock: Clock = Reading.now) -> None:
    """End the pause in force, if there is one."""
    if home.paused.exists():
        _write(home, _ended(home, clock().at))


def _ended(home: Home, now: datetime) -> list[Pause]:
    return [
        replace(one, until=min(one.until, now), boot=ENDED, uptime_s=0.0) for one in read(home) if one.since != EVER
    ]


def _write(home: Home, pauses: Sequence[Pause]) -> None:
    lines = [f"{one}\n" for one in pauses]
    try:
        if lines:
            write_atomically(home.paused, "".join(lines))
        else:
            home.paused.unlink(missing_ok=True)
    except OSError as error:
        raise MemoError(
            f"Cannot write {home.paused} ({error.strerror}); free some space, or correct its permissions."
        ) from error
