"""Where messages come from: the Redis stream, or a queue on the AMQP exchange. `memo.client` is the door."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from memo.errors import MemoError
from memo.queue import is_redis

SHARE = 10
"""Messages fetched at once by a reader that shares them with others."""


class Away(MemoError):
    """The broker does not answer; it may come back."""


@contextmanager
def away() -> Iterator[None]:
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

    def missed(self) -> datetime | None:
        """Since when the broker may have dropped what was not read; None where it has not. Told once. Raises Away."""

    def close(self) -> None:
        """Give the connection back."""


def make_feed(url: str, group: str | None) -> Feed:
    """The feed of a broker URL; nothing is connected yet."""
    from memo.group_feed import GroupFeed
    from memo.stream_feed import StreamFeed
    from memo.topic_feed import TopicFeed

    if not is_redis(url):
        return TopicFeed(url, group)
    return GroupFeed(url, group) if group else StreamFeed(url)
