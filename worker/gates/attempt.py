"""Attempts: what handlers may do about a prediction, given its routes and its candidates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from db.models import PredictionRow
from memo.core.predictions import HORIZON_S, Candidate, action_from_dict
from memo.core.settings import DispatchSettings
from memo.protocols import Cost, DispatchContext

# A candidate's life, as a multiple of its expected wait: half of an action's times lie after the expected one, few
# beyond twice the wait.
LATER = 2
LEAST_S = 60.0  # shortest life, for waits of a few seconds

RoutedCandidate = tuple[Candidate, DispatchContext]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One handler's act on one candidate of a prediction."""

    handler: str
    candidate: Candidate
    context: DispatchContext
    cost: Cost = Cost()
    noticed: bool = False  # whether a person notices it
    per_hour: int | None = None  # most attempts an hour that the handler allows itself

    @property
    def key(self) -> tuple[int, str]:
        """Prediction and handler: each handler makes one attempt at a prediction."""
        return self.context.prediction_id, self.handler

    @property
    def is_free(self) -> bool:
        """Whether it costs neither the machine nor a person's attention."""
        return self.cost == Cost() and not self.noticed


def route_candidates(prediction: PredictionRow, settings: DispatchSettings) -> dict[str, list[RoutedCandidate]]:
    """Return each handler's candidates, next and upcoming ones, the likeliest first.

    Candidates below the minimum probability are left out, except for the best one if there is no other.
    """
    found: dict[str, list[RoutedCandidate]] = {}

    def route(entries: list[dict[str, Any]], routes: Any, as_routed: Callable[..., RoutedCandidate]) -> None:
        for entry in entries:
            for name in routes.get(entry["action"]["operation"], ()):
                known = found.setdefault(name, [])
                if not known or entry["probability"] >= settings.minimum_probability:
                    known.append(as_routed(prediction, entry))

    route(prediction.candidates, settings.routes, _next)
    route(prediction.upcoming, settings.upcoming, _upcoming)
    return {name: _likely(candidates, settings.minimum_probability) for name, candidates in found.items()}


def _likely(candidates: Sequence[RoutedCandidate], minimum: float) -> list[RoutedCandidate]:
    ordered = sorted(candidates, key=lambda routed: -routed[0].probability)
    return [routed for routed in ordered if routed[0].probability >= minimum] or ordered[:1]


def _next(prediction: PredictionRow, entry: dict[str, Any]) -> RoutedCandidate:
    candidate = as_candidate(entry)
    wait_s = (candidate.expected_at - prediction.made_at).total_seconds()
    return candidate, _context(prediction, min(HORIZON_S, max(LEAST_S, LATER * wait_s)))


def _upcoming(prediction: PredictionRow, entry: dict[str, Any]) -> RoutedCandidate:
    """Return an upcoming candidate, which is expected at any time within the horizon with equal probability."""
    middle = prediction.made_at.astimezone(UTC) + timedelta(seconds=HORIZON_S / 2)
    action = action_from_dict(entry["action"])
    candidate = Candidate(action, entry["probability"], expected_at=middle, spread_s=HORIZON_S // 2)
    return candidate, _context(prediction, HORIZON_S)


def _context(prediction: PredictionRow, life_s: float) -> DispatchContext:
    made_at = prediction.made_at.astimezone(UTC)
    return DispatchContext(prediction.id, prediction.scope, made_at, made_at + timedelta(seconds=life_s))


def as_candidate(entry: dict[str, Any]) -> Candidate:
    """Return the candidate of an entry of a prediction's row."""
    return Candidate(
        action_from_dict(entry["action"]),
        entry["probability"],
        datetime.fromisoformat(entry["expected_at"]),
        executable=entry["executable"],
        spread_s=entry.get("spread_s", 0),
    )
