"""Publish prediction messages on a Redis stream or an AMQP exchange."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from memo.core.errors import MemoError
from memo.messaging.message import in_first_form, routing_key
from memo.stack.broker import connect
from memo.stack.task_queue import PREFIX, is_redis, stream_key
from memo.store.json_text import encode

if TYPE_CHECKING:
    from kombu import Connection, Exchange
    from redis import Redis

FIELD = "v2"  # field of its entries
FIELD_V1 = "json"  # field of the message in its first form
MAX_STREAM = 10_000  # messages kept on the stream, approximately
TIMEOUT_S = 5


def exchange_v1(prefix: str) -> str:
    """Return the name of the AMQP exchange for messages in their first form."""
    return f"{prefix}.predictions"


def exchange_v2(prefix: str) -> str:
    """Return the name of the durable AMQP topic exchange; the routing key is `routing_key(scope)`."""
    return f"{prefix}.predictions.v2"


class PublishError(MemoError):
    """The broker did not accept the messages."""


class Publisher:
    """Sends messages to a broker; connects at the first message, and again after a failure."""

    def __init__(self, url: str, prefix: str = PREFIX) -> None:
        self._broker = _RedisStream(url, prefix) if is_redis(url) else _Topic(url, prefix)

    def publish(self, messages: Sequence[dict[str, Any]]) -> None:
        """Send all messages in order. Raises PublishError within seconds if the broker does not accept them."""
        for is_last in (False, True):  # the connection may have died while it was idle
            try:
                return self._broker.send(messages)
            except Exception as error:  # each client library has many of its own
                self.close()
                if is_last:
                    raise PublishError(
                        f"The broker does not accept predictions ({type(error).__name__}: {error}); see `memo doctor`."
                    ) from error

    def close(self) -> None:
        """Close the connection."""
        self._broker.close()


class _RedisStream:
    def __init__(self, url: str, prefix: str) -> None:
        self._url, self._prefix = url, prefix
        self._client: Redis | None = None

    def send(self, messages: Sequence[dict[str, Any]]) -> None:
        if self._client is None:
            self._client = connect(self._url)
        with self._client.pipeline() as pipeline:  # a reader gets all of them or none
            for message in messages:
                fields: dict[Any, Any] = {FIELD_V1: encode(in_first_form(message)), FIELD: encode(message)}
                pipeline.xadd(stream_key(self._prefix), fields, maxlen=MAX_STREAM, approximate=True)
            pipeline.execute()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class _Topic:
    def __init__(self, url: str, prefix: str) -> None:
        self._url, self._prefix = url, prefix
        self._connection: Connection | None = None

    def send(self, messages: Sequence[dict[str, Any]]) -> None:
        if self._connection is None:
            self._connection = amqp_connection(self._url)
        for name, form in ((exchange_v1(self._prefix), in_first_form), (exchange_v2(self._prefix), dict)):
            self._publish(topic_exchange(name), [form(message) for message in messages])

    def _publish(self, exchange: "Exchange", messages: Sequence[dict[str, Any]]) -> None:
        assert self._connection is not None, "connect first"
        with self._connection.Producer(exchange=exchange, auto_declare=True) as producer:
            for message in messages:
                producer.publish(
                    encode(message),
                    routing_key=routing_key(message["scope"]),
                    content_type="application/json",
                    content_encoding="utf-8",
                    message_id=str(message["id"]),
                    delivery_mode="persistent",
                    timeout=TIMEOUT_S,
                    confirm_timeout=TIMEOUT_S,
                )

    def close(self) -> None:
        if self._connection is not None:
            self._connection.release()
            self._connection = None


def amqp_connection(url: str) -> "Connection":
    """Return a connection to an AMQP broker with a timeout for every wait; it opens at first use."""
    from kombu import Connection

    from memo.stack.guard.properties import tolerate_any_properties

    tolerate_any_properties()
    retries = {"max_retries": 1, "interval_start": 0}
    options = {"confirm_publish": True, "read_timeout": TIMEOUT_S, "write_timeout": TIMEOUT_S}
    return Connection(url, connect_timeout=TIMEOUT_S, transport_options=options | retries)


def topic_exchange(name: str) -> "Exchange":
    """Return an exchange to which predictions are published on an AMQP broker."""
    from kombu import Exchange

    return Exchange(name, type="topic", durable=True)
