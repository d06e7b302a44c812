"""Read the store's public views with the database's own driver, which imports much faster than SQLAlchemy."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from memo.core.errors import MemoError
from memo.core.paths import Home, refuse_foreign
from memo.store import json_text
from memo.store.damage import REMEDY, find_loss, find_obstacle
from memo.store.postgres import connect

if TYPE_CHECKING:
    from memo.core.settings import Settings

Rows = list[tuple[Any, ...]]
Query = Callable[[str, Sequence[Any]], Rows]  # runs a statement with one `?` for each value

CONNECT_TIMEOUT_S = 5
BUSY_TIMEOUT_S = 10  # wait for a locked SQLite store
UPDATE = "`memo up` updates it, `memo doctor` checks it"


class NoStoreError(MemoError):
    """The file of the store does not exist."""


@contextmanager
def open_query(settings: "Settings") -> Iterator[Query]:
    """Connect to the store of the settings for some queries.

    Raises NoStoreError or another MemoError if the store cannot be read.
    """
    url = settings.database_url or Home.find().database_url
    with _open_sqlite(url) if url.startswith("sqlite") else _open_postgres(url) as query:
        yield query


@contextmanager
def _open_sqlite(url: str) -> Iterator[Query]:
    import sqlite3

    file = Path(unquote(url.partition(":///")[2].partition("?")[0])).absolute()
    if is_there := file.exists():
        refuse_foreign(file)
    if loss := find_loss(file, Home.find().backups):
        raise MemoError(f"The store {file} is damaged ({loss}); {REMEDY}.")
    if not is_there:
        raise NoStoreError(f"There is no store at {file} yet; start MEMO with `memo up`, or `memo import FILE`.")
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)) as connection:
            yield lambda statement, values: connection.execute(statement, [*map(_as_sqlite, values)]).fetchall()
    except sqlite3.Error as error:
        if obstacle := find_obstacle(file):
            raise MemoError(obstacle) from error
        is_damaged = type(error) is sqlite3.DatabaseError  # errors of the schema are of another type
        raise _unreadable(str(file), error, REMEDY if is_damaged else UPDATE) from error


@contextmanager
def _open_postgres(url: str) -> Iterator[Query]:
    import psycopg

    address = "postgresql://" + url.partition("://")[2]
    try:
        with connect(address, connect_timeout=CONNECT_TIMEOUT_S, client_encoding="utf8") as connection:
            yield lambda statement, values: connection.execute(as_postgres(statement).encode(), values).fetchall()
    except psycopg.Error as error:
        raise _unreadable(address.rpartition("@")[2], error, UPDATE) from error


def as_postgres(statement: str) -> str:
    """Return a statement with the placeholders of psycopg."""
    return statement.replace("?", "%s")


def _as_sqlite(value: Any) -> Any:
    """Return a value as SQLite stores it: a time is UTC text without its zone."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


def _unreadable(place: str, error: Exception, remedy: str) -> MemoError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return MemoError(f"Cannot read the store {place}: {reason}; {remedy}.")


def find_rows(
    query: Query,
    view: str,
    columns: Mapping[str, type],
    conditions: Mapping[str, Any],
    order_by: str,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """Return the columns of the rows that meet all conditions (such as `{"id > ?": 7}`), by name.

    Times are in UTC; columns of the type `list` are decoded from JSON.
    """
    where = " AND ".join(conditions) or "1 = 1"
    statement = f"SELECT {', '.join(columns)} FROM {view} WHERE {where} ORDER BY {order_by}"
    if limit is not None:
        statement += f" LIMIT {limit:d}"
    return [
        {name: _decode(kind, cell) for (name, kind), cell in zip(columns.items(), row, strict=True)}
        for row in query(statement, list(conditions.values()))
    ]


def _decode(kind: type, cell: Any) -> Any:
    if kind is datetime and cell is not None:
        return datetime.fromisoformat(cell).replace(tzinfo=UTC) if isinstance(cell, str) else cell.astimezone(UTC)
    if kind is list and isinstance(cell, str):
        return json_text.decode(cell)
    return cell
