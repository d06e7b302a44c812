"""The loop as a whole, once through, on each kind of store and broker; the tests read what one course left."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import REDIS_URL, ROOT, fresh_amqp, fresh_postgres, fresh_redis, remove_names
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from kombu import Connection
from redis import Redis
from stack import SCOPE, Stack, new_stack
from waiting import WAIT_S, until

from data.importers import lines as lines_of
from memo.core.grammar import language_of, parse, write
from memo.stack import broker

SINGLE, BURST = 6, 400
"""Lines that come one by one, and then all at once."""
LAST = "2026-11-20 18:00:00 - 启动应用: Firefox"
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "prediction.v2.json").read_text(encoding="utf-8"))


@dataclass
class Course:
    """What one course of the loop left, from `memo up` to after `memo down`."""

    variant: str
    lines: list[str]
    messages: list[dict[str, Any]] = field(default_factory=list)
    events: list[tuple[Any, ...]] = field(default_factory=list)
    history: list[tuple[Any, ...]] = field(default_factory=list)
    dispatches: list[tuple[Any, ...]] = field(default_factory=list)
    predictions_of_burst: int = 0
    tcp: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    own_broker_served: bool = False
    keys_before: set[Any] = field(default_factory=set)
    keys_after: set[Any] = field(default_factory=set)
    why: dict[str, Any] = field(default_factory=dict)
    logged: list[dict[str, Any]] = field(default_factory=list)
    exit_of_down: int = -1
    leftovers: list[str] = field(default_factory=list)


def bilingual(files: list[Path]) -> list[str]:
    """The first lines of each file, every other one in the other language; the last one is no mere context."""
    share = (SINGLE + BURST - 1) // len(files)
    found = [line for file in files for line in lines_of(file, UTC, "zh")[:share]]
    return [write(parse(line, UTC), "en" if n % 2 else "zh") for n, line in enumerate(found)] + [LAST]


@pytest.fixture(scope="module")
def stream(request: pytest.FixtureRequest) -> list[str]:
    try:
        files: list[Path] = request.getfixturevalue("event_files")
    except pytest.skip.Exception:
        files = [ROOT / "data" / "sample" / "day.txt"]
    return bilingual(files)


@pytest.fixture(scope="module", params=["embedded", "postgres+redis", "postgres+rabbitmq"])
def course(request: pytest.FixtureRequest, stream: list[str]) -> Iterator[Course]:
    settings = {"MEMO_DISPATCH__MINIMUM_PROBABILITY": "0", "MEMO_DISPATCH__COOLDOWN_S": "0"}
    with ExitStack() as services:
        if request.param != "embedded":
            settings["MEMO_DATABASE_URL"] = services.enter_context(fresh_postgres())
        if request.param == "postgres+redis":
            settings["MEMO_BROKER_URL"] = services.enter_context(fresh_redis())
        if request.param == "postgres+rabbitmq":
            settings["MEMO_BROKER_URL"] = services.enter_context(fresh_amqp())
        stack = services.enter_context(new_stack(**settings))
        yield run_through(stack, Course(request.param, stream))
        if request.param == "postgres+rabbitmq":
            with Connection(settings["MEMO_BROKER_URL"]) as connection:
                remove_names(connection, f"memo:{stack.one('SELECT id FROM store_identity')}")


def run_through(stack: Stack, course: Course) -> Course:
    course.keys_before = keys_of_others()
    stack.ok("up")
    with stack.subscriber() as received:
        look_at_connections(stack, course)
        for line in course.lines[:SINGLE]:
            stack.predict([line])
        before = stack.one("SELECT count(*) FROM predictions")
        stack.predict(course.lines[SINGLE:])
        course.predictions_of_burst = stack.one("SELECT count(*) FROM predictions") - before
        look_at_connections(stack, course)
        newest = stack.one("SELECT max(id) FROM predictions")
        until("the last message", lambda: any(message["id"] == newest for message in received()))
        until("an act on the last prediction", lambda: acted(stack, newest))
        course.messages = received()
    course.events = stack.sql("SELECT id, scope, operation, target FROM events ORDER BY seq")
    course.history = stack.sql(
        "SELECT id, last_event_id, model_version, outcome_action, outcome_target, outcome_rank, dispatched "
        "FROM prediction_history ORDER BY id"
    )
    course.dispatches = stack.sql("SELECT prediction_id, handler, status FROM dispatches")
    course.why = json.loads(stack.ok("why", str(newest), "--json"))
    course.parts = [part["name"] for part in stack.status()["parts"]]
    course.own_broker_served = broker.serves(stack.home)
    course.exit_of_down = stack.memo("down").returncode
    course.leftovers = stack.leftovers()
    log = (stack.home.logs / "dispatcher.log").read_text(encoding="utf-8")
    course.logged = [json.loads(line) for line in log.splitlines()]
    course.keys_after = keys_of_others()
    return course


def acted(stack: Stack, prediction: int) -> bool:
    return bool(stack.one(f"SELECT count(*) FROM dispatches WHERE prediction_id = {prediction} AND status = 'done'"))


def look_at_connections(stack: Stack, course: Course) -> None:
    """TCP connections, of the parts and of whoever listens to them."""
    everyone = stack.processes()
    assert len(everyone) >= 4, everyone  # the supervisor and its parts
    for process in everyone:
        with suppress(psutil.NoSuchProcess):  # one that ends by itself
            try:
                course.tcp += [f"{process.name()} {link.raddr}" for link in process.net_connections("inet")]
            except psutil.AccessDenied:  # so is one that is just ending, to any user but root
                process.wait(WAIT_S)


def keys_of_others() -> set[Any]:
    """MEMO's keys in the database that a client finds on this machine unless told otherwise."""
    try:
        with Redis.from_url(REDIS_URL) as client:
            return set(client.scan_iter("*memo*"))
    except OSError:
        return set()


