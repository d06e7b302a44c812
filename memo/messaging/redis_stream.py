"""Read predictions from the Redis stream, each reader all of them (XREAD)."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from memo.messaging.feed import translate_errors
from memo.messaging.publisher import FIELD, FIELD_V1
from memo.stack.broker import connect
from memo.stack.task_queue import stream_key

if TYPE_CHECKING:
    from redis import Redis

BATCH = 100  # entries fetched at once

EntryId = tuple[int, int]
"""Id of an entry: milliseconds of the broker's clock, and a number."""


class StreamFeed:
    """A reader with a position of its own in the stream."""

    is_shared = False

    def __init__(self, url: str, prefix: str) -> None:
        self._stream = stream_key(prefix)
        with translate_errors():
            self._client = connect(url)
        self._position: Any = None
        self._reported: EntryId | None = None  # a gap after this entry has been reported

    def open(self) -> None:
        """Connect again; the first time, start after the newest message."""
        with translate_errors():
            self._client.close()
            self._position = self._position or end_of(self._client, self._stream)

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """Return the next messages of the stream."""
        with translate_errors():
            reply = self._client.xread({self._stream: self._position}, count=BATCH, block=milliseconds(wait_s))
        entries = entries_of(reply)
        if entries:
            self._position = entries[-1][0]
        return entries

    def done(self, token: Any) -> None:
        """Do nothing: the broker keeps no state of a plain reader."""

    def missed(self) -> datetime | None:
        """Return when the last entry read was added if the stream has dropped entries after it."""
        with translate_errors():
            return self._gap_after(entry_id(self._position))

    def _gap_after(self, read: EntryId) -> datetime | None:
        """Return when an entry was added if the stream has dropped entries after it; report each gap once."""
        if read == self._reported or read == (0, 0) or not _begins_after(self._client, self._stream, read):
            return None
        self._reported = read
        return datetime.fromtimestamp(read[0] / 1e3, UTC)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def end_of(client: "Redis", stream: str) -> Any:
    """Return an id that comes before everything published from now on: the newest one, or that of the present time."""
    seconds, micros = client.time()  # before the stream is read: an entry added in between comes after it
    newest: Any = client.xrevrange(stream, count=1)
    return newest[0][0] if newest else f"{seconds * 1_000 + micros // 1_000 - 1}-0"


def _begins_after(client: "Redis", stream: str, read: EntryId) -> bool:
    """Return whether the stream has dropped the entries after this one."""
    first: Any = client.xrange(stream, count=1)
    if first:
        return entry_id(first[0][0]) > read
    return bool(client.exists(stream)) and entry_id(client.xinfo_stream(stream)["last-generated-id"]) > read


def entry_id(text: Any) -> EntryId:
    """Return an id in a form that can be compared."""
    clock, _, number = os.fsdecode(text).partition("-")
    return int(clock), int(number or 0)


def milliseconds(seconds: float) -> int:
    """Return a wait in the unit of the broker."""
    return max(1, int(seconds * 1e3))  # 0 would wait for ever


def entries_of(reply: Any) -> list[tuple[Any, str | bytes]]:
    """Return the entries of a single stream; one trimmed while it was pending has no fields."""
    return [(number, _body(fields or {})) for _, found in reply for number, fields in found]


def _body(fields: dict[bytes, bytes]) -> bytes:
    """Return the message of an entry; an earlier version of MEMO wrote its first form only."""
    return fields.get(FIELD.encode(), fields.get(FIELD_V1.encode(), b""))
