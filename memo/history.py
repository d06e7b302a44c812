"""Predictions and their outcomes, for notebooks and for `memo history`."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from memo.core.settings import Settings
from memo.store.public_views import find_rows, open_query

if TYPE_CHECKING:
    import pandas

COLUMNS: dict[str, type] = {
    "id": int,
    "scope": str,
    "made_at": datetime,
    "last_event_id": int,
    "model_version": str,
    "action": str,
    "target": str,
    "app": str,
    "probability": float,
    "expected_at": datetime,
    "latency_ms": float,
    "outcome_action": str,
    "outcome_target": str,
    "outcome_rank": int,
    "dispatched": int,
    "person_action": str,
    "person_target": str,
    "person_app": str,
    "place_rank": int,
    "person_rank": int,
    "upcoming_action": str,
    "upcoming_target": str,
    "upcoming_app": str,
    "upcoming_rank": int,
}


def frame(since: datetime | None = None, scope: str | None = None, limit: int | None = None) -> "pandas.DataFrame":
    """Return the last `limit` rows of the view `prediction_history`, oldest first, with times in UTC.

    Only those of one scope, made at or after `since`, if these are given. Raises MemoError if there is no store.
    """
    import pandas

    types = {int: "Int64", float: "float64", str: "str", datetime: "datetime64[us, UTC]"}
    made = pandas.DataFrame(rows(since, scope, limit), columns=list(COLUMNS), dtype=object)
    return made.astype({name: types[kind] for name, kind in COLUMNS.items()})


def rows(
    since: datetime | None = None,
    scope: str | None = None,
    limit: int | None = None,
    columns: Mapping[str, type] = COLUMNS,
) -> list[dict[str, Any]]:
    """Return the rows of `frame` as dictionaries, with these columns of the view, without importing pandas."""
    conditions = {"made_at >= ?": since, "scope = ?": scope}
    given = {condition: value for condition, value in conditions.items() if value is not None}
    # With the plus SQLite sorts the rows since then, else it would look for them among all rows, by their id.
    order = "+id DESC" if since else "id DESC"
    with open_query(Settings.load()) as query:
        return find_rows(query, "prediction_history", columns, given, order, limit)[::-1]
