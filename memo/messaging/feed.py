"""A feed of prediction messages: what the Redis stream and the AMQP queue have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from memo.core.errors import MemoError

SHARE = 10
"""Messages fetched at once by a reader that shares them with others."""


class BrokerUnavailable(MemoError):
    """The broker does not answer; it may come back."""


@contextmanager
def translate_errors() -> Iterator[None]:
    """What a client library raises, as one kind of error."""
    try:
        yield
    except MemoError:
        raise
    except Exception as error:
        raise BrokerUnavailable(
            f"The broker sends no predictions ({type(error).__name__}: {error}); is MEMO up? See `memo status`."
        ) from error


class Feed(Protocol):
    """A place in the flow of messages; after BrokerUnavailable it can be opened again."""

    def open(self) -> None:
        """Connect. What is published from now on will be read. Raises BrokerUnavailable."""

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """What came, each with what `done` takes; waits at most so long. Raises BrokerUnavailable."""

    def done(self, token: Any) -> None:
        """The consumer has finished with it. Raises BrokerUnavailable."""

    def missed(self) -> datetime | None:
        """Return since when the broker may have dropped unread messages, once, else None. Raises BrokerUnavailable."""

    def close(self) -> None:
        """Give the connection back."""
