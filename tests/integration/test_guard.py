"""What a message of the queue must be, and how often one is delivered."""

import json
from base64 import b64decode
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker.consumer import Consumer
from redis import Redis, RedisError

from memo.core.paths import Home
from memo.stack.broker import connect
from memo.stack.guard import refusals
from memo.stack.guard.check import ARGUMENTS, MAX_BODY, RefusedError, check
from memo.stack.guard.consumer import CheckedConsumer, is_message
from memo.stack.guard.keys import delete_foreign
from memo.stack.task_queue import ACT, DISPATCH, LOOK, PREDICT, PREFIX, ROUTES, lengths, make_app, stream_key

NUMBER = "0b5e6a2e-0d6c-4a70-8d0e-1f4f0c7c4d11"
TASKS = {LOOK: None, ACT: None}


def body(*arguments: object, **named: object) -> bytes:
    return json.dumps([arguments, named, {}]).encode()


def headers(task: object = LOOK, **given: object) -> dict[str, Any]:
    return {"task": task, "id": NUMBER} | given


def test_check_passes_on_only_what_was_checked() -> None:
    forged = headers(timelimit="soon", eta="never", retries="x", chain=[{"task": "other"}], stamps=3, shadow={})
    kept, arguments = check(forged, body("ada@host"), TASKS)
    assert (kept["timelimit"], kept["eta"], kept["retries"]) == ([None, None], None, 0)
    assert not kept.keys() & {"chain", "stamps", "shadow"}
    assert json.loads(arguments)[0] == ["ada@host"]


def test_check_keeps_when_a_message_expires() -> None:
    kept, _ = check(headers(expires="2026-03-02T09:15:04+01:00"), body("ada@host"), TASKS)
    assert kept["expires"] == "2026-03-02T08:15:04+00:00"


@pytest.mark.parametrize(
    ("given", "content"),
    [
        (None, body("ada@host")),
        (headers(task="celery.backend_cleanup"), body()),
        (headers(task=["memo.look"]), body("ada@host")),
        (headers(id="x y"), body("ada@host")),
        (headers(id=7), body("ada@host")),
        (headers(), b"no JSON"),
        (headers(), b"[" * 9_000),
        (headers(), body("x" * MAX_BODY)),
        (headers(), body("../../etc")),
        (headers(), body("\ud800")),
        (headers(), body(7)),
        (headers(), body("ada@host", "more")),
        (headers(), body("ada@host", scope="b")),
        (headers(), b'{"args": ["ada@host"]}'),
        (headers(ACT), body(0)),
        (headers(ACT), body(True)),
        (headers(ACT), body(2**63)),
        (headers(expires="soon"), body("ada@host")),
        (headers(expires=5), body("ada@host")),
        (headers(expires="0001-01-01T00:00:00+14:00"), body("ada@host")),
    ],
)
def test_check_refuses_what_is_not_ours(given: Any, content: bytes) -> None:
    with pytest.raises(RefusedError):
        check(given, content, TASKS)


class Bare(CheckedConsumer):
    """A consumer without its connection."""

    def __init__(self) -> None:
        self.app, self.connection_errors = SimpleNamespace(tasks=TASKS), ()


class Given(SimpleNamespace):
    """A message."""

    def ack_log_error(self, *_: object) -> None:
        self.acknowledged = True


@pytest.mark.parametrize(("redelivered", "expected"), [(False, False), (True, True)])
def test_second_delivery_is_acknowledged_before_work(
    monkeypatch: pytest.MonkeyPatch, redelivered: bool, expected: bool
) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(Consumer, "create_task_handler", lambda _: lambda message: seen.append(message.acknowledged))
    message = Given(headers=headers(), body=body("a@b"), delivery_info={"redelivered": redelivered}, acknowledged=False)
    Bare().create_task_handler()(message)
    assert seen == [expected]


def test_refused_message_is_acknowledged_and_counted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Consumer, "create_task_handler", lambda _: pytest.fail)
    message = Given(headers={}, body=b"private words", delivery_info={}, acknowledged=False)
    Bare().create_task_handler()(message)
    assert message.acknowledged and refusals.count(home) == 1
    assert "private" not in refusals.file(home).read_text()


@pytest.mark.parametrize(("task", "arguments"), [(LOOK, ["ada@host"]), (ACT, [7])])
def test_our_own_messages_pass(redis_url: str, task: str, arguments: list[object]) -> None:
    app = make_app(redis_url)
    app.send_task(task, arguments, expires=5)
    app.close()
    with Redis.from_url(redis_url) as client:
        element: Any = client.rpop(f"memo:{ROUTES[task]}")
    assert is_message(element)
    message = json.loads(element)
    kept, _ = check(message["headers"], b64decode(message["body"]), ARGUMENTS)
    assert kept["task"] == task and kept["expires"]


def test_keys_of_another_type_than_ours_are_deleted(redis_url: str, home: Home) -> None:
    with connect(redis_url) as client, make_app(redis_url).connection_for_write() as connection:
        make_app(redis_url).send_task(ACT, [1], connection=connection)
        ours = {key: client.type(key) for key in client.scan_iter(f"{PREFIX}:*")}
        client.set(f"{PREFIX}:{PREDICT}", "text")
        client.hset(stream_key(), "field", "value")
        client.rpush(f"{PREFIX}:unacked", "element")
        with pytest.raises(RedisError):  # not an empty queue
            lengths(redis_url)
        delete_foreign(home, redis_url, PREFIX)
        left = {key: client.type(key) for key in client.scan_iter(f"{PREFIX}:*")}
    assert left == ours and len(ours) >= 2, "the queue and its binding stay"
    assert refusals.count(home) == 3
    assert lengths(redis_url) == {PREDICT: 0, DISPATCH: 1}
