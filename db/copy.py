"""All that the store keeps of a person, row by row, for `memo export`."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import Base, DispatchRow, EventRow, FeedbackRow, LaunchRow, PredictionRow, VersionRow

KINDS: dict[str, type[Base]] = {
    "events": EventRow,
    "predictions": PredictionRow,
    "dispatches": DispatchRow,
    "feedback": FeedbackRow,
    "launches": LaunchRow,
    "versions": VersionRow,
}
"""Name -> table; each has a scope."""
HIDDEN = {"line_key"}
"""Of no meaning outside of the store."""


def counts(session: Session, scope: str | None) -> dict[str, int]:
    """How many rows there are of each kind."""
    tables = {kind: select(func.count()).select_from(table) for kind, table in KINDS.items()}
    return {
        kind: session.scalar(query if scope is None else query.where(KINDS[kind].__table__.c.scope == scope)) or 0
        for kind, query in tables.items()
    }


def rows(session: Session, kind: str, scope: str | None) -> Iterator[dict[str, Any]]:
    """The rows of a kind, oldest first, as JSON; an event's time is on its own clock."""
    table = KINDS[kind].__table__
    query = select(KINDS[kind]).order_by(table.c.id)
    if scope is not None:
        query = query.where(table.c.scope == scope)
    for row in session.scalars(query.execution_options(yield_per=1_000)):
        cells = {name: getattr(row, name) for name in table.c.keys() if name not in HIDDEN}  # noqa: SIM118
        if isinstance(row, EventRow):
            cells["at"] = row.local_at
        yield {name: cell.isoformat() if isinstance(cell, datetime) else cell for name, cell in cells.items()}
