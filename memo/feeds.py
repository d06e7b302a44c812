"""Where messages come from: the Redis stream, or a queue on the AMQP exchange. `memo.client` is the door."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

import psutil

from memo.errors import MemoError
from memo.messages import EXCHANGE, STREAM, amqp_connection, redis_client, topic_exchange
from memo.queue import is_redis

if TYPE_CHECKING:
    from kombu import Connection, Consumer, Message
    from redis import Redis

BATCH = 100
"""Messages fetched at once."""
SHARE = 10
"""The same, of a reader that shares them with others."""


class Away(MemoError):
    """The broker does not answer; it may come back."""


@contextmanager
def _away() -> Iterator[None]:
    """What a client library raises, as one kind of error."""
    try:
        yield
    except MemoError:
        raise
    except Exception as error:
        raise Away(
            f"The broker sends no predictions ({type(error).__name__}: {error}); is MEMO up? See `memo status`."
        ) from error


class Feed(Protocol):
    """A place in the flow of messages; after Away it can be opened again."""

    def open(self) -> None:
        """Connect. What is published from now on will be read. Raises Away."""

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """What came, each with what `done` takes; waits at most so long. Raises Away."""

    def done(self, token: Any) -> None:
        """The consumer has finished with it. Raises Away."""

    def close(self) -> None:
        """Give the connection back."""


def make_feed(url: str, group: str | None) -> Feed:
    """The feed of a broker URL; nothing is connected yet."""
    if not is_redis(url):
        return TopicFeed(url, group)
    return GroupFeed(url, group) if group else StreamFeed(url)


class StreamFeed:
    """Each reader of its own: XREAD."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Redis | None = None
        self._position: Any = None

    def open(self) -> None:
        """Connect; at the first time, stand behind the newest message."""
        with _away():
            client = self._connect()
            if self._position is None:
                newest: Any = client.xrevrange(STREAM, count=1)
                self._position = newest[0][0] if newest else "0-0"

    def _connect(self) -> "Redis":
        self.close()
        self._client = redis_client(self._url)
        return self._client

    @property
    def _connected(self) -> "Redis":
        assert self._client is not None, "open first"
        return self._client

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """The next messages of the stream."""
        with _away():
            reply = self._connected.xread({STREAM: self._position}, count=BATCH, block=_milliseconds(wait_s))
        entries = _entries(reply)
        if entries:
            self._position = entries[-1][0]
        return entries

    def done(self, token: Any) -> None:
        """Nothing is kept of a plain reader."""

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.close()
            self._client = None


class GroupFeed(StreamFeed):
    """Readers that share the messages: XREADGROUP. What a dead reader of this machine held is read again."""

    def __init__(self, url: str, group: str) -> None:
        super().__init__(url)
        self._group = group
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def open(self) -> None:
        """Make the group where it is new, and take over what is pending."""
        from redis.exceptions import ResponseError

        with _away():
            client = self._connect()
            try:
                client.xgroup_create(STREAM, self._group, id="$", mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
            self._take_over(client)
            self._position = "0"

    def _take_over(self, client: "Redis") -> None:
        for consumer in client.xinfo_consumers(STREAM, self._group):
            name = os.fsdecode(consumer["name"])
            host, _, pid = name.rpartition(":")
            if host != socket.gethostname() or not pid.isdecimal() or psutil.pid_exists(int(pid)):
                continue
            while held := client.xpending_range(STREAM, self._group, "-", "+", BATCH, consumername=name):
                ids: list[Any] = [entry["message_id"] for entry in held]
                client.xclaim(STREAM, self._group, self._name, min_idle_time=0, message_ids=ids, justid=True)
            client.xgroup_delconsumer(STREAM, self._group, name)

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """First what was pending, then what is new."""
        with _away():
            reply = self._connected.xreadgroup(
                self._group, self._name, {STREAM: self._position}, count=SHARE, block=_milliseconds(wait_s)
            )
        entries = _entries(reply)
        if self._position != ">":
            self._position = entries[-1][0] if entries else ">"
        return entries

    def done(self, token: Any) -> None:
        """Acknowledge it."""
        with _away():
            self._connected.xack(STREAM, self._group, token)


def _milliseconds(wait_s: float) -> int:
    return max(1, int(wait_s * 1e3))  # 0 would wait for ever


def _entries(reply: Any) -> list[tuple[Any, str | bytes]]:
    """The entries of the one stream asked for; one that was trimmed while it was pending has no fields."""
    return [(number, next(iter((fields or {}).values()), b"")) for _, found in reply for number, fields in found]


class TopicFeed:
    """A queue bound to all scopes: durable and shared where it has a group, else gone with its reader."""

    def __init__(self, url: str, group: str | None) -> None:
        self._url, self._group = url, group
        self._connection: Connection | None = None
        self._consumer: Consumer | None = None
        self._came: list[tuple[Any, str | bytes]] = []

    def open(self) -> None:
        """Connect, declare the queue and begin to receive."""
        from kombu import Queue

        self.close()
        shared = self._group is not None
        queue = Queue(
            f"{EXCHANGE}.{self._group}" if shared else "",
            topic_exchange(),
            routing_key="#",
            durable=shared,
            exclusive=not shared,
            auto_delete=not shared,
        )
        with _away():
            self._connection = amqp_connection(self._url)
            self._consumer = self._connection.Consumer(
                [queue], on_message=self._take, no_ack=not shared, prefetch_count=SHARE, accept=["json"]
            )
            self._consumer.consume()

    def _take(self, message: "Message") -> None:
        self._came.append((message, message.body))

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """What the broker has sent."""
        assert self._connection is not None, "open first"
        with _away(), suppress(TimeoutError):
            self._connection.drain_events(timeout=wait_s)
        came, self._came = self._came, []
        return came

    def done(self, token: Any) -> None:
        """Acknowledge it."""
        if self._group is not None:
            with _away():
                token.ack()

    def close(self) -> None:
        """Give the connection back; the broker sends again what was not acknowledged."""
        if self._connection is not None:
            self._connection.release()
        self._connection, self._came = None, []