def of(variant: str) -> Callable[[Any], Any]:
    return pytest.mark.parametrize("course", [variant], indirect=True)


def test_the_lines_are_in_both_languages(stream: list[str]) -> None:
    assert {language_of(line) for line in stream} == {"zh", "en"}


def test_every_line_becomes_one_event_in_its_order(course: Course) -> None:
    happened = [parse(line, UTC) for line in course.lines]
    assert [row[2:] for row in course.events] == [(event.operation, event.target) for event in happened]
    assert {row[1] for row in course.events} == {SCOPE}


def test_the_last_window_is_predicted(course: Course) -> None:
    assert course.history[-1][1] == course.events[-1][0]
    assert {row[2] for row in course.history} == {"builtin"}


def test_an_event_is_predicted_once(course: Course) -> None:
    predicted = [row[1] for row in course.history]
    assert len(predicted) == len(set(predicted)) >= SINGLE


def test_all_outcomes_but_the_last_are_settled(course: Course) -> None:
    *settled, last = course.history
    assert all(row[3] is not None and row[4] is not None for row in settled)
    assert last[3:6] == (None, None, None)


def test_the_outcome_is_what_came_next(course: Course) -> None:
    place = {row[0]: n for n, row in enumerate(course.events)}
    context = {"session_start", "time_context"}
    for row in course.history[:-1]:
        after = course.events[place[row[1]] + 1 :]
        assert row[3:5] == next(event[2:] for event in after if event[2] not in context)


def test_a_burst_costs_few_predictions(course: Course) -> None:
    assert 1 <= course.predictions_of_burst < (len(course.lines) - SINGLE) / 10


def test_each_prediction_is_a_message_by_the_schema(course: Course) -> None:
    validator_for(SCHEMA).check_schema(SCHEMA)
    validator = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for message in course.messages:
        validator.validate(message)
    assert [message["id"] for message in course.messages] == [row[0] for row in course.history]


def test_the_messages_tell_of_the_outcomes(course: Course) -> None:
    told = {one["id"]: one["rank"] for message in course.messages for one in message["settled"]}
    assert told == {row[0]: row[5] for row in course.history[:-1]}


def test_the_dispatcher_acts_once_by_each_handler(course: Course) -> None:
    on = ("log", "record")
    assert {row[1:] for row in course.dispatches if row[1] in on} == {(name, "done") for name in on}
    assert {row[2] for row in course.dispatches if row[1] not in on} <= {"dry", "stopped"}
    assert len(course.dispatches) == len({row[:2] for row in course.dispatches})
    assert course.history[-1][6] == 2


def test_down_leaves_nothing(course: Course) -> None:
    assert course.exit_of_down == 0
    assert course.leftovers == []


@of("embedded")
def test_embedded_no_part_has_a_tcp_connection(course: Course) -> None:
    assert course.tcp == []
    assert course.own_broker_served and "broker" in course.parts


@of("embedded")
def test_embedded_nothing_is_written_to_another_server(course: Course) -> None:
    assert course.keys_after == course.keys_before


@pytest.mark.parametrize("course", ["postgres+redis", "postgres+rabbitmq"], indirect=True)
def test_by_url_no_broker_is_started(course: Course) -> None:
    assert not course.own_broker_served and "broker" not in course.parts
    assert course.tcp


def test_a_prediction_can_be_explained(course: Course) -> None:
    message = next(message for message in course.messages if message["id"] == course.why["id"])
    said = [candidate["action"] for candidate in message["candidates"]]
    assert [candidate["action"] for candidate in course.why["candidates"]] == said[:3]
    assert course.why["past"]["context"][-1]["target"] == "Firefox"
    assert course.why["without_language_model"]


def test_the_log_handler_has_logged(course: Course) -> None:
    logged = {line["prediction"] for line in course.logged if line["event"] == "predicted"}
    assert logged == {prediction for prediction, handler, status in course.dispatches if handler == "log"}
