"""The gate of the handlers that show a box: a person gets one box, however many of them are on."""

import time
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from db.dispatch import dispatches
from worker.gates.attempt import Attempt


class OneBox:
    """One box for a prediction, one at a time, and one about an action while that is still due."""

    def __init__(self) -> None:
        self.handlers: set[str] = set()  # those that are on
        self.offered_at = 0.0  # monotonic time at which the attempt that is being decided was offered
        self._shown_by, self._shown_at = "", 0.0

    def shown(self, handler: str) -> None:
        """Remember that a handler showed a box, which is closed by now or was only a message."""
        self._shown_by, self._shown_at = handler, time.monotonic()

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return which handler showed a box instead, or None."""
        if self.offered_at < self._shown_at:
            return f"{self._shown_by} showed a box instead"
        action, now = attempt.candidate.action, datetime.now(UTC)
        for other in sorted(self.handlers - {attempt.handler}):
            last = dispatches.find_last_attempt(session, attempt.context.scope, other, action)
            if last and last.until and last.outcome is None and now < last.until:
                return f"{other} showed a box about it {(now - last.at).total_seconds():.0f} s ago"
        return None
