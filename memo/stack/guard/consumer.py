"""Put the check between the broker and Celery: a consumer for tasks, and a transport for what Redis holds."""

import base64
import re
from typing import Any

from celery import Celery
from celery.worker.consumer import Consumer
from kombu import compression
from kombu.transport import TRANSPORT_ALIASES, redis
from kombu.utils.json import loads

from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.stack.guard import refusals
from memo.stack.guard.check import RefusedError, check
from memo.stack.guard.properties import tolerate_any_properties

WORD = re.compile(r"[!-~]{1,255}")  # that names a queue or a message; the default exchange has no name
WAIT_S = 20  # of one request for a message
MAX_ELEMENT = 50_000  # bytes; ours have fewer than 2,000

log = get_logger(__name__)


def install(app: Celery) -> None:
    """Let a worker of this app receive nothing that is unchecked."""
    app.conf.worker_consumer = CheckedConsumer
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "memo.stack.guard.consumer:CheckedTransport"))
    tolerate_any_properties()
    for kind in compression.encoders():  # ours are not compressed, and a small one could fill the memory
        compression.register(None, _refuse_compressed, kind)


def _refuse_compressed(_body: bytes) -> bytes:
    raise RefusedError("is compressed")


class CheckedConsumer(Consumer):  # type: ignore[misc]
    """Refuses a message that is not one of ours; lets none be delivered more than twice."""

    def create_task_handler(self, *given: Any, **named: Any) -> Any:
        """Return the function that receives messages."""
        handle = super().create_task_handler(*given, **named)

        def receive(message: Any) -> None:
            try:
                headers, body = check(message.headers, message.body, self.app.tasks)
            except RefusedError as error:
                return self._refuse(message, error)
            is_last = bool(message.delivery_info.get("redelivered"))
            message.headers, message.body, message.properties = headers, body, {"correlation_id": headers["id"]}
            message.content_type, message.content_encoding = "application/json", "utf-8"
            if is_last:
                self._acknowledge(message)
            handle(message)

        return receive

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Refuse a message that the client library could not read."""
        self._refuse(message, exc if isinstance(exc, RefusedError) else RefusedError("can't be decoded"))

    def _refuse(self, message: Any, error: RefusedError) -> None:
        refusals.record(Home.find(), str(error))
        message.ack_log_error(log, self.connection_errors)

    def _acknowledge(self, message: Any) -> None:
        """Acknowledge a message that was delivered before already before the work: it may be what ended the worker.

        Nothing is lost with it, as requests for what is in the store are repeated.
        """
        message.ack_log_error(log, self.connection_errors)
        message.ack_log_error = message.reject_log_error = lambda *_, **__: None


class CheckedQoS(redis.QoS):  # type: ignore[misc]
    """The messages in work, which Redis keeps in a hash."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put a message back into its queue; drop one that can't be read."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError):
            refusals.record(Home.find(), "is no message of a queue")
            self._remove_from_indices(tag).execute()


class CheckedChannel(redis.Channel):  # type: ignore[misc]
    """A channel that passes over elements of a queue that are no messages."""

    QoS = CheckedQoS

    def _create_client(self, asynchronous: bool = False) -> Any:
        client = super()._create_client(asynchronous)
        client.set_response_callback("BRPOP", _checked)
        return client


class CheckedTransport(redis.Transport):  # type: ignore[misc]
    """The transport of Redis with that channel; it waits for messages without looking at the clock each second."""

    Channel = CheckedChannel
    brpop_timeout = WAIT_S

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Add what the transport does to the loop, but for the refreshing of bindings, as ours never expire."""
        super().register_with_event_loop(connection, loop)
        self.cycle._binding_expiry_tref.cancel()


def _checked(reply: Any, **_: object) -> tuple[bytes, bytes] | None:
    """Return a queue and its element; None without an element, or for one that kombu could not read."""
    if not reply:
        return None
    if is_message(reply[1]):
        return reply[0], reply[1]
    refusals.record(Home.find(), "is no message of a queue")
    return None


def is_message(element: bytes) -> bool:
    """Return whether an element of a queue in Redis is a message in the form of kombu."""
    if len(element) > MAX_ELEMENT:
        return False
    try:
        found = loads(element.decode())
        properties, info = found["properties"], found["properties"]["delivery_info"]
        base64.b64decode(found["body"], validate=True)
        words = (properties["delivery_tag"], info["exchange"] or "-", info["routing_key"])
        return (
            properties["body_encoding"] == "base64"
            and isinstance(found["headers"], dict)
            and isinstance(properties.get("priority", 0), int | None)
            and all(isinstance(found.get(kind), str | None) for kind in ("content-type", "content-encoding"))
            and all(WORD.fullmatch(word) for word in words)
        )
    except Exception:  # kombu's readers of values raise whatever they like
        return False
