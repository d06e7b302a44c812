"""The Redis stream, for readers of their own."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from memo.messaging.feed import translate_errors
from memo.messaging.message import STREAM, redis_client

if TYPE_CHECKING:
    from redis import Redis

BATCH = 100
"""Messages fetched at once."""

EntryId = tuple[int, int]
"""Id of an entry of the stream: milliseconds of the broker's clock, and a number."""


class StreamFeed:
    """Each reader of its own: XREAD."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Redis | None = None
        self._position: Any = None
        self._told: EntryId | None = None

    def open(self) -> None:
        """Connect; at the first time, stand behind the newest message."""
        with translate_errors():
            client = self._connect()
            if self._position is None:
                self._position = end_of(client)

    def _connect(self) -> "Redis":
        self.close()
        self._client = redis_client(self._url)
        return self._client

    @property
    def _connected(self) -> "Redis":
        assert self._client is not None, "open first"
        return self._client

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """The next messages of the stream."""
        with translate_errors():
            reply = self._connected.xread({STREAM: self._position}, count=BATCH, block=milliseconds(wait_s))
        entries = entries_of(reply)
        if entries:
            self._position = entries[-1][0]
        return entries

    def done(self, token: Any) -> None:
        """Nothing is kept of a plain reader."""

    def missed(self) -> datetime | None:
        """The stream keeps a bounded number of messages."""
        with translate_errors():
            return self._since(entry_id(self._position))

    def _since(self, read: EntryId) -> datetime | None:
        """When an entry was added, where the stream no longer has what followed it."""
        if read == self._told or read == (0, 0) or not _begins_after(self._connected, read):
            return None
        self._told = read
        return datetime.fromtimestamp(read[0] / 1e3, UTC)

    def close(self) -> None:
        """Give the connection back."""
        if self._client is not None:
            self._client.close()
            self._client = None


def end_of(client: "Redis") -> Any:
    """Where what is published from now on begins; the time where nothing was published lately."""
    seconds, micros = client.time()  # before the look: what comes between is behind it
    newest: Any = client.xrevrange(STREAM, count=1)
    return newest[0][0] if newest else f"{seconds * 1_000 + micros // 1_000 - 1}-0"


def _begins_after(client: "Redis", read: EntryId) -> bool:
    """Whether the stream no longer has what follows an entry."""
    first: Any = client.xrange(STREAM, count=1)
    if first:
        return entry_id(first[0][0]) > read
    return bool(client.exists(STREAM)) and entry_id(client.xinfo_stream(STREAM)["last-generated-id"]) > read


def entry_id(text: Any) -> EntryId:
    """An id as it can be compared."""
    clock, _, number = os.fsdecode(text).partition("-")
    return int(clock), int(number or 0)


def milliseconds(wait_s: float) -> int:
    """A wait as the broker takes it."""
    return max(1, int(wait_s * 1e3))  # 0 would wait for ever


def entries_of(reply: Any) -> list[tuple[Any, str | bytes]]:
    """The entries of the one stream asked for; one that was trimmed while it was pending has no fields."""
    return [(number, next(iter((fields or {}).values()), b"")) for _, found in reply for number, fields in found]
