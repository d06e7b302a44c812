"""Read predictions from the Redis stream as a consumer group, whose readers share the messages (XREADGROUP)."""

import os
import socket
import time
from contextlib import suppress
from datetime import datetime
from itertools import count
from typing import Any
from uuid import uuid4

import psutil

from memo.messaging.feed import SHARED_BATCH, translate_errors
from memo.messaging.redis_stream import BATCH, EntryId, StreamFeed, end_of, entries_of, entry_id, milliseconds

TAKE_OVER_S = 30.0  # between looks for ended readers
IDLE_S = 600.0  # messages that a reader has held for this long go to another one, on whichever machine it runs
PENDING = "0"  # position before all messages that this reader has not acknowledged
NEW = ">"  # position after everything delivered to the group
RUN = uuid4().hex[:12]  # distinguishes this process from an earlier one with the same pid, as in a container
NUMBERS = count()


class GroupFeed(StreamFeed):
    """A consumer with a name of its own, which takes over the unacknowledged messages of ended readers."""

    is_shared = True

    def __init__(
        self, url: str, group: str, prefix: str, take_over_s: float = TAKE_OVER_S, idle_s: float = IDLE_S
    ) -> None:
        super().__init__(url, prefix)
        self._closed = f"{self._stream}:closed"  # key of a set: consumers that were closed while they held messages
        self._group, self._take_over_s, self._idle_s = group, take_over_s, idle_s
        self._host = socket.gethostname()
        self._name = f"{self._host}:{os.getpid()}:{RUN}:{next(NUMBERS)}"
        self._taken_over = 0.0
        self._claimed: EntryId | None = None
        self._reached: Any = None  # the newest message of this reader; first, where the stream ended

    def open(self) -> None:
        """Create the group if it is new, and take over the messages of ended readers.

        A group that was lost meanwhile, with all data of the broker, is created anew after what this reader has read.
        """
        from redis.exceptions import ResponseError

        with translate_errors():
            self._client.close()
            try:
                self._reached = self._reached or end_of(self._client, self._stream)
                self._client.xgroup_create(self._stream, self._group, id=self._reached, mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
            self._position = PENDING
            self._take_over()

    def _take_over(self) -> None:
        closed = self._client.smembers(self._closed)
        for consumer in self._client.xinfo_consumers(self._stream, self._group):
            name = consumer["name"]
            if name in closed and not self._client.srem(self._closed, name):
                continue  # another reader has just taken it over
            if name in closed or self._has_ended(consumer):
                self._claim(consumername=name)
                self._client.xgroup_delconsumer(self._stream, self._group, name)
        self._claim(idle=milliseconds(self._idle_s))
        self._taken_over = time.monotonic()

    def _has_ended(self, consumer: dict[str, Any]) -> bool:
        """Return whether a consumer can be removed.

        That is so if its process has ended; on another machine, if it has been silent for long and holds no message.
        """
        host, pid, run, *_ = [*os.fsdecode(consumer["name"]).split(":"), "", ""]
        if not pid.isdecimal():
            return False  # a reader other than MEMO's client
        if host != self._host:
            return bool(consumer["pending"] == 0 and consumer["idle"] > milliseconds(self._idle_s))
        return run != RUN if int(pid) == os.getpid() else not psutil.pid_exists(int(pid))

    def _claim(self, **held_by: Any) -> None:
        """Take over pending messages; XCLAIM skips those that the stream has dropped, so `missed` reports them."""
        idle = held_by.get("idle", 0)
        while held := self._client.xpending_range(self._stream, self._group, "-", "+", BATCH, **held_by):
            ids: list[Any] = [entry["message_id"] for entry in held]
            oldest = entry_id(ids[0])
            self._claimed = min(self._claimed or oldest, oldest)
            self._client.xclaim(self._stream, self._group, self._name, min_idle_time=idle, message_ids=ids, justid=True)
            self._position = PENDING

    def missed(self) -> datetime | None:
        """Return since when messages may have been dropped before the group read them or while a reader held them."""
        with translate_errors():
            if self._claimed is not None:
                claimed, self._claimed = self._claimed, None
                return self._gap_after(claimed)
            if self._position == NEW:
                return self._gap_after(self._last_delivered())
            held = self._pending()
            return self._gap_after(entry_id(held[0]["message_id"])) if held else None

    def _pending(self) -> Any:
        """Return the oldest message that this reader has not acknowledged, in a list."""
        return self._client.xpending_range(self._stream, self._group, "-", "+", 1, consumername=self._name)

    def _last_delivered(self) -> EntryId:
        """Return the last entry delivered to any reader of the group."""
        groups = self._client.xinfo_groups(self._stream)
        return next(entry_id(one["last-delivered-id"]) for one in groups if os.fsdecode(one["name"]) == self._group)

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """Return pending messages first, then new ones."""
        with translate_errors():
            if time.monotonic() - self._taken_over > self._take_over_s:
                self._take_over()
            reply = self._client.xreadgroup(
                self._group, self._name, {self._stream: self._position}, count=SHARED_BATCH, block=milliseconds(wait_s)
            )
        entries = entries_of(reply)
        if entries:
            self._reached = max(self._reached, entries[-1][0], key=entry_id)
        if self._position != NEW:
            self._position = entries[-1][0] if entries else NEW
        return entries

    def done(self, token: Any) -> None:
        """Acknowledge a message."""
        with translate_errors():
            self._client.xack(self._stream, self._group, token)

    def close(self) -> None:
        """Leave the group; messages that were not acknowledged go to another reader."""
        with suppress(Exception):  # without a broker, others notice when this process has ended
            self._leave()
        super().close()

    def _leave(self) -> None:
        if self._pending():
            self._client.sadd(self._closed, self._name)
            self._client.pexpire(self._closed, milliseconds(self._idle_s))
        else:
            self._client.xgroup_delconsumer(self._stream, self._group, self._name)
