"""Runs of training and evaluation: queued, running, done or failed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from db.intake import events
from db.models import RunRow
from db.upkeep import jobs

FIRST_DELAY = timedelta(seconds=5)  # after a run that failed, until the scope's next one
LONGEST_DELAY = timedelta(days=1)
TRAIN, EVALUATE = "train", "evaluate"  # kinds
JOBS = {TRAIN: jobs.RETRAIN, EVALUATE: jobs.EVALUATE}  # kind -> job that `memo status` shows
UNDER_WAY = ("queued", "running")
URGENT, NEWEST = "at_once", "newest"  # in the place of a result


def add_run(session: Session, kind: str, scope: str) -> RunRow | None:
    """Queue a run; return None if one of this kind and scope is queued or running already."""
    if _is_under_way(session, kind, scope):
        return None
    row = RunRow(kind=kind, scope=scope, state="queued", created_at=datetime.now(UTC), result={})
    session.add(row)
    session.flush()
    return row


def is_free(session: Session, kind: str, scope: str) -> bool:
    """Return whether no run of a kind and scope is under way, and none has just failed."""
    return not _is_under_way(session, kind, scope) and not is_delayed(session, kind, scope)


def _is_under_way(session: Session, kind: str, scope: str) -> bool:
    return session.scalar(select(RunRow.id).where(_runs(kind, scope, *UNDER_WAY)).limit(1)) is not None


def _runs(kind: str, scope: str, *states: str) -> ColumnElement[bool]:
    return (RunRow.kind == kind) & (RunRow.scope == scope) & RunRow.state.in_(states)


def is_delayed(session: Session, kind: str, scope: str) -> bool:
    """Return whether the last runs of a kind and scope failed, and the delay after that has not passed yet.

    The delay doubles with each failure in a row; other scopes do not wait for it.
    """
    last_done = select(func.coalesce(func.max(RunRow.id), 0)).where(_runs(kind, scope, "done")).scalar_subquery()
    failed = select(func.count(), func.max(RunRow.ended_at)).where(_runs(kind, scope, "failed"))
    times, ended_at = session.execute(failed.where(RunRow.id > last_done)).one()
    delay = min(FIRST_DELAY * 2 ** min(times - 1, 20), LONGEST_DELAY)
    # It ended later than now if the clock was ahead then.
    return ended_at is not None and ended_at <= datetime.now(UTC) < ended_at + delay


def record_urgent(session: Session, kind: str, scope: str) -> None:
    """Queue a run that waits for no idle machine; one that is queued or running becomes such a run."""
    add_run(session, kind, scope)
    session.execute(update(RunRow).where(_runs(kind, scope, *UNDER_WAY)).values(result={URGENT: True}))


def has_urgent(session: Session) -> bool:
    """Return whether a run under way waits for no idle machine."""
    under_way = select(RunRow).where(RunRow.state.in_(UNDER_WAY))
    return any(URGENT in row.result for row in session.scalars(under_way))


def find_last_done(session: Session, kind: str, scope: str) -> datetime | None:
    """Return when the last run of a kind and scope was queued that did not fail, or None."""
    return session.scalar(select(func.max(RunRow.created_at)).where(_runs(kind, scope, "done")))


def find_ended(session: Session, kind: str, scope: str) -> list[tuple[datetime, str]]:
    """Return when the runs of a kind and scope ended, and their states, oldest first."""
    query = select(RunRow.ended_at, RunRow.state).where(_runs(kind, scope, "done", "failed")).order_by(RunRow.id)
    return [(at, state) for at, state in session.execute(query) if at is not None]


def find_queued(session: Session) -> Sequence[RunRow]:
    """Return the queued runs, oldest first."""
    return session.scalars(select(RunRow).where(RunRow.state == "queued").order_by(RunRow.id)).all()


def record_next_start(session: Session) -> RunRow | None:
    """Mark the oldest queued run as running and return it, or None; two processes never get the same one.

    The number of the newest event stays the same when an interrupted run begins again, so that it can go on.
    """
    waiting = select(RunRow).where(RunRow.state == "queued").order_by(RunRow.id).limit(1)
    row = session.scalar(waiting.with_for_update(skip_locked=True))
    if row is not None:
        row.state, row.started_at = "running", datetime.now(UTC)
        row.result = {NEWEST: events.find_last_seq(session, row.scope)} | row.result
    return row


def record_result(
    session: Session, run_id: int, state: str, result: dict[str, Any], version: str | None = None
) -> None:
    """Store the result of a run, which is done or failed."""
    row = session.get_one(RunRow, run_id)
    row.state, row.result, row.version, row.ended_at = state, result, version, datetime.now(UTC)


def record_interrupted_failed(session: Session, reason: str) -> None:
    """Mark running runs, whose process was killed, as failed, so that others can be queued."""
    for run in session.scalars(select(RunRow).where(RunRow.state == "running")).all():
        record_result(session, run.id, "failed", {"reason": reason})
        jobs.record_run(session, JOBS[run.kind], f"{run.scope}: {reason}")


def record_interrupted_queued(session: Session) -> None:
    """Queue running runs again, as their process ended with the stack."""
    session.execute(update(RunRow).where(RunRow.state == "running").values(state="queued"))
