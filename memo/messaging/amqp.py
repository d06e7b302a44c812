"""Read predictions from a queue on the AMQP exchange."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from memo.messaging.feed import SHARED_BATCH, translate_errors
from memo.messaging.publisher import amqp_connection, exchange_v1, exchange_v2, topic_exchange

if TYPE_CHECKING:
    from kombu import Connection, Consumer, Message


class TopicFeed:
    """A queue of all scopes: durable and shared if it has a group, else deleted with its reader."""

    def __init__(self, url: str, group: str | None, prefix: str) -> None:
        self._url, self._group, self._prefix = url, group, prefix
        self.is_shared = group is not None
        self._connection: Connection | None = None
        self._consumer: Consumer | None = None
        self._received: list[tuple[Any, str | bytes]] = []

    def open(self) -> None:
        """Connect, declare the queue and start to receive."""
        from kombu import Queue

        self.close()
        first = topic_exchange(exchange_v1(self._prefix))
        queue = Queue(
            f"{first.name}.{self._group}" if self.is_shared else "",
            topic_exchange(exchange_v2(self._prefix)),
            routing_key="#",
            durable=self.is_shared,
            exclusive=not self.is_shared,
            auto_delete=not self.is_shared,
        )
        with translate_errors():
            self._connection = amqp_connection(self._url)
            self._consumer = self._connection.Consumer(
                [queue], on_message=self._take, no_ack=not self.is_shared, prefetch_count=SHARED_BATCH, accept=["json"]
            )
            if self.is_shared:  # an earlier version of MEMO may have bound it
                bound = queue.bind(self._connection.default_channel)
                bound.declare()
                first.declare(channel=self._connection.default_channel)
                bound.unbind_from(first, routing_key="#")
            self._consumer.consume()

    def _take(self, message: "Message") -> None:
        self._received.append((message, message.body))

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """Return the messages that the broker has sent."""
        assert self._connection is not None, "open first"
        with translate_errors(), suppress(TimeoutError):
            self._connection.drain_events(timeout=wait_s)
        received, self._received = self._received, []
        return received

    def missed(self) -> None:
        """Return None: a queue drops nothing."""

    def done(self, token: Any) -> None:
        """Acknowledge a message of a shared queue."""
        if self.is_shared:
            with translate_errors():
                token.ack()

    def close(self) -> None:
        """Close the connection; the broker sends unacknowledged messages again."""
        if self._connection is not None:
            self._connection.release()
        self._connection, self._received = None, []
