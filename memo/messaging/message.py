"""Prediction messages (docs/schemas/prediction.v1.json), and publishing them on a Redis stream or an AMQP exchange."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from memo.core.errors import MemoError
from memo.core.events import Event
from memo.core.grammar import Language, write
from memo.core.predictions import action_as_dict
from memo.stack.broker import connect
from memo.stack.task_queue import is_redis

if TYPE_CHECKING:
    from kombu import Connection, Exchange
    from redis import Redis

SCHEMA = "prediction.v1"
STREAM = "memo:predictions"  # key of the Redis stream
FIELD = "json"  # the only field of its entries
MAX_STREAM = 10_000  # messages kept on the stream, approximately
EXCHANGE = "memo.predictions"  # durable topic exchange; the routing key is `routing_key(scope)`
MAX_LIST = 200  # entries of each list in a message
TIMEOUT_S = 5


class PublishError(MemoError):
    """The broker did not accept the messages."""


class Predicted(Protocol):
    """The fields of a stored prediction that go into its message."""

    id: int
    scope: str
    made_at: datetime
    model_version: str
    candidates: list[dict[str, Any]]
    upcoming: list[dict[str, Any]]
    new_probability: float
    latency_ms: float


class SettledPrediction(NamedTuple):
    """An earlier prediction and its outcome."""

    id: int
    rank: int | None  # of the event among the candidates, from 1; None if it was not among them
    event: Event  # the next event that happened


def prediction_message(
    prediction: Predicted, event: Event, settled: Sequence[SettledPrediction], language: Language
) -> dict[str, Any]:
    """Return the message of a prediction made after `event`, the newest of its window."""
    return {
        "schema": SCHEMA,
        "id": prediction.id,
        "scope": prediction.scope,
        "made_at": prediction.made_at.isoformat(),
        "model": prediction.model_version,
        "event": _event_as_dict(event, language) | {"at": event.at.isoformat()},
        "candidates": prediction.candidates[:MAX_LIST],
        "upcoming": prediction.upcoming[:MAX_LIST],
        "new_probability": round(prediction.new_probability, 6),
        "latency_ms": round(prediction.latency_ms, 3),
        "settled": [
            {"id": earlier.id, "rank": earlier.rank} | _event_as_dict(earlier.event, language)
            for earlier in settled[-MAX_LIST:]
        ],
    }


def _event_as_dict(event: Event, language: Language) -> dict[str, Any]:
    return {"text": write(event, language), "action": action_as_dict(event.action)}


def encode(message: dict[str, Any]) -> bytes:
    """Return a message as UTF-8 JSON."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def routing_key(scope: str) -> str:
    """Return a scope as one word of a topic, at most 255 bytes; characters with a meaning there become `_`."""
    return re.sub(r"[.*#\s]", "_", scope).encode("utf-8", "replace")[:255].decode("utf-8", "ignore")


class Publisher:
    """Sends messages to a broker; connects at the first message, and again after a failure."""

    def __init__(self, url: str) -> None:
        self._broker = _RedisStream(url) if is_redis(url) else _Topic(url)

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
    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Redis | None = None

    def send(self, messages: Sequence[dict[str, Any]]) -> None:
        if self._client is None:
            self._client = connect(self._url)
        with self._client.pipeline(transaction=False) as pipeline:
            for message in messages:
                pipeline.xadd(STREAM, {FIELD: encode(message)}, maxlen=MAX_STREAM, approximate=True)
            pipeline.execute()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class _Topic:
    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None

    def send(self, messages: Sequence[dict[str, Any]]) -> None:
        if self._connection is None:
            self._connection = amqp_connection(self._url)
        exchange = topic_exchange()
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

    retries = {"max_retries": 1, "interval_start": 0}
    options = {"confirm_publish": True, "read_timeout": TIMEOUT_S, "write_timeout": TIMEOUT_S}
    return Connection(url, connect_timeout=TIMEOUT_S, transport_options=options | retries)


def topic_exchange() -> "Exchange":
    """Return the exchange to which predictions are published on an AMQP broker."""
    from kombu import Exchange

    return Exchange(EXCHANGE, type="topic", durable=True)
