"""Periodic jobs: when each last ran. The store has it, so that a job missed while the machine slept runs once."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from db.models import JobRow

FORGET = "forget"  # no periodic job: when `memo forget` last deleted something
NEWEST_VERSION = "newest version"  # no periodic job: when a version was made last, and which
RETRAIN, EVALUATE, PRUNE, BACKUP = "retrain", "evaluate", "prune", "backup"
CLOCK_WAS_SET = "removed nothing: the clock went"  # begins the result of a pruning that found it set
NOT_YET = "waits for its first time"  # result of a job that was only recorded, so that it is due later
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
UNFINISHED = "unfinished forget"  # begins the name of the job of each forget that has not yet deleted all


def find_last_run(session: Session, name: str) -> datetime | None:
    """Return when a job last ran, or None."""
    return session.connection().scalar(_LAST_RUN, {"name": name})


_LAST_RUN = select(JobRow.last_run).where(JobRow.name == bindparam("name"))


def find_last_runs(session: Session, names: Sequence[str]) -> dict[str, datetime]:
    """Return when each of these jobs that ever ran did so last."""
    query = select(JobRow.name, JobRow.last_run).where(JobRow.name.in_(names))
    return {name: last_run for name, last_run in session.execute(query)}


def find_last_result(session: Session, name: str) -> str:
    """Return the result of a job's last run, or ""."""
    row = session.get(JobRow, name)
    return row.last_result if row else ""


def find_names(session: Session, beginning: str) -> Sequence[str]:
    """Return the names of jobs that have this beginning."""
    return session.scalars(select(JobRow.name).where(JobRow.name.startswith(beginning)).order_by(JobRow.name)).all()


def delete_jobs(session: Session, names: Sequence[str]) -> None:
    """Delete jobs by their names."""
    session.execute(delete(JobRow).where(JobRow.name.in_(names)))


def record_run(session: Session, name: str, result: str, at: datetime | None = None) -> None:
    """Record that a job ran now, or at another time."""
    session.merge(JobRow(name=name, last_run=at or datetime.now(UTC), last_result=result))


def record_due(session: Session, name: str) -> None:
    """Make a job due at once."""
    record_run(session, name, NOT_YET, at=LONG_AGO)
