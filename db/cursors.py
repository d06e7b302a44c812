"""Cursors: from where a source goes on."""

from typing import Any

from sqlalchemy.orm import Session

from db.models import CursorRow


def get(session: Session, source: str, key: str) -> dict[str, Any] | None:
    """What was last committed under a key."""
    row = session.get(CursorRow, (source, key))
    return row.cursor if row else None


def put(session: Session, source: str, key: str, cursor: dict[str, Any]) -> None:
    """Set the cursor, in the transaction of the rows that it stands for."""
    session.merge(CursorRow(source=source, key=key, cursor=cursor))
