"""Gates that look at the candidate: is it likely, is it still to come, was it refused?"""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.prediction import feedback
from worker.gates.attempt import Attempt


class Confidence:
    """The candidate must be likely enough."""

    name = "confidence"

    def __init__(self, minimum: float) -> None:
        self._minimum = minimum

    def objection(self, session: Session, go: Attempt) -> str | None:
        """Below the minimum."""
        probability = go.candidate.probability
        return f"{probability:.2f} is below {self._minimum:.2f}" if probability < self._minimum else None


class TooLate:
    """Its time must not be over."""

    name = "late"

    def objection(self, session: Session, go: Attempt) -> str | None:
        """Over."""
        ago = (datetime.now(UTC) - go.context.until).total_seconds()
        return f"its time ended {ago:.0f} s ago" if ago >= 0 else None


class Refused:
    """What a person said "never" to is not done, until a "yes"."""

    name = "refused"

    def objection(self, session: Session, go: Attempt) -> str | None:
        """Refused."""
        at = feedback.find_refusal(session, go.context.scope, go.candidate.action)
        return f'answered "never" on {at:%Y-%m-%d}' if at else None
