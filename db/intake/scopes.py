"""Scopes: the lock under which events get their order, and the flag of an ask under way."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.models import ScopeRow


def lock_scope(session: Session, scope: str) -> ScopeRow:
    """Return the scope's row, which is created if missing, locked until the session's only transaction ends."""
    held: dict[str, ScopeRow] = session.info.setdefault("locked", {})
    if scope not in held:
        held[scope] = _lock(session, scope)
    return held[scope]


def _lock(session: Session, scope: str) -> ScopeRow:
    query = select(ScopeRow).where(ScopeRow.name == scope).with_for_update()
    query = query.execution_options(populate_existing=True)  # a row that this session read before is stale
    row = session.scalars(query).one_or_none()
    if row is None:
        with suppress(IntegrityError), session.begin_nested():  # another transaction may insert it meanwhile
            session.add(ScopeRow(name=scope, last_seq=0, generation=0, attempt_seq=0, attempts=0))
        row = session.scalars(query).one()
    return row


def record_request(session: Session, scope: str, life_s: float) -> bool:
    """Set the scope's flag; return False if it is set already, so that a burst sends one request."""
    row, now, life = lock_scope(session, scope), datetime.now(UTC), timedelta(seconds=life_s)
    if row.pending_until is not None and now < row.pending_until <= now + life:  # later ones: the clock was ahead
        return False
    row.pending_until = now + life
    return True


def record_start(session: Session, scope: str) -> ScopeRow:
    """Clear the flag *before* the window is read, so that a later event sets it again, and count the attempt."""
    row = lock_scope(session, scope)
    row.pending_until = None
    row.attempts = row.attempts + 1 if row.attempt_seq == row.last_seq else 1
    row.attempt_seq = row.last_seq
    return row


def record_progress(session: Session, scope: str) -> ScopeRow:
    """Reset the count of attempts, in the transaction of what an attempt writes; return the locked row."""
    row = lock_scope(session, scope)
    row.attempts = 0
    return row


def record_new_past(session: Session, scope: str) -> None:
    """Note that events were deleted or inserted in the past: learned state of an older generation is rebuilt."""
    lock_scope(session, scope).generation += 1


def find_scope_names(session: Session) -> Sequence[str]:
    """Return the names of all scopes."""
    return session.scalars(select(ScopeRow.name)).all()


def find_scope(session: Session, scope: str) -> ScopeRow | None:
    """Return the scope's row, or None."""
    return session.get(ScopeRow, scope)
