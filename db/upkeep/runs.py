"""Runs of training and evaluation: queued, running, done or failed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import RunRow


def add_run(session: Session, kind: str, scope: str) -> RunRow | None:
    """Queue a run; return None if one of this kind and scope is queued or running already."""
    under_way = select(RunRow.id).where(
        RunRow.kind == kind, RunRow.scope == scope, RunRow.state.in_(("queued", "running"))
    )
    if session.scalar(under_way) is not None:
        return None
    row = RunRow(kind=kind, scope=scope, state="queued", created_at=datetime.now(UTC), result={})
    session.add(row)
    session.flush()
    return row


def find_queued(session: Session) -> Sequence[RunRow]:
    """Return the queued runs, oldest first."""
    return session.scalars(select(RunRow).where(RunRow.state == "queued").order_by(RunRow.id)).all()


def record_next_start(session: Session) -> RunRow | None:
    """Mark the oldest queued run as running and return it, or None; two processes never get the same one."""
    waiting = select(RunRow).where(RunRow.state == "queued").order_by(RunRow.id).limit(1)
    row = session.scalar(waiting.with_for_update(skip_locked=True))
    if row is not None:
        row.state, row.started_at = "running", datetime.now(UTC)
    return row


def record_result(
    session: Session, run_id: int, state: str, result: dict[str, Any], version: str | None = None
) -> None:
    """Store the result of a run, which is done or failed."""
    row = session.get_one(RunRow, run_id)
    row.state, row.result, row.version, row.ended_at = state, result, version, datetime.now(UTC)


def record_interrupted_failed(session: Session, reason: str) -> int:
    """Mark running runs, whose process was killed, as failed, so that others can be queued; return their number."""
    rows = session.scalars(select(RunRow).where(RunRow.state == "running")).all()
    for row in rows:
        record_result(session, row.id, "failed", {"reason": reason})
    return len(rows)


def record_interrupted_queued(session: Session) -> int:
    """Queue running runs again, as their process ended with the stack; return their number."""
    rows = session.scalars(select(RunRow).where(RunRow.state == "running")).all()
    for row in rows:
        row.state = "queued"
    return len(rows)
