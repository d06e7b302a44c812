"""What was predicted and what came of it, for notebooks and for `memo history`.

The view `prediction_history` is read by the database's own driver, for SQLAlchemy alone takes longer to import than
`memo history` may take.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings

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
}
CONNECT_TIMEOUT_S = 5


def frame(since: datetime | None = None, scope: str | None = None, limit: int | None = None) -> "pandas.DataFrame":
    """The last `limit` rows of the view `prediction_history`, oldest first, with times in UTC."""
    import pandas

    types = {int: "Int64", float: "float64", str: "str", datetime: "datetime64[us, UTC]"}
    made = pandas.DataFrame(rows(since, scope, limit), columns=list(columns()), dtype=object)
    return made.astype({name: types[kind] for name, kind in columns().items()})


def rows(since: datetime | None = None, scope: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
    """The same without pandas. Raises MemoError where there is no store yet."""
    return read_view(Settings.load().database_url or Home.find().database_url, since, scope, limit)


def columns() -> dict[str, type]:
    """Names and types of the columns."""
    return COLUMNS


def read_view(url: str, since: datetime | None, scope: str | None, limit: int | None) -> list[dict[str, Any]]:
    """The last `limit` rows of the store at `url`, oldest first, with times in UTC.

    Raises MemoError where there is no store, or where it can't be read.
    """
    is_sqlite = url.startswith("sqlite")
    conditions: list[tuple[str, Any]] = []
    if since is not None:
        at = since.astimezone(UTC)
        conditions.append(("made_at >= ?", at.strftime("%Y-%m-%d %H:%M:%S.%f") if is_sqlite else at))
    if scope is not None:
        conditions.append(("scope = ?", scope))
    where = " AND ".join(["1 = 1", *(condition for condition, _ in conditions)])
    query = f"SELECT {', '.join(COLUMNS)} FROM prediction_history WHERE {where} ORDER BY id DESC"
    if limit is not None:
        query += f" LIMIT {limit:d}"
    values = [value for _, value in conditions]
    found = _from_sqlite(url, query, values) if is_sqlite else _from_postgres(url, query, values)
    return [dict(zip(COLUMNS, map(_in_utc, COLUMNS.values(), row), strict=True)) for row in reversed(found)]


def _in_utc(kind: type, cell: Any) -> Any:
    """A cell as Python has it; SQLite keeps a time as text, without its zone."""
    if kind is not datetime or cell is None:
        return cell
    return datetime.fromisoformat(cell).replace(tzinfo=UTC) if isinstance(cell, str) else cell.astimezone(UTC)


def _from_sqlite(url: str, query: str, values: list[Any]) -> list[tuple[Any, ...]]:
    import sqlite3
    from contextlib import closing

    file = Path(unquote(url.partition(":///")[2].partition("?")[0])).absolute()
    if not file.exists():
        raise MemoError(f"There is no store at {file} yet; start MEMO with `memo up`, or `memo import FILE`.")
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise _unreadable(str(file), error) from error


def _from_postgres(url: str, query: str, values: list[Any]) -> list[tuple[Any, ...]]:
    import psycopg

    address = "postgresql://" + url.partition("://")[2]
    try:
        with psycopg.connect(address, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            return connection.execute(query.replace("?", "%s").encode(), values).fetchall()
    except psycopg.Error as error:
        raise _unreadable(address.rpartition("@")[2], error) from error


def _unreadable(place: str, error: Exception) -> MemoError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return MemoError(f"The store {place} can't be read ({reason}); is it there and up to date? See `memo doctor`.")
