"""What handlers may do about a prediction: by its routes, each of them some of its candidates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from db.models import PredictionRow
from memo.core.predictions import HORIZON_S, Candidate, action_from_dict
from memo.core.settings import DispatchSettings
from memo.protocols import Cost, DispatchContext

LATER, LEAST_S = 2, 60.0
"""Half of the times of an action lie after the expected one, few at more than twice the wait; seconds are too short."""

RoutedCandidate = tuple[Candidate, DispatchContext]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a handler is about to do."""

    handler: str
    candidate: Candidate
    context: DispatchContext
    cost: Cost = Cost()
    noticed: bool = False
    """Whether a person notices it."""
    per_hour: int | None = None
    """Goes an hour that are enough for its handler."""

    @property
    def key(self) -> tuple[int, str]:
        """Each handler has one go at a prediction."""
        return self.context.prediction_id, self.handler

    @property
    def is_free(self) -> bool:
        """Whether it costs neither the machine nor a person's attention."""
        return self.cost == Cost() and not self.noticed


def route_candidates(prediction: PredictionRow, settings: DispatchSettings) -> dict[str, list[RoutedCandidate]]:
    """Handler -> its candidates, best first, of what comes next and of what is upcoming.

    Of those that are too unlikely, only the best one is among them, and only where there is no other.
    """
    found: dict[str, list[RoutedCandidate]] = {}
    ways = ((prediction.candidates, settings.routes, _next), (prediction.upcoming, settings.upcoming, _upcoming))
    for entries, routes, wanted in ways:
        for entry in entries:
            for name in routes.get(entry["action"]["operation"], ()):  # most go nowhere
                known = found.setdefault(name, [])
                if not known or entry["probability"] >= settings.minimum_probability:
                    known.append(wanted(prediction, entry))
    return {name: _likely(candidates, settings.minimum_probability) for name, candidates in found.items()}


def _likely(candidates: Sequence[RoutedCandidate], minimum: float) -> list[RoutedCandidate]:
    ordered = sorted(candidates, key=lambda wanted: -wanted[0].probability)
    return [wanted for wanted in ordered if wanted[0].probability >= minimum] or ordered[:1]


def _next(prediction: PredictionRow, entry: dict[str, Any]) -> RoutedCandidate:
    candidate = as_candidate(entry)
    wait_s = (candidate.expected_at - prediction.made_at).total_seconds()
    return candidate, _context(prediction, min(HORIZON_S, max(LEAST_S, LATER * wait_s)))


def _upcoming(prediction: PredictionRow, entry: dict[str, Any]) -> RoutedCandidate:
    """Some time within the horizon, each as likely as the other."""
    middle = prediction.made_at.astimezone(UTC) + timedelta(seconds=HORIZON_S / 2)
    candidate = Candidate(
        action_from_dict(entry["action"]), entry["probability"], expected_at=middle, spread_s=HORIZON_S // 2
    )
    return candidate, _context(prediction, HORIZON_S)


def _context(prediction: PredictionRow, life_s: float) -> DispatchContext:
    made_at = prediction.made_at.astimezone(UTC)
    return DispatchContext(prediction.id, prediction.scope, made_at, made_at + timedelta(seconds=life_s))


def as_candidate(given: dict[str, Any]) -> Candidate:
    """The candidate of a prediction's row."""
    return Candidate(
        action_from_dict(given["action"]),
        given["probability"],
        datetime.fromisoformat(given["expected_at"]),
        executable=given["executable"],
        spread_s=given.get("spread_s", 0),
    )
