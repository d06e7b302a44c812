"""Parse durations such as `90s`, `30m`, `2h`, `1d` or `2w`, and times given by them."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from memo.core.errors import UsageError

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_duration(text: str) -> timedelta | None:
    """Return the duration that a text states, or None for any other text."""
    found = re.fullmatch(r"([0-9]{1,6})([smhdw])", text)
    return timedelta(**{UNITS[found[2]]: int(found[1])}) if found else None


def parse_since(text: str, zone: tzinfo, now: datetime, option: str = "--since") -> datetime:
    """Return the time that `3h` or `1d` (before `now`) or an ISO time states, in `zone` if it has no offset.

    Raises UsageError, which names `option`, for any other text.
    """
    try:
        if ago := parse_duration(text):
            return now - ago
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{option} takes 10m, 3h, 1d, 2w or a time such as 2026-03-02T09:00.") from error
