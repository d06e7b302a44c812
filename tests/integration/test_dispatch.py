"""The dispatcher, on both databases: gates in their order, handlers in theirs, each effect at most once."""

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs

from db import events, migrate
from db.engine import open_store
from db.models import DispatchRow, EventRow, PredictionRow
from memo.events import Event, Operation
from memo.messages import Publisher
from memo.paths import Home
from memo.predictions import HORIZON_S, Candidate
from memo.protocols import DispatchContext
from memo.queue import make_app
from memo.settings import DispatchSettings, Settings
from worker import dispatch as dispatching
from worker.context import Context
from worker.dispatch import STOPPED, dispatch
from worker.handlers import record

SCOPE = "ada@host"
NOBODY = "redis://127.0.0.1:1/0"
START = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
MADE = datetime(2026, 3, 2, 1, 0, 0, 123456, tzinfo=UTC)
RECORDED = "dispatched.jsonl"
Given = list[tuple[str, Candidate, DispatchContext]]
"""What each handler was given, in order."""


@pytest.fixture
def opened(database_url: str, home: Home) -> Iterator[Context]:
    settings = Settings(database_url=database_url, broker_url=NOBODY, scope=SCOPE)
    migrate.upgrade(settings, home)
    context = Context(home, settings, open_store(settings, home), Publisher(NOBODY), make_app(NOBODY, settings))
    yield context
    context.queue.close()
    context.store.close()


def under(opened: Context, *route: str, **given: Any) -> Context:
    """With these handlers for each operation, and these settings of the gates."""
    routes = {operation: list(route) for operation in Operation}
    changed = DispatchSettings(routes=routes, **{"minimum_probability": 0.5, **given})
    return replace(opened, settings=opened.settings.model_copy(update={"dispatch": changed}))


def predict(opened: Context, target: str = "a", probability: float = 0.9, scope: str = SCOPE, **given: Any) -> int:
    """Store a prediction; its id."""
    action = {"operation": "process_start", "target": target, "place": ""} | given
    candidate = {
        "text": "2026-03-02 09:00:07 - Started app",
        "probability": probability,
        "action": action,
        "expected_at": (START + timedelta(seconds=7)).isoformat(),
        "executable": "/usr/bin/a",
    }
    with opened.store.write() as session:
        seq = events.last_seq(session, scope) + 1
        event = Event(START + timedelta(seconds=seq), Operation.PROCESS_START, "before")
        events.append(session, scope, [event], [f"key {seq}"])
        row = PredictionRow(
            scope=scope,
            made_at=MADE,
            last_event_id=session.scalars(select(EventRow.id).order_by(EventRow.id.desc())).first(),
            model_version="builtin",
            candidates=[candidate, candidate | {"probability": 0.01}],
            upcoming=[],
            new_probability=0.05,
            latency_ms=1.0,
        )
        session.add(row)
        session.flush()
        return row.id


def rows(opened: Context, prediction: int | None = None) -> list[DispatchRow]:
    with opened.store.read() as session:
        found = list(session.scalars(select(DispatchRow).order_by(DispatchRow.id)))
    return [row for row in found if prediction is None or row.prediction_id == prediction]


def went(opened: Context, prediction: int | None = None) -> list[tuple[str, str]]:
    return [(row.handler, row.status) for row in rows(opened, prediction)]


def stopped_by(opened: Context, prediction: int) -> str:
    [row] = rows(opened, prediction)
    assert (row.handler, row.status) == (STOPPED, "stopped")
    return row.detail


def lines(home: Home) -> list[dict[str, Any]]:
    file = home.root / RECORDED
    return [json.loads(line) for line in file.read_text("utf-8").split("\n")[:-1]] if file.exists() else []


class Noted:
    """A handler that notes what it is given."""

    def __init__(self, given: Given, name: str, settings: Settings, home: Home) -> None:
        self.given, self.name = given, name

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        self.given.append((self.name, candidate, context))
        if self.name.startswith("failing"):
            raise ValueError("a\x00b \ud800 went wrong")
        return {"by": self.name}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    """What was given to the handlers `one`, `two`, `failing`, which are installed for the test."""
    noted: Given = []

    class Installed:
        def __init__(self, name: str) -> None:
            self.load = partial(lambda called: partial(Noted, noted, called), name)

    def found(*, group: str, name: str) -> Any:
        if name == "damaged":
            return [EntryPoint(name, "no.such.module:Handler", group)]
        return [Installed(name)] if name in {"one", "two", "failing"} else entry_points(group=group, name=name)

    monkeypatch.setattr(dispatching, "entry_points", found)
    dispatching._MADE.clear()
    yield noted
    dispatching._MADE.clear()


def test_handlers_run_in_the_order_of_the_route(opened: Context, given: Given) -> None:
    for route in (("two", "one"), ("one", "two")):
        prediction = predict(opened, target=route[0])
        dispatch(under(opened, *route), prediction)
        assert tuple(name for name, _, _ in given[-2:]) == route
        assert went(opened, prediction) == [(name, "done") for name in route]


