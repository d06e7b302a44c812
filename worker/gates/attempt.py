"""Attempts: what handlers may do about a prediction, given its routes and its candidates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from db.models import PredictionRow
from memo.core.events import Event, Operation
from memo.core.predictions import HORIZON_S, Candidate, action_from_dict, in_use, wanted
from memo.core.settings import DispatchSettings
from memo.protocols import Cost, DispatchContext

RoutedCandidate = tuple[Candidate, DispatchContext]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one handler does, or would do, about one candidate of a prediction."""

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


def route_candidates(
    prediction: PredictionRow, done: Sequence[Event], settings: DispatchSettings
) -> dict[str, list[RoutedCandidate]]:
    """Return each handler's candidates, the likeliest first: what the person does next, and what is upcoming.

    A start that may be the next event of any kind is a candidate only for handlers named in the route of process_start.

    What is in use after the person's latest actions `done` is left out. Candidates below the minimum probability are,
    too, except for the best one if there is no other.
    """
    found: dict[str, list[RoutedCandidate]] = {}
    acts = [*_acts(prediction, done), *_starts(prediction)]
    for entries, routes in ((acts, settings.routes), (prediction.upcoming, settings.upcoming)):
        for entry in entries:
            for name in routes.get(entry["action"]["operation"], ()):
                known = found.setdefault(name, [])
                if not known or entry["probability"] >= settings.minimum_probability:
                    known.append(_as_routed(prediction, entry))
    return {name: _likely(candidates, settings.minimum_probability) for name, candidates in found.items()}


def _acts(prediction: PredictionRow, done: Sequence[Event]) -> list[dict[str, Any]]:
    """Return what the person may do next with what is not in use."""
    used = in_use(done)
    return [entry for entry in prediction.person if wanted(action_from_dict(entry["action"])) not in used]


def _starts(prediction: PredictionRow) -> list[dict[str, Any]]:
    """Return the starts among what may come next, of which most are process noise."""
    return [entry for entry in prediction.candidates if entry["action"]["operation"] == Operation.PROCESS_START]


def _likely(candidates: Sequence[RoutedCandidate], minimum: float) -> list[RoutedCandidate]:
    ordered = sorted(candidates, key=lambda routed: -routed[0].probability)
    return [routed for routed in ordered if routed[0].probability >= minimum] or ordered[:1]


def _as_routed(prediction: PredictionRow, entry: Mapping[str, Any]) -> RoutedCandidate:
    """Return a candidate, which is expected at any time within the horizon with equal probability."""
    made_at = prediction.made_at.astimezone(UTC)
    candidate = Candidate(
        action_from_dict(entry["action"]),
        entry["probability"],
        expected_at=made_at + timedelta(seconds=HORIZON_S / 2),
        executable=entry.get("executable", ""),
        spread_s=HORIZON_S // 2,
    )
    until = made_at + timedelta(seconds=HORIZON_S)
    return candidate, DispatchContext(prediction.id, prediction.scope, made_at, until)
