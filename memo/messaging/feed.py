"""A feed of prediction messages: the interface that the Redis stream and the AMQP queue have in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

from memo.core.errors import MemoError

SHARED_BATCH = 10  # messages fetched at once by a reader that shares them with others


class BrokerUnavailable(MemoError):
    """The broker does not answer; it may come back."""


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise the errors of any client library as BrokerUnavailable."""
    try:
        yield
    except MemoError:
        raise
    except Exception as error:
        raise BrokerUnavailable(
            f"The broker sends no predictions ({type(error).__name__}: {error}); is MEMO up? See `memo status`."
        ) from error


class Feed(Protocol):
    """A position in the flow of messages. Every method but `close` may raise BrokerUnavailable; then open it again."""

    is_shared: bool
    """Whether several readers share the messages."""

    def open(self) -> None:
        """Connect; messages published from now on will be read."""

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """Return new messages, each with the token for `done`; wait at most `wait_s` seconds for them."""

    def done(self, token: Any) -> None:
        """Acknowledge a message."""

    def missed(self) -> datetime | None:
        """Return since when the broker may have dropped unread messages, once, else None."""

    def close(self) -> None:
        """Close the connection."""
