"""Snapshots of learned state: the same answers after loading, no code executed, a reason for each refusal."""

import hashlib
import json
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.synthetic.people import SAMPLE_START, Person, stream
from memo.core.events import ACTIONS, HUMAN, Event, Operation
from memo.core.predictions import Answer, Ranking
from worker.prediction import snapshots
from worker.prediction.scope_model import ScopeModel
from worker.prediction.snapshots import FORMAT, SnapshotRefused, decode, encode, schema
from worker.predictors.mixed import MixedPredictor

SCOPE = "ada@host"
START = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
SAMPLE = stream(Person(3), 1, SAMPLE_START)[:120]
TEXTS = st.sampled_from(["a", "b", "a and 3 more pages", "a\ud800", "", "0x/json", "会议 (1) 🚀"])
EVENTS = st.lists(
    st.builds(
        lambda at_s, operation, target, place, hours: Event(
            datetime.fromtimestamp(START.timestamp() + at_s, timezone(timedelta(hours=hours))),
            operation,
            target,
            app=place,
            detail=place,
        ),
        st.integers(0, 100_000),
        st.sampled_from(Operation),
        TEXTS,
        TEXTS,
        st.integers(-3, 8),
    ),
    max_size=40,
)


def learned(events: list[Event], asked: bool = True) -> ScopeModel:
    """Return a model that has learned, and ranked, the events."""
    model = ScopeModel(SCOPE, "v1", 2, MixedPredictor(), 5, began=7)
    for event in events:
        model.predictor.learn(event)
        if asked:
            model.predictor.predict([event], 10)
        model.seq += 1
        model._window = [*model._window, (event.at.astimezone(UTC), model.seq, event)][-5:]
    for event in events[:2]:
        model.predictor.feedback.learn(event.action, events[-1].action, Answer.NO)
    return model


def answers(predictor: MixedPredictor, events: list[Event]) -> Iterator[tuple[Ranking, Any]]:
    """Yield the ranking after each further event, and the weights."""
    predictor.resume(None, predictor.weights(), ())
    for event in events:
        predictor.learn(event)
        yield predictor.predict([event], 10), predictor.weights()


def rewritten(snapshot: bytes, state: bytes | None = None, /, **fields: object) -> bytes:
    """Return a snapshot with another state or other fields of the header, and with a valid checksum."""
    _, header, packed = snapshot.split(b"\n", 2)
    content = json.dumps(json.loads(header) | fields).encode() + b"\n" + (packed if state is None else state)
    return hashlib.sha256(content).hexdigest().encode() + b"\n" + content


@settings(max_examples=30, deadline=None)
@given(events=EVENTS, further=EVENTS, asked=st.booleans())
def test_a_loaded_model_answers_as_the_saved_one(events: list[Event], further: list[Event], asked: bool) -> None:
    model = learned(events, asked)
    snapshot = encode(model)
    loaded = decode(snapshot, SCOPE, 5)
    assert encode(loaded) == snapshot
    assert list(answers(loaded.predictor, further)) == list(answers(model.predictor, further))


def test_a_loaded_model_of_a_day_answers_as_the_saved_one() -> None:
    model = learned(SAMPLE)
    loaded = decode(encode(model), SCOPE, 5)
    assert vars(loaded) | {"predictor": 0, "saved": 0} == vars(model) | {"predictor": 0, "saved": 0}
    assert loaded.saved == loaded.seq == 7 + len(SAMPLE)
    later = stream(Person(3), 2, SAMPLE_START)[120:300]
    assert list(answers(loaded.predictor, later)) == list(answers(model.predictor, later))
    assert {event.operation for event in later} > HUMAN.intersection(ACTIONS)


def test_a_snapshot_begins_with_what_it_holds() -> None:
    _, header, _ = encode(learned(SAMPLE)).split(b"\n", 2)
    assert json.loads(header) == {
        "format": FORMAT,
        "schema": schema(),
        "scope": SCOPE,
        "version": "v1",
        "generation": 2,
        "seq": 7 + len(SAMPLE),
    }


def test_the_format_is_raised_when_the_state_changes() -> None:
    """If this fails, raise FORMAT and put the new values here: old snapshots are refused then."""
    kinds = list(Operation)
    events = [
        Event(START + timedelta(seconds=n * n), kinds[n % 7], "abc"[n % 3], app="xy"[n % 2], detail="d" * (n % 2))
        for n in range(60)
    ]
    state = learned(events, asked=False).state()
    digest = hashlib.sha256(json.dumps(_rounded(state), sort_keys=True).encode()).hexdigest()[:16]
    assert (FORMAT, schema(), digest) == (5, "951d77a846e9f048", "f1765f3e25011bc4")


def _rounded(value: Any) -> Any:
    match value:
        case dict():
            return {name: _rounded(entry) for name, entry in value.items()}
        case list() | np.ndarray():
            return [_rounded(entry) for entry in value]
        case float() | np.floating():
            return round(float(value), 6)
        case np.integer() | np.bool_():
            return int(value)
    return value


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [("format", 0, "its format is 0"), ("schema", "x", "its schema is x"), ("scope", "b@host", "its scope is b@host")],
)
def test_another_header_is_refused(field: str, value: object, reason: str) -> None:
    other = rewritten(encode(learned(SAMPLE)), **{field: value})
    with pytest.raises(SnapshotRefused, match=reason):
        decode(other, SCOPE, 5)


@pytest.mark.parametrize("place", [0, 70, 200, -1])
def test_a_flipped_byte_is_refused(place: int) -> None:
    snapshot = bytearray(encode(learned(SAMPLE)))
    snapshot[place] ^= 1
    with pytest.raises(SnapshotRefused, match="checksum"):
        decode(bytes(snapshot), SCOPE, 5)


class Hostile:
    """Pickled, it creates a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_hostile_state_with_a_valid_checksum_runs_no_code(tmp_path: Path) -> None:
    target = tmp_path / "executed"
    snapshot = encode(learned(SAMPLE))
    objects = tmp_path / "objects.npz"
    np.savez(objects, json=np.array([Hostile(target)], dtype=object))
    for packed in (pickle.dumps(Hostile(target)), objects.read_bytes(), b"", b"\xff" * 100):
        with pytest.raises(SnapshotRefused, match="its state is malformed"):
            decode(rewritten(snapshot, packed), SCOPE, 5)
    assert not target.exists()


@pytest.mark.parametrize("missing", ["window", "predictor", "seq"])
def test_an_incomplete_state_is_refused(missing: str) -> None:
    state = learned(SAMPLE).state()
    del state[missing]
    other = rewritten(encode(learned(SAMPLE)), snapshots._pack(state))
    with pytest.raises(SnapshotRefused, match=f"its state is malformed .KeyError: '{missing}'"):
        decode(other, SCOPE, 5)
