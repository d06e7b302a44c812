"""Gates about the candidate: whether it is likely, still to come, and not refused."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.prediction import feedback
from worker.gates.attempt import Attempt


def confidence(minimum: float, session: Session, attempt: Attempt) -> str | None:
    """Block a candidate that is not likely enough."""
    probability = attempt.candidate.probability
    return f"{probability:.2f} is below {minimum:.2f}" if probability < minimum else None


def too_late(session: Session, attempt: Attempt) -> str | None:
    """Block a candidate whose time is over."""
    ago_s = (datetime.now(UTC) - attempt.context.until).total_seconds()
    return f"its time ended {ago_s:.0f} s ago" if ago_s >= 0 else None


def refused(session: Session, attempt: Attempt) -> str | None:
    """Block an action that was answered "never", until a "yes"."""
    at = feedback.find_refusal(session, attempt.context.scope, attempt.candidate.action)
    return f'answered "never" on {at:%Y-%m-%d}' if at else None
