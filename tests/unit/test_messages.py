import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from db.models import PredictionRow
from memo.core.events import ACTIONS, Action, Event, Operation
from memo.core.grammar import Language
from memo.core.predictions import Candidate, NextAction, NextPlace, Upcoming
from memo.messaging.message import (
    MAX_LIST,
    SCHEMA,
    SCHEMA_V1,
    JudgedPrediction,
    Outcomes,
    SettledPrediction,
    in_first_form,
    prediction_message,
    routing_key,
)
from memo.store.json_text import encode

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "schemas" / f"{SCHEMA}.json"
VALIDATOR = Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))
V1_VALIDATOR = Draft202012Validator(json.loads(SCHEMA_FILE.with_name(f"{SCHEMA_V1}.json").read_text()))
AT = datetime(2026, 3, 2, 9, 15, 4, tzinfo=timezone(timedelta(hours=8)))
EVENTS = [
    Event(AT, Operation.WINDOW_FOCUS, 'a "b" - c (x)', app="Code"),
    Event(AT, Operation.WEB_VISIT, "github.com", detail="Pull requests 🚀"),
    Event(AT, Operation.FILE_ACCESS, "会议.docx", detail="/home/ada"),
    Event(AT, Operation.PROCESS_START, "Firefox"),
    Event(AT, Operation.PROCESS_END, "Firefox"),
    Event(AT, Operation.APP_USAGE, "Firefox", detail="12.5"),
    Event(AT, Operation.SESSION_START),
    Event(AT, Operation.TIME_CONTEXT, "1", detail="9"),
]

HUMAN_ACTIONS = [event.action for event in EVENTS[:3]]


def prediction(candidates: int = 3, upcoming: int = 2) -> PredictionRow:
    actions = [Action(Operation.WEB_VISIT, f"{number}.example") for number in range(max(candidates, upcoming))]
    return PredictionRow(
        id=7,
        scope="ada@host.example",
        made_at=AT.astimezone(UTC),
        model_version="builtin",
        candidates=[Candidate(action, 0.1 / candidates, AT).as_dict("en") for action in actions[:candidates]],
        upcoming=[Upcoming(action, 0.5).as_dict("en", AT) for action in actions[:upcoming]],
        new_probability=0.1,
        places=[NextPlace(action.coarse, 0.2).as_dict() for action in HUMAN_ACTIONS],
        new_place=0.4,
        person=[NextAction(action, 0.25, "a title").as_dict("en", AT) for action in HUMAN_ACTIONS],
        latency_ms=4.123456,
    )


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.operation.value)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_message_of_any_event_matches_the_schema(event: Event, language: Language) -> None:
    message = prediction_message(
        prediction(),
        event,
        Outcomes(
            [SettledPrediction(5, None, event), SettledPrediction(6, 2, event)],
            [JudgedPrediction(6, 1, None, event)],
            [SettledPrediction(4, 3, event)],
        ),
        language,
    )
    VALIDATOR.validate(message)
    V1_VALIDATOR.validate(in_first_form(message))
    assert message["event"]["at"] == "2026-03-02T09:15:04+08:00", "its own clock"
    assert [(earlier["id"], earlier["rank"]) for earlier in message["settled"]] == [(5, None), (6, 2)]


def test_save_is_told_as_a_save_of_the_file_used() -> None:
    saved = Event(AT, Operation.FILE_SAVE, "a.txt", detail="/home/ada")
    told = prediction_message(prediction(), saved, Outcomes(), "en")["event"]
    assert told["text"].endswith(" - Saved file: a.txt (in /home/ada)")
    assert told["action"] == {"operation": "file_access", "target": "a.txt", "place": "/home/ada"}


def test_schema_names_exactly_the_operations() -> None:
    named = VALIDATOR.schema["$defs"]["action"]["properties"]["operation"]["enum"]
    assert set(named) == {operation.value for operation in ACTIONS}


@pytest.mark.parametrize(
    "change",
    [{"extra": 1}, {"id": "7"}, {"new_probability": 1.5}, {"candidates": [{}]}],
    ids=str,
)
def test_schema_refuses_other_documents(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        VALIDATOR.validate(prediction_message(prediction(), EVENTS[0], Outcomes(), "en") | change)


def test_message_lists_are_bounded() -> None:
    many = [SettledPrediction(number, None, EVENTS[0]) for number in range(1, 1_000)]
    message = prediction_message(prediction(1_000, 1_000), EVENTS[0], Outcomes(many), "en")
    VALIDATOR.validate(message)
    assert len(message["candidates"]) == len(message["upcoming"]) == MAX_LIST
    assert message["settled"][-1]["id"] == 999, "the newest are kept"


def test_example_in_docs_matches_the_schema() -> None:
    text = (SCHEMA_FILE.parents[1] / "subscribe.md").read_text(encoding="utf-8")
    VALIDATOR.validate(json.loads(text.partition("```json")[2].partition("```")[0]))


def test_half_a_surrogate_pair_is_escaped() -> None:
    assert encode({"text": "a\ud83d"}) == rb'{"text":"a\ud83d"}'


def test_routing_key_names_its_scope() -> None:
    assert routing_key("ada@host.example.org") == "ada@host_example_org"
