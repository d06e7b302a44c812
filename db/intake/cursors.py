"""Cursors: where each source resumes."""

from collections.abc import Set
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from db.models import CursorRow
from memo.core.errors import MemoError


class CursorMovedError(MemoError):
    """Another process stored the same input while this one was reading it."""


def find_cursor(session: Session, source: str, key: str) -> dict[str, Any] | None:
    """Return what is stored under a source's key, or None: its `cursor`, and the `repeats` of its lines."""
    return session.connection().scalar(_OF_KEY, {"source": source, "key": key})


def has_cursors(session: Session, source: str) -> bool:
    """Return whether a source has committed anything yet."""
    return session.scalar(select(CursorRow.key).where(CursorRow.source == source).limit(1)) is not None


def find_last_move(session: Session, source: str) -> datetime | None:
    """Return when a source last committed something, or None."""
    return session.scalar(select(func.max(CursorRow.moved_at)).where(CursorRow.source == source))


def record_cursor(session: Session, source: str, key: str, cursor: dict[str, Any]) -> None:
    """Store a source's cursor and repeats under a key, in the transaction of the events before the cursor."""
    key_of = {"of_source": source, "of_key": key}
    values = {"cursor": cursor, "moved_at": datetime.now(UTC)}
    if not session.connection().execute(_MOVING, key_of | values).rowcount:
        session.connection().execute(insert(CursorRow), {"source": source, "key": key} | values)


def lock_cursor(session: Session, source: str, key: str, expected: dict[str, Any] | None) -> None:
    """Lock the cursor. Raises CursorMovedError if it is not at `expected`, from where the source has read."""
    stored = session.connection().scalar(_LOCKING, {"source": source, "key": key})
    if (stored["cursor"] if stored else None) != expected:
        raise CursorMovedError(
            f"Another process has already stored what the source {source} read; the source continues after that."
        )


_OF_KEY = select(CursorRow.cursor).where(CursorRow.source == bindparam("source"), CursorRow.key == bindparam("key"))
_LOCKING = _OF_KEY.with_for_update()
_MOVING = update(CursorRow).where(CursorRow.source == bindparam("of_source"), CursorRow.key == bindparam("of_key"))


def delete_repeats(session: Session, digests: Set[str]) -> None:
    """Delete digests of lines from what cursors remember; the positions stay, so that no source reads a line again."""
    for row in session.scalars(select(CursorRow)):
        repeats: dict[str, int] = row.cursor.get("repeats", {})
        if digests & repeats.keys():
            kept = {digest: count for digest, count in repeats.items() if digest not in digests}
            row.cursor = row.cursor | {"repeats": kept}


def delete_stale_cursors(session: Session, source: str, kept: Set[str], before: datetime) -> int:
    """Delete a source's cursors that last moved before a time, except `kept`; return their number."""
    old = session.scalars(select(CursorRow.key).where(CursorRow.source == source, CursorRow.moved_at < before))
    gone = [key for key in old if key not in kept]
    for key in gone:
        session.execute(delete(CursorRow).where(CursorRow.source == source, CursorRow.key == key))
    return len(gone)
