"""The queue is input: whatever somebody writes into it, the process that reads it goes on and takes the next task."""

import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from datetime import datetime
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from amqp import Message as AmqpMessage
from conftest import fresh_amqp, fresh_redis, remove_names
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kombu import Connection
from redis import Redis
from waiting import WAIT_S, until

from db.migrate import upgrade
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack.broker import broker_url, connect, key_prefix, serves
from memo.stack.guard import refusals
from memo.stack.task_queue import ACT, DISPATCH, is_redis, lengths, make_app

BRIEF = settings(
    max_examples=15,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


def task(**headers: Any) -> dict[str, Any]:
    """A request to act on a prediction that is not there, in the form of kombu, some headers replaced."""
    number = str(uuid4())
    body = base64.b64encode(json.dumps([[1], {}, {}]).encode()).decode()
    info = {"exchange": "memo", "routing_key": DISPATCH}
    return {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": ACT, "id": number, "retries": 0, "timelimit": [None, None]} | headers,
        "properties": {"correlation_id": number, "delivery_tag": number, "body_encoding": "base64", "priority": 0}
        | {"delivery_info": info},
    }


@st.composite
def forged(draw: st.DrawFn) -> bytes:
    """A request of which one value, anywhere in it, is replaced or removed."""
    message = deepcopy(task())
    place: Any = message
    while True:
        key = draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or draw(st.booleans()):
            break
        place = place[key]
    if draw(st.booleans()):
        place[key] = draw(values)
    else:
        del place[key]
    return json.dumps(message).encode()


@pytest.fixture(scope="module", params=["embedded", "redis", "amqp"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The three brokers, each with a home of its own, which its tests share."""
    with ExitStack() as opened:
        patch = opened.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("MEMO_HOME", opened.enter_context(TemporaryDirectory(prefix="memo", dir="/tmp")))
        if request.param == "embedded":
            home = Home.find()
            opened.enter_context(running(home, "memo.stack.broker"))
            until("the broker serves", lambda: serves(home))
            yield broker_url(home, Settings.load())
        else:
            chosen = opened.enter_context({"redis": fresh_redis, "amqp": fresh_amqp}[request.param]())
            patch.setenv("MEMO_BROKER_URL", chosen)
            yield chosen


@pytest.fixture(scope="module")
def home(url: str) -> Home:
    """The home of the broker."""
    return Home.find()


@contextmanager
def running(home: Home, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    with (home.logs / "test.out").open("ab") as output:
        process = subprocess.Popen([sys.executable, "-m", *words], stdout=output, stderr=output, env=os.environ)
    yield process
    process.terminate()
    try:
        process.wait(10)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def reads(home: Home, url: str) -> Iterator[Callable[[], None]]:
    """A dispatcher that reads the queue; call it to see that it is the same one, and has read everything."""
    upgrade(Settings.load(), home)
    store = sqlite3.connect(home.root / "memo.db", timeout=WAIT_S, isolation_level=None)
    ready = home.run / "dispatcher.ready"
    with running(home, "memo.stack.celery_main", "dispatcher") as process:
        until("the dispatcher is ready", ready.exists)
        until("it has declared its queue", lambda: is_declared(url))

        def has_read() -> None:
            until("the queue is empty", lambda: lengths(url, prefix())[DISPATCH] == 0)
            refused = refusals.count(home)
            put(url, json.dumps(task(task="unknown")).encode())
            until("the next message is read", lambda: refusals.count(home) > refused)
            store.execute("DELETE FROM jobs")
            until("the next tick", lambda: store.execute("SELECT count(*) FROM jobs").fetchone()[0])
            assert process.poll() is None, (home.logs / "test.out").read_text()[-2000:]

        has_read()
        yield has_read
    store.close()
    if not is_redis(url):
        with Connection(url) as connection:
            remove_names(connection, prefix())


def prefix() -> str:
    return key_prefix(Settings.load())


def is_declared(url: str) -> bool:
    """Return whether the queue of the dispatcher is there; on AMQP nothing takes a message before that."""
    if is_redis(url):
        return True
    with Connection(url) as connection, suppress(*connection.channel_errors):
        connection.default_channel.queue_declare(f"{prefix()}.{DISPATCH}", passive=True)
        return True
    return False


def put(url: str, element: bytes) -> None:
    """Put raw bytes into the queue of the dispatcher; on AMQP, as far as they are a message, its parts."""
    if is_redis(url):
        with client(url) as redis:
            redis.lpush(f"{prefix()}:{DISPATCH}", element)
        return
    try:
        parts = json.loads(element)
        headers, body, kind = parts["headers"], base64.b64decode(parts["body"]), parts["content-type"]
    except Exception:
        headers, body, kind = {}, element, "application/json"
    with Connection(url) as connection:
        message = AmqpMessage(body, application_headers=headers, content_type=kind)
        try:
            connection.default_channel.basic_publish(message, routing_key=f"{prefix()}.{DISPATCH}")
        except Exception:  # the client library can't write it
            return


def client(url: str) -> "Redis":
    return connect(url)


def test_forged_messages_end_no_worker(reads: Callable[[], None], url: str) -> None:
    @BRIEF
    @example([json.dumps(task(timelimit="soon")).encode()])
    @example([json.dumps(task(timelimit=[float("nan"), "x"], eta="never")).encode()])
    @example([json.dumps(task(expires="0001-01-01T00:00:00+14:00")).encode()])
    @example([json.dumps(task(compression="gzip", retries="x", stamps=7)).encode()])
    @example([b"[" * 20_000, b"no JSON", b"", b"\xff", b"null"])
    @given(st.lists(forged() | st.binary(max_size=40) | values.map(lambda value: json.dumps(value).encode())))
    def fuzz(elements: list[bytes]) -> None:
        for element in elements:
            put(url, element)

    fuzz()
    reads()
    assert refusals.count(Home.find()) > 0


@pytest.mark.parametrize("url", ["amqp"], indirect=True, scope="module")
def test_amqp_times_beyond_all_years_end_no_worker(reads: Callable[[], None], url: str) -> None:
    when = datetime(2026, 1, 1)
    with Connection(url) as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr("amqp.serialization.calendar", SimpleNamespace(timegm=lambda _: 2**50))
        for headers in ({"at": when}, {"deep": {"at": [when]}}):
            message = AmqpMessage(b"{}", application_headers=headers, content_type="application/json")
            connection.default_channel.basic_publish(message, routing_key=f"{prefix()}.{DISPATCH}")
    reads()


def test_remote_control_is_not_obeyed(reads: Callable[[], None], url: str) -> None:
    app = make_app(url, prefix())
    for order, arguments in {"shutdown": {}, "pool_shrink": {"n": 1}, "rate_limit": {}}.items():
        app.control.broadcast(order, arguments=arguments)
    app.close()
    reads()
