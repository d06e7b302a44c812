"""Print predictions from RabbitMQ without MEMO: python subscriber_amqp.py GROUP amqp://USER:PASSWORD@HOST// NAMES.

`memo status` shows NAMES, with which all names on the broker begin. The program needs only kombu. The queue is durable:
messages wait in it for a reader, and unacknowledged ones come again.
"""

import json
import sys
from typing import Any

from kombu import Connection, Exchange, Queue
from kombu.mixins import ConsumerMixin


class Subscriber(ConsumerMixin):
    """Reads one group's queue, and reconnects when the broker has gone away."""

    def __init__(self, connection: Any, group: str, names: str) -> None:
        self.connection = connection
        exchange = Exchange(f"{names}.predictions.v2", type="topic", durable=True)
        self.queue = Queue(f"{names}.predictions.{group}", exchange, routing_key="#", durable=True)

    def get_consumers(self, consumer: Any, channel: Any) -> list[Any]:
        """Return one consumer that holds at most 10 messages."""
        return [consumer([self.queue], on_message=self.work, accept=["json"], prefetch_count=10)]

    def work(self, message: Any) -> None:
        """Print a message, then acknowledge it. It may come twice: its id is its key."""
        prediction = json.loads(message.body)
        best = prediction["candidates"][:1]
        line = json.dumps({"id": prediction["id"], "next": [candidate["text"] for candidate in best]})
        sys.stdout.write(line + "\n")  # in one write, also if Python does not buffer
        sys.stdout.flush()
        message.ack()


if __name__ == "__main__":
    with Connection(sys.argv[2]) as connection:
        Subscriber(connection, sys.argv[1], sys.argv[3]).run()