def test_only_the_route_of_the_operation_is_taken(opened: Context, given: Given) -> None:
    settings = DispatchSettings(routes={Operation.WEB_VISIT: ["one"], Operation.PROCESS_START: ["two"]})
    routed = replace(opened, settings=opened.settings.model_copy(update={"dispatch": settings}))
    dispatch(routed, predict(opened, operation="web_visit"))
    dispatch(routed, predict(opened, operation="process_start"))
    dispatch(routed, predict(opened, operation="file_access"))
    assert [name for name, _, _ in given] == ["one", "two"]


def test_a_handler_is_given_the_first_candidate_and_its_prediction(opened: Context, given: Given) -> None:
    prediction = predict(opened, "Firefox", 0.75)
    dispatch(under(opened, "one"), prediction)
    [(_, candidate, context)] = given
    assert (candidate.action.target, candidate.probability) == ("Firefox", 0.75)
    assert candidate.expected_at == START + timedelta(seconds=7)
    assert candidate.executable == "/usr/bin/a"
    assert context == DispatchContext(prediction, SCOPE, MADE, MADE + timedelta(seconds=HORIZON_S))
    [row] = rows(opened)
    assert (row.scope, row.probability, row.action["target"]) == (SCOPE, 0.75, "Firefox")
    assert "'by': 'one'" in row.detail
    assert row.duration_ms is not None and row.duration_ms >= 0


def test_the_default_route_logs_and_records(opened: Context, home: Home) -> None:
    prediction = predict(opened)
    with capture_logs() as logs:
        dispatch(opened, prediction)
    assert went(opened) == [("log", "done"), ("record", "done")]
    [entry] = logs
    assert (entry["event"], entry["prediction"], entry["target"]) == ("predicted", prediction, "a")
    assert [line["prediction"] for line in lines(home)] == [prediction]


@pytest.mark.parametrize("missing", ["unknown", "damaged"])
def test_a_handler_that_fails_is_a_failed_row_and_the_next_one_runs(
    opened: Context, given: Given, missing: str
) -> None:
    prediction = predict(opened)
    with capture_logs() as logs:
        dispatch(under(opened, "failing", missing, "one"), prediction)
    assert went(opened) == [("failing", "failed"), (missing, "failed"), ("one", "done")]
    assert [(entry["log_level"], entry["handler"], entry["prediction"]) for entry in logs] == [
        ("error", "failing", prediction),
        ("error", missing, prediction),
    ]
    failed, absent, _ = rows(opened)
    assert failed.detail.startswith("ValueError: a b") and failed.detail.endswith("went wrong")
    assert failed.duration_ms is not None
    assert ("no handler is installed under the name unknown" in absent.detail) == (missing == "unknown")


def test_a_failed_go_is_not_repeated_and_costs_no_budget(opened: Context, given: Given) -> None:
    failing = under(opened, "failing", budget_per_hour=1)
    prediction = predict(opened)
    dispatch(failing, prediction)
    dispatch(failing, prediction)
    assert len(given) == 1
    other = predict(opened)
    dispatch(under(opened, "one", budget_per_hour=1), other)
    assert went(opened, other) == [("one", "done")], "nor does it start the cooldown"


@pytest.mark.parametrize("cooldown_s", [0, 60])
def test_a_prediction_dispatched_twice_acts_once(opened: Context, given: Given, cooldown_s: int) -> None:
    prediction = predict(opened)
    for _ in range(2):
        dispatch(under(opened, "one", "two", cooldown_s=cooldown_s), prediction)
    assert [name for name, _, _ in given] == ["one", "two"]
    assert went(opened) == [("one", "done"), ("two", "done")]


def test_what_was_cut_off_goes_on_with_the_next_handler(opened: Context, given: Given) -> None:
    prediction = predict(opened)
    dispatch(under(opened, "one"), prediction)
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(status="claimed"))  # the process was killed in the middle
    dispatch(under(opened, "one", "two", budget_per_hour=1), prediction)
    assert went(opened) == [("one", "claimed"), ("two", "done")]


def test_what_a_gate_stopped_stays_stopped(opened: Context, given: Given) -> None:
    prediction = predict(opened, probability=0.4)
    dispatch(under(opened, "one"), prediction)
    dispatch(under(opened, "one", minimum_probability=0.1), prediction)
    assert went(opened) == [(STOPPED, "stopped")]
    assert given == []


def test_the_confidence_gate_names_itself(opened: Context, given: Given) -> None:
    unlikely, enough = predict(opened, "a", 0.49), predict(opened, "b", 0.5)
    dispatch(under(opened, "one"), unlikely)
    assert stopped_by(opened, unlikely) == "confidence: 0.49 is below 0.50"
    dispatch(under(opened, "one"), enough)
    assert went(opened, enough) == [("one", "done")]


