"""Gates about the handler's earlier attempts: how recent and how many they were, and whether they paid."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from db.dispatch import dispatches, handlers
from memo.core.settings import Settings
from memo.protocols import Cost
from worker.effects.read_limits import MEGABYTE
from worker.gates.attempt import Attempt

KNOWN = 3  # hits with known savings before these are trusted
# Minimum probability until then. Chromium also asks for three hits; it has two thresholds, 0.5 for cheap actions and
# 0.8 (chrome/browser/predictors/autocomplete_action_predictor.cc); 0.6 is by bench/upcoming.py.
FLOOR = 0.6
NOTICED_FLOOR = 0.8  # the same for attempts that a person notices


class Resting:
    """A handler that cost more than it saved rests; one that costs nothing never does."""

    name = "resting"

    def __init__(self, settings: Settings) -> None:
        self._zone = settings.zone

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return why the handler rests and until when, or None."""
        row = None if attempt.is_free else handlers.find_resting(session, attempt.context.scope, attempt.handler)
        return f"{row.reason}; on again at {row.until.astimezone(self._zone):%Y-%m-%d %H:%M}" if row else None


class Cooldown:
    """The handler must not have acted on the same action just now nor, if that costs, on it while it is still due."""

    name = "cooldown"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return when the handler acted last and when it may act again, or None."""
        action = attempt.candidate.action
        last = dispatches.find_last_attempt(session, attempt.context.scope, attempt.handler, action)
        if last is None:
            return None
        now, again_at = datetime.now(UTC), last.at + timedelta(seconds=self._seconds)
        if not attempt.is_free and last.until and last.outcome is None:
            again_at = max(again_at, last.until)
        wait_s = (again_at - now).total_seconds()
        return f"acted on {(now - last.at).total_seconds():.0f} s ago, again in {wait_s:.0f} s" if wait_s > 0 else None


class Budget:
    """Attempts and bytes read are limited per hour."""

    name = "budget"

    def __init__(self, per_hour: int, mb_per_hour: int) -> None:
        self._per_hour, self._mb_per_hour = per_hour, mb_per_hour

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return the budget that is used up, or None."""
        made, read = dispatches.count_last_hour(session, attempt.context.scope, attempt.handler)
        most = self._per_hour if attempt.per_hour is None else min(self._per_hour, attempt.per_hour)
        if made >= most:
            return f"{made} of {most} attempts an hour are used up"
        read_mb, more_mb = read / MEGABYTE, attempt.cost.read_bytes / MEGABYTE
        if more_mb and read_mb + more_mb > self._mb_per_hour:
            return f"{read_mb:.0f} MB and {more_mb:.0f} MB more are above {self._mb_per_hour} MB an hour"
        return None


class Value:
    """An attempt must save more than it costs, on average."""

    name = "value"

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return the expected saving and the cost or, while savings are unknown, a probability that is too low."""
        if attempt.is_free:
            return None
        probability, cost_s = attempt.candidate.probability, attempt.cost.ms / 1e3
        hits = dispatches.find_hits(session, attempt.context.scope, attempt.handler)
        known = hits.number if attempt.cost == Cost() else hits.known  # the value of attention is never measured
        if known < KNOWN:
            floor = NOTICED_FLOOR if attempt.noticed else FLOOR
            return f"{probability:.2f} is below {floor:.2f}, {known} known hits so far" if probability < floor else None
        if hits.saves_s is None or probability * hits.saves_s > cost_s:
            return None
        return f"{probability:.2f} x {hits.saves_s:.2f} s is not above the cost of {cost_s:.2f} s"
