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
        self._url, self._prefix = url, prefix
        self._connection: Any = None

    def publish(self, messages: Sequence[dict[str, Any]]) -> None:
        """Send all messages in order. Raises PublishError within seconds if the broker does not accept them."""
        for is_last in (False, True):  # the connection may have died while it was idle
            try:
                return self._send(messages)
            except Exception as error:  # each client library has many of its own
                self.close()
                if is_last:
                    raise PublishError(
                        f"The broker does not accept predictions ({type(error).__name__}: {error}); see `memo doctor`."
                    ) from error

    def _send(self, messages: Sequence[dict[str, Any]]) -> None:
        if is_redis(self._url):
            self._connection = self._connection or connect(self._url)
            return _add_to_stream(self._connection, stream_key(self._prefix), messages)
        self._connection = self._connection or amqp_connection(self._url)
        for name, form in ((exchange_v1(self._prefix), in_first_form), (exchange_v2(self._prefix), dict)):
            _send_to_exchange(self._connection, topic_exchange(name), [form(message) for message in messages])

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _add_to_stream(client: "Redis", stream: str, messages: Sequence[dict[str, Any]]) -> None:
    with client.pipeline() as pipeline:  # a reader gets all of them or none
        for message in messages:
            fields: dict[Any, Any] = {FIELD_V1: encode(in_first_form(message)), FIELD: encode(message)}
            pipeline.xadd(stream, fields, maxlen=MAX_STREAM, approximate=True)
        pipeline.execute()


def _send_to_exchange(connection: "Connection", exchange: "Exchange", messages: Sequence[dict[str, Any]]) -> None:
    with connection.Producer(exchange=exchange, auto_declare=True) as producer:
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