def test_the_cooldown_gate_names_itself_and_holds_for_one_action_of_one_scope(opened: Context, given: Given) -> None:
    first, again, another, elsewhere = (
        predict(opened),
        predict(opened),
        predict(opened, "b"),
        predict(opened, scope="bob@host"),
    )
    for prediction in (first, again, another, elsewhere):
        dispatch(under(opened, "one", cooldown_s=60), prediction)
    assert stopped_by(opened, again).startswith("cooldown: acted on ")
    assert stopped_by(opened, again).endswith(" s ago, again after 60 s")
    assert [context.prediction_id for _, _, context in given] == [first, another, elsewhere]
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(at=datetime.now(UTC) - timedelta(seconds=61)))
    later = predict(opened)
    dispatch(under(opened, "one", cooldown_s=60), later)
    assert went(opened, later) == [("one", "done")]


def test_the_budget_gate_names_itself_and_counts_predictions_of_a_scope_in_an_hour(
    opened: Context, given: Given
) -> None:
    limited = under(opened, "one", "two", budget_per_hour=2)
    first, second, third, elsewhere = (
        predict(opened, "a"),
        predict(opened, "b"),
        predict(opened, "c"),
        predict(opened, "c", scope="bob@host"),
    )
    for prediction in (first, second, third, elsewhere):
        dispatch(limited, prediction)
    assert stopped_by(opened, third) == "budget: 2 of 2 an hour are spent"
    assert {context.prediction_id for _, _, context in given} == {first, second, elsewhere}
    with opened.store.write() as session:
        session.execute(update(DispatchRow).values(at=datetime.now(UTC) - timedelta(minutes=61)))
    later = predict(opened, "d")
    dispatch(limited, later)
    assert went(opened, later) == [("one", "done"), ("two", "done")]


def test_gates_are_asked_in_their_order_and_the_first_objection_counts(opened: Context, given: Given) -> None:
    dispatch(under(opened, "one"), predict(opened))
    all_object = under(opened, "one", cooldown_s=60, budget_per_hour=0)
    by = []
    for target, probability in (("a", 0.1), ("a", 0.9), ("b", 0.9)):
        prediction = predict(opened, target, probability)
        dispatch(all_object, prediction)
        by.append(stopped_by(opened, prediction).partition(":")[0])
    assert by == ["confidence", "cooldown", "budget"]
    assert len(given) == 1


def test_what_a_gate_stopped_spends_nothing(opened: Context, given: Given) -> None:
    limited = under(opened, "one", budget_per_hour=1)
    dispatch(limited, predict(opened, probability=0.1))
    certain = predict(opened)
    dispatch(limited, certain)
    assert went(opened, certain) == [("one", "done")]


def test_without_a_prediction_or_a_candidate_nothing_happens(opened: Context, given: Given) -> None:
    prediction = predict(opened)
    with opened.store.write() as session:
        session.execute(update(PredictionRow).values(candidates=[]))
    dispatch(under(opened, "one"), prediction)
    dispatch(under(opened, "one"), prediction + 1)
    assert rows(opened) == [] == given


HOSTILE = ["a\nb\r\nc", 'quote " and \\ back', "\x1b[31m\x00\x85\u2028", "half \ud800 character", "会议 🚀", "x" * 4096]


@pytest.mark.parametrize("title", HOSTILE, ids=range(len(HOSTILE)))
def test_record_keeps_a_hostile_title_on_one_json_line(opened: Context, home: Home, title: str) -> None:
    prediction = predict(opened, title, operation="window_focus", place="Code")
    with capture_logs():
        dispatch(under(opened, "record", "log"), prediction)
    assert went(opened) == [("record", "done"), ("log", "done")]
    [line] = lines(home)
    assert line == {
        "prediction": prediction,
        "scope": SCOPE,
        "made_at": MADE.isoformat(),
        "expected_at": (START + timedelta(seconds=7)).isoformat(),
        "probability": 0.9,
        "action": {"operation": "window_focus", "target": title.replace("\ud800", "?"), "place": "Code"},
    }


def test_record_appends_to_a_file_that_only_its_owner_can_read(opened: Context, home: Home) -> None:
    predictions = [predict(opened, target) for target in "abc"]
    for prediction in predictions:
        dispatch(under(opened, "record"), prediction)
    assert [line["prediction"] for line in lines(home)] == predictions
    assert stat.S_IMODE((home.root / RECORDED).stat().st_mode) == 0o600


def test_record_sets_a_full_file_aside(opened: Context, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "MAX_BYTES", 10)
    predictions = [predict(opened, target) for target in "abc"]
    for prediction in predictions:
        dispatch(under(opened, "record"), prediction)
    assert [line["prediction"] for line in lines(home)] == predictions[-1:]
    aside = (home.root / f"{RECORDED}.1").read_text("utf-8")
    assert json.loads(aside)["prediction"] == predictions[1]
