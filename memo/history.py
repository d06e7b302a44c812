"""What was predicted and what came of it, for notebooks and for `memo history`."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from memo.errors import UsageError
from memo.paths import Home
from memo.settings import Settings

if TYPE_CHECKING:
    import pandas

_AGO = re.compile(r"(\d{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def frame(since: datetime | None = None, scope: str | None = None, limit: int | None = None) -> "pandas.DataFrame":
    """The last `limit` rows of the view `prediction_history`, oldest first, with times in UTC."""
    import pandas

    types = {int: "Int64", float: "float64", str: "str", datetime: "datetime64[us, UTC]"}
    made = pandas.DataFrame(rows(since, scope, limit), columns=list(columns()), dtype=object)
    return made.astype({name: types[kind] for name, kind in columns().items()})


def rows(since: datetime | None = None, scope: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
    """The same without pandas. Raises MemoError where there is no store yet."""
    from db.history import history

    return history(Settings.load().database_url or Home.find().database_url, since, scope, limit)


def columns() -> dict[str, type]:
    """Names and types of the columns."""
    from db.history import COLUMNS

    return COLUMNS


def parse_since(text: str, zone: tzinfo, now: datetime, option: str = "--since") -> datetime:
    """The time meant by `10m`, `3h`, `1d`, `2w` (before now) or by an ISO time, in `zone` where it has no offset."""
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{option} takes 10m, 3h, 1d, 2w or a time such as 2026-03-02T09:00.") from error
