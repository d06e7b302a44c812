"""All rows of the store, for `memo export`."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session

from db.models import Base, EventRow

TABLES: dict[str, type[Base]] = {
    name: next(mapper.class_ for mapper in Base.registry.mappers if mapper.local_table is table)
    for name, table in Base.metadata.tables.items()
}
"""Every table, so that a new one is not left out."""
HIDDEN = {"line_key"}  # columns that mean nothing outside the store


def row_kind(table: str) -> str:
    """Return the name of one row of a table, such as `launch_set`."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", TABLES[table].__name__.removesuffix("Row")).lower()


def count_rows(session: Session, scope: str | None) -> dict[str, int]:
    """Return the number of rows of each table; for one scope, only of tables that have scopes."""
    return {
        name: session.scalar(select(func.count()).select_from(TABLES[name]).where(which)) or 0
        for name in TABLES
        if (which := _of(name, scope)) is not None
    }


def find_rows(session: Session, table: str, scope: str | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table as JSON, oldest first; an event has its local time."""
    columns, which = TABLES[table].__table__.c, _of(table, scope)
    if which is None:
        return
    query = select(TABLES[table]).where(which).order_by(*TABLES[table].__table__.primary_key)
    for row in session.scalars(query.execution_options(yield_per=1_000)):
        cells = {name: getattr(row, name) for name in columns.keys() if name not in HIDDEN}  # noqa: SIM118
        if isinstance(row, EventRow):
            cells["at"] = row.local_at
        yield {name: cell.isoformat() if isinstance(cell, datetime) else cell for name, cell in cells.items()}


def _of(table: str, scope: str | None) -> ColumnElement[bool] | None:
    """Return the condition of the rows of a scope, or None if the table has no scopes."""
    columns = TABLES[table].__table__.c
    if scope is None:
        return true()
    column = columns.get("name" if table == "scopes" else "scope")
    return None if column is None else column == scope
