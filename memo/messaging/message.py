"""The forms of prediction messages: docs/schemas/prediction.v2.json, and the first one, which other programs read."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from memo.core.events import Event
from memo.core.grammar import Language, write
from memo.core.predictions import action_as_dict

SCHEMA = "prediction.v2"
SCHEMA_V1 = "prediction.v1"
NOT_IN_V1 = ("places", "new_place", "person", "settled_person", "settled_upcoming")
MAX_LIST = 200  # entries of each list in a message


class Predicted(Protocol):
    """The fields of a stored prediction that go into its message."""

    id: int
    scope: str
    made_at: datetime
    model_version: str
    candidates: list[dict[str, Any]]
    upcoming: list[dict[str, Any]]
    new_probability: float
    places: list[dict[str, Any]]
    new_place: float
    person: list[dict[str, Any]]
    latency_ms: float


class SettledPrediction(NamedTuple):
    """An earlier prediction and its outcome."""

    id: int
    rank: int | None  # of the event in the answer, from 1; None if it was not listed
    event: Event


class JudgedPrediction(NamedTuple):
    """An earlier prediction and what the person did next."""

    id: int
    place_rank: int | None  # of the place of the act, from 1; None if it was not among the places
    person_rank: int | None  # of the act, likewise
    event: Event  # the act


class Outcomes(NamedTuple):
    """The earlier predictions whose outcomes a message reports."""

    settled: Sequence[SettledPrediction] = ()
    judged: Sequence[JudgedPrediction] = ()
    wanted: Sequence[SettledPrediction] = ()  # by the next thing wanted, with its rank in `upcoming`


def prediction_message(prediction: Predicted, event: Event, outcomes: Outcomes, language: Language) -> dict[str, Any]:
    """Return the message of a prediction made after `event`, the newest of its window."""
    return {
        "schema": SCHEMA,
        "id": prediction.id,
        "scope": prediction.scope,
        "made_at": prediction.made_at.isoformat(),
        "model": prediction.model_version,
        "event": _event_as_dict(event, language) | {"at": event.at.isoformat()},
        "candidates": prediction.candidates[:MAX_LIST],
        "upcoming": prediction.upcoming[:MAX_LIST],
        "new_probability": round(prediction.new_probability, 6),
        "places": prediction.places[:MAX_LIST],
        "new_place": round(prediction.new_place, 6),
        "person": prediction.person[:MAX_LIST],
        "latency_ms": round(prediction.latency_ms, 3),
        "settled": _settled_as_dicts(outcomes.settled, language),
        "settled_person": [
            {"id": earlier.id, "place_rank": earlier.place_rank, "person_rank": earlier.person_rank}
            | _event_as_dict(earlier.event, language)
            for earlier in outcomes.judged[-MAX_LIST:]
        ],
        "settled_upcoming": _settled_as_dicts(outcomes.wanted, language),
    }


def _settled_as_dicts(settled: Sequence[SettledPrediction], language: Language) -> list[dict[str, Any]]:
    return [
        {"id": earlier.id, "rank": earlier.rank} | _event_as_dict(earlier.event, language)
        for earlier in settled[-MAX_LIST:]
    ]


def in_first_form(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message by docs/schemas/prediction.v1.json."""
    return {name: value for name, value in message.items() if name not in NOT_IN_V1} | {"schema": SCHEMA_V1}


def _event_as_dict(event: Event, language: Language) -> dict[str, Any]:
    return {"text": write(event, language), "action": action_as_dict(event.action)}


def routing_key(scope: str) -> str:
    """Return a scope as one word of a topic, at most 255 bytes; characters with a meaning there become `_`."""
    return re.sub(r"[.*#\s]", "_", scope).encode("utf-8", "replace")[:255].decode("utf-8", "ignore")
