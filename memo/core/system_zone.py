"""The time zone of this machine, as libc has it."""

import time
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache


class SystemZone(tzinfo):
    """The zone of this moment: a journey may change it, and TZ may hold a rule."""

    def utcoffset(self, at: datetime | None) -> timedelta | None:
        """Return how far a local time is ahead of UTC; 0 for a time that no clock of the system can show."""
        if at is None:
            return None
        _renew_zone(int(time.monotonic()))
        try:
            return timedelta(seconds=time.localtime(at.replace(tzinfo=None).timestamp()).tm_gmtoff)
        except (OSError, OverflowError, ValueError):
            return timedelta(0)

    def dst(self, at: datetime | None) -> None:
        """Return nothing: what part of the offset is summer time is not known."""

    def tzname(self, at: datetime | None) -> str | None:
        """Return the zone's name at a local time."""
        return None if at is None else time.localtime(at.replace(tzinfo=None).timestamp()).tm_zone

    def fromutc(self, at: datetime) -> datetime:
        """Return the local time of a time in UTC."""
        _renew_zone(int(time.monotonic()))
        local = datetime.fromtimestamp(at.replace(microsecond=0, tzinfo=UTC).timestamp())
        return local.replace(microsecond=at.microsecond, tzinfo=self)


SYSTEM_ZONE = SystemZone()


def local_now() -> datetime:
    """Return the time of this machine's clock, with its offset of this moment."""
    return datetime.now(SYSTEM_ZONE).astimezone()


@lru_cache(1)
def _renew_zone(second: int) -> None:
    """Take notice, once a second, of another zone of the system."""
    time.tzset()
