"""Periodic jobs: when each last ran. The store has it, so that a job missed while the machine slept runs once."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.models import JobRow

FORGET = "forget"  # no periodic job: when `memo forget` last deleted something
NOT_YET = "waits for its first time"  # result of a job that was only recorded, so that it is due one period later
UNFINISHED = "unfinished; run the same command again"  # result of FORGET until all is deleted, from files too


def find_last_run(session: Session, name: str) -> datetime | None:
    """Return when a job last ran, or None."""
    row = session.get(JobRow, name)
    return row.last_run if row else None


def find_result(session: Session, name: str) -> str | None:
    """Return the result of a job's last run, or None if it never ran."""
    row = session.get(JobRow, name)
    return row.last_result if row else None


def record_result(session: Session, name: str, result: str) -> None:
    """Replace the result of a job's last run, if there was one."""
    if row := session.get(JobRow, name):
        row.last_result = result


def record_run(session: Session, name: str, result: str) -> None:
    """Record that a job ran now."""
    session.merge(JobRow(name=name, last_run=datetime.now(UTC), last_result=result))
