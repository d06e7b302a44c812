"""A queue on the AMQP exchange."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from memo.messaging.feed import SHARE, translate_errors
from memo.messaging.message import EXCHANGE, amqp_connection, topic_exchange

if TYPE_CHECKING:
    from kombu import Connection, Consumer, Message


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
        with translate_errors():
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
        with translate_errors(), suppress(TimeoutError):
            self._connection.drain_events(timeout=wait_s)
        came, self._came = self._came, []
        return came

    def missed(self) -> None:
        """A queue drops nothing."""

    def done(self, token: Any) -> None:
        """Acknowledge it."""
        if self._group is not None:
            with translate_errors():
                token.ack()

    def close(self) -> None:
        """Give the connection back; the broker sends again what was not acknowledged."""
        if self._connection is not None:
            self._connection.release()
        self._connection, self._came = None, []
