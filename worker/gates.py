"""May we act? Small ordered rules; the first that objects stops the prediction."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.orm import Session

from db import dispatches
from db.models import PredictionRow
from memo.settings import DispatchSettings


class Gate(Protocol):
    """One rule."""

    name: str

    def objection(self, session: Session, prediction: PredictionRow, candidate: dict[str, Any]) -> str | None:
        """Why not to act on the candidate, and by how much; None lets it pass."""


class Confidence:
    """The candidate must be likely enough."""

    name = "confidence"

    def __init__(self, minimum: float) -> None:
        self._minimum = minimum

    def objection(self, session: Session, prediction: PredictionRow, candidate: dict[str, Any]) -> str | None:
        """Below the minimum."""
        probability = candidate["probability"]
        return f"{probability:.2f} is below {self._minimum:.2f}" if probability < self._minimum else None


class Cooldown:
    """The same action was not acted on just now."""

    name = "cooldown"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def objection(self, session: Session, prediction: PredictionRow, candidate: dict[str, Any]) -> str | None:
        """Too soon."""
        since = datetime.now(UTC) - timedelta(seconds=self._seconds)
        last = dispatches.last_done(session, prediction.scope, candidate["action"], since)
        if last is None:
            return None
        ago = (datetime.now(UTC) - last).total_seconds()
        return f"acted on {ago:.0f} s ago, again after {self._seconds:.0f} s"


class Budget:
    """Not too many acts an hour."""

    name = "budget"

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour

    def objection(self, session: Session, prediction: PredictionRow, candidate: dict[str, Any]) -> str | None:
        """Spent."""
        spent = dispatches.count_last_hour(session, prediction.scope)
        return f"{spent} of {self._per_hour} an hour are spent" if spent >= self._per_hour else None


def gates(settings: DispatchSettings) -> Sequence[Gate]:
    """All gates, in the order in which they are asked."""
    return (
        Confidence(settings.minimum_probability),
        Cooldown(settings.cooldown_s),
        Budget(settings.budget_per_hour),
    )
