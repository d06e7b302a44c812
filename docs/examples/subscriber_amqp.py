"""The same on RabbitMQ without MEMO (pip install kombu): python subscriber_amqp.py GROUP amqp://USER:PASSWORD@HOST//.

The queue is durable: what comes while nobody reads waits in it, and what was not acknowledged comes again.
"""

import json
import sys
from typing import Any

from kombu import Connection, Exchange, Queue
from kombu.mixins import ConsumerMixin


class Subscriber(ConsumerMixin):
    """Reads one group's queue, and connects again where the broker goes away."""

    def __init__(self, connection: Any, group: str) -> None:
        self.connection = connection
        exchange = Exchange("memo.predictions", type="topic", durable=True)
        self.queue = Queue(f"memo.predictions.{group}", exchange, routing_key="#", durable=True)

    def get_consumers(self, consumer: Any, channel: Any) -> list[Any]:
        """One, that holds 10 messages at most."""
        return [consumer([self.queue], on_message=self.work, accept=["json"], prefetch_count=10)]

    def work(self, message: Any) -> None:
        """Print it, and only then say that it is done. It may come twice: its id is its key."""
        prediction = json.loads(message.body)
        best = prediction["candidates"][:1]
        line = json.dumps({"id": prediction["id"], "next": [one["text"] for one in best]})
        sys.stdout.write(line + "\n")  # in one piece, also where Python does not buffer
        sys.stdout.flush()
        message.ack()


if __name__ == "__main__":
    with Connection(sys.argv[2]) as connection:
        Subscriber(connection, sys.argv[1]).run()
