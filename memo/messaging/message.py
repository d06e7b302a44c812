"""Predictions as messages, by docs/schemas/prediction.v1.json: on a Redis stream, or on an AMQP topic exchange."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from memo.core.errors import MemoError
from memo.core.events import Event
from memo.core.grammar import Language, write
from memo.core.predictions import action_as_dict
from memo.stack.task_queue import is_redis

if TYPE_CHECKING:
    from kombu import Connection, Exchange
    from redis import Redis

SCHEMA = "prediction.v1"
STREAM = "memo:predictions"
"""Key of the Redis stream; each entry has the one field `FIELD`."""
FIELD = "json"
EXCHANGE = "memo.predictions"
"""Durable topic exchange; the routing key is `routing_key(scope)`."""
MAX_STREAM = 10_000
"""About so many messages are kept on the stream."""
MAX_LIST = 200
"""Entries of each list in a message."""
TIMEOUT_S = 5


class PublishError(MemoError):
    """The broker did not take the messages."""


class Predicted(Protocol):
    """A prediction as it stands in its row."""

    id: int
    scope: str
    made_at: datetime
    model_version: str
    candidates: list[dict[str, Any]]
    upcoming: list[dict[str, Any]]
    new_probability: float
    latency_ms: float


class SettledPrediction(NamedTuple):
    """An earlier prediction that this one's news settles: `event` is what truly came, `rank` its place or None."""

    id: int
    rank: int | None
    event: Event


def prediction_message(
    prediction: Predicted, event: Event, settled: Sequence[SettledPrediction], language: Language
) -> dict[str, Any]:
    """The message of a prediction made after `event`, the newest of its window."""
    return {
        "schema": SCHEMA,
        "id": prediction.id,
        "scope": prediction.scope,
        "made_at": prediction.made_at.isoformat(),
        "model": prediction.model_version,
        "event": _happened(event, language) | {"at": event.at.isoformat()},
        "candidates": prediction.candidates[:MAX_LIST],
        "upcoming": prediction.upcoming[:MAX_LIST],
        "new_probability": round(prediction.new_probability, 6),
        "latency_ms": round(prediction.latency_ms, 3),
        "settled": [{"id": one.id, "rank": one.rank} | _happened(one.event, language) for one in settled[-MAX_LIST:]],
    }


def _happened(event: Event, language: Language) -> dict[str, Any]:
    return {"text": write(event, language), "action": action_as_dict(event.action)}


def encode(message: dict[str, Any]) -> bytes:
    """A message as it travels: UTF-8 JSON."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def routing_key(scope: str) -> str:
    """A scope as one word of a topic: what has a meaning there becomes `_`; at most 255 bytes."""
    return re.sub(r"[.*#\s]", "_", scope).encode("utf-8", "replace")[:255].decode("utf-8", "ignore")


class Publisher:
    """Sends messages to a broker; connects at the first one, and again after a failure."""

    def __init__(self, url: str) -> None:
        self._broker = _RedisStream(url) if is_redis(url) else _Topic(url)

    def publish(self, messages: Sequence[dict[str, Any]]) -> None:
        """Send all, in order. Raises PublishError, within some seconds, where the broker does not take them."""
        try:
            self._broker.send(messages)
        except Exception:  # a connection that died while it was idle tells so only now
            self.close()
            self._send_anew(messages)

    def _send_anew(self, messages: Sequence[dict[str, Any]]) -> None:
        try:
            self._broker.send(messages)
        except Exception as error:  # each client library has many of its own
            self.close()
            raise PublishError(
                f"The broker does not take predictions ({type(error).__name__}: {error}); see `memo doctor`."
            ) from error

    def close(self) -> None:
        """Give the connection back."""
        self._broker.close()


class _RedisStream:
    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Redis | None = None

    def send(self, messages: Sequence[dict[str, Any]]) -> None:
        if self._client is None:
            self._client = redis_client(self._url)
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


def redis_client(url: str) -> "Redis":
    """A client of a Redis broker that fails at once: who calls it comes back by itself."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    from memo.stack.broker import connect

    client = connect(url)
    client.set_retry(Retry(NoBackoff(), 0))
    return client


def amqp_connection(url: str) -> "Connection":
    """A connection to an AMQP broker whose every wait is bounded; it is opened at first use."""
    from kombu import Connection

    retries = {"max_retries": 1, "interval_start": 0}
    options = {"confirm_publish": True, "read_timeout": TIMEOUT_S, "write_timeout": TIMEOUT_S}
    return Connection(url, connect_timeout=TIMEOUT_S, transport_options=options | retries)


def topic_exchange() -> "Exchange":
    """Where predictions are published on an AMQP broker."""
    from kombu import Exchange

    return Exchange(EXCHANGE, type="topic", durable=True)
