"""Gates about the candidate: whether it is likely, still to come, and not refused."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.prediction import feedback
from worker.gates.attempt import Attempt


class Confidence:
    """The candidate must be likely enough."""

    name = "confidence"

    def __init__(self, minimum: float) -> None:
        self._minimum = minimum

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return the probability and the minimum, or None."""
        probability = attempt.candidate.probability
        return f"{probability:.2f} is below {self._minimum:.2f}" if probability < self._minimum else None


class TooLate:
    """The candidate's time must not be over."""

    name = "late"

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return how long ago the time ended, or None."""
        ago_s = (datetime.now(UTC) - attempt.context.until).total_seconds()
        return f"its time ended {ago_s:.0f} s ago" if ago_s >= 0 else None


class Refused:
    """An action answered "never" is not acted on until a "yes"."""

    name = "refused"

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return the date of the refusal, or None."""
        at = feedback.find_refusal(session, attempt.context.scope, attempt.candidate.action)
        return f'answered "never" on {at:%Y-%m-%d}' if at else None
