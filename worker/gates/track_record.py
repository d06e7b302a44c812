"""Gates that look at what the handler did before: how lately, how often, and whether it paid."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from db.dispatch import dispatches, handlers
from memo.core.settings import Settings
from memo.protocols import Cost
from worker.gates.attempt import Attempt

MEGABYTE = 1_000_000
KNOWN = 3
"""Hits of which it is known what they saved, before that is believed."""
FLOOR, NOTICED_FLOOR = 0.6, 0.8
"""Until then only what is as likely as this. Chromium has as many hits and two floors, 0.5 for what is cheap and 0.8
(chrome/browser/predictors/autocomplete_action_predictor.cc); 0.6 is by bench/upcoming.py."""


class TurnedOff:
    """A handler that cost more than it saved rests; one that costs nothing never did."""

    name = "off"

    def __init__(self, settings: Settings) -> None:
        self._zone = settings.zone

    def objection(self, session: Session, go: Attempt) -> str | None:
        """Resting."""
        row = None if go.is_free else handlers.find_resting(session, go.context.scope, go.handler)
        return f"{row.reason}; again from {row.until.astimezone(self._zone):%Y-%m-%d %H:%M}" if row else None


class Cooldown:
    """The same action was not acted on just now; nor, where that costs, is what was done about it still of use."""

    name = "cooldown"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def objection(self, session: Session, go: Attempt) -> str | None:
        """Too soon."""
        last = dispatches.find_last_attempt(session, go.context.scope, go.handler, go.candidate.action)
        if last is None:
            return None
        now, again = datetime.now(UTC), last.at + timedelta(seconds=self._seconds)
        if not go.is_free and last.until and last.outcome is None:
            again = max(again, last.until)
        wait = (again - now).total_seconds()
        return f"acted on {(now - last.at).total_seconds():.0f} s ago, again in {wait:.0f} s" if wait > 0 else None


class Budget:
    """Not too many acts an hour, and not too much read."""

    name = "budget"

    def __init__(self, per_hour: int, mb_per_hour: int) -> None:
        self._per_hour, self._mb_per_hour = per_hour, mb_per_hour

    def objection(self, session: Session, go: Attempt) -> str | None:
        """Spent."""
        goes, read = dispatches.count_last_hour(session, go.context.scope, go.handler)
        most = self._per_hour if go.per_hour is None else min(self._per_hour, go.per_hour)
        if goes >= most:
            return f"{goes} of {most} an hour are spent"
        read_mb, more_mb = read / MEGABYTE, go.cost.read_bytes / MEGABYTE
        if more_mb and read_mb + more_mb > self._mb_per_hour:
            return f"{read_mb:.0f} MB and {more_mb:.0f} MB more are above {self._mb_per_hour} MB an hour"
        return None


class Value:
    """What a go saves on average is more than it costs."""

    name = "value"

    def objection(self, session: Session, go: Attempt) -> str | None:
        """Not worth it, or not known to be."""
        if go.is_free:
            return None
        probability = go.candidate.probability
        hits = dispatches.find_hits(session, go.context.scope, go.handler)
        known = hits.number if go.cost == Cost() else hits.known  # nobody measures what attention costs, or saves
        if known < KNOWN:
            floor = NOTICED_FLOOR if go.noticed else FLOOR
            return f"{probability:.2f} is below {floor:.2f}, {known} known hits so far" if probability < floor else None
        if hits.saves_s is None or probability * hits.saves_s > go.cost.ms / 1e3:
            return None
        return f"{probability:.2f} x {hits.saves_s:.2f} s is not above the cost of {go.cost.ms / 1e3:.2f} s"
