"""Periodic jobs: when each last ran. Kept in the store, so that a job missed while the machine slept runs once."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.models import JobRow

FORGET = "forget"
"""No periodic job: when a person last let something be forgotten."""
NOT_YET = "waits for its first time"
"""The result of a job that was only noted, so that it is due one period later."""


def find_last_run(session: Session, name: str) -> datetime | None:
    """When a job last ran."""
    row = session.get(JobRow, name)
    return row.last_run if row else None


def record_run(session: Session, name: str, result: str) -> None:
    """Note that a job ran now."""
    session.merge(JobRow(name=name, last_run=datetime.now(UTC), last_result=result))
