"""Scopes: the lock under which events get their order, and the flag of a request under way."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, case, select, update
from sqlalchemy.orm import Session

from db.models import ScopeRow
from db.upsert import build_inserts, execute


def lock_scope(session: Session, scope: str) -> ScopeRow:
    """Return the scope's row, which is created if missing, locked until the session's only transaction ends."""
    row = lock_known_scope(session, scope)
    if row is None:
        execute(session, _ADDING, {"name": scope})  # nothing, if another transaction inserts it meanwhile
        row = lock_known_scope(session, scope)
        assert row is not None, "it was just inserted"
    return row


_ADDING = build_inserts(lambda insert: insert(ScopeRow).on_conflict_do_nothing())


def lock_known_scope(session: Session, scope: str) -> ScopeRow | None:
    """Return the scope's row, locked likewise, or None if the store does not know the scope."""
    held: dict[str, ScopeRow] = session.info.setdefault("locked", {})
    if scope not in held and (row := session.scalars(_LOCKING, {"scope": scope}).one_or_none()):
        held[scope] = row
    return held.get(scope)


_LOCKING = (
    select(ScopeRow)
    .where(ScopeRow.name == bindparam("scope"))
    .with_for_update()
    .execution_options(populate_existing=True)  # a row that this session read before is stale
)


def record_request(session: Session, scope: str, life_s: float) -> bool:
    """Set the scope's flag; return False if it is set already, so that a burst sends one request."""
    row, now, life = lock_scope(session, scope), datetime.now(UTC), timedelta(seconds=life_s)
    if row.pending_until is not None and now < row.pending_until <= now + life:  # later ones: the clock was ahead
        return False
    row.pending_until = now + life
    return True


def record_start(session: Session, scope: str) -> ScopeRow | None:
    """Clear the flag *before* the window is read, so that a later event sets it again, and count the attempt.

    Return a copy of the row, which is locked, or None if the store does not know the scope.
    """
    row = session.connection().execute(_STARTING, {"scope": scope}).one_or_none()
    return ScopeRow(**row._mapping) if row else None


_STARTING = (
    update(ScopeRow)
    .where(ScopeRow.name == bindparam("scope"))
    .values(
        pending_until=None,
        attempts=case((ScopeRow.attempt_seq == ScopeRow.last_seq, ScopeRow.attempts + 1), else_=1),
        attempt_seq=ScopeRow.last_seq,
    )
    .returning(*ScopeRow.metadata.tables[ScopeRow.__tablename__].columns)
)


def record_progress(session: Session, scope: str, generation: int) -> bool:
    """Reset the count of attempts, in the transaction of what an attempt writes, and lock the scope.

    Return False, and change nothing, if the scope's past has changed since this generation.
    """
    values = {"scope": scope, "learned": generation}
    return session.connection().execute(_PROGRESSING, values).rowcount == 1


_PROGRESSING = (
    update(ScopeRow)
    .where(ScopeRow.name == bindparam("scope"), ScopeRow.generation == bindparam("learned"))
    .values(attempts=0)
)


def record_new_past(session: Session, scope: str) -> None:
    """Note that events were deleted or inserted in the past: learned state of an older generation is rebuilt."""
    lock_scope(session, scope).generation += 1


def find_scope_names(session: Session, only: str | None = None) -> Sequence[str]:
    """Return the names of all scopes, or the one that is given."""
    return session.scalars(select(ScopeRow.name)).all() if only is None else [only]


def find_scope(session: Session, scope: str) -> ScopeRow | None:
    """Return the scope's row, or None."""
    return session.get(ScopeRow, scope)
