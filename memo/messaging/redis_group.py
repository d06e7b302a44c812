"""The Redis stream, for readers that share it as a consumer group."""

import os
import socket
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import psutil

from memo.messaging.feed import SHARE, translate_errors
from memo.messaging.message import STREAM
from memo.messaging.redis_stream import BATCH, EntryId, StreamFeed, end_of, entries_of, entry_id, milliseconds

if TYPE_CHECKING:
    from redis import Redis

TAKE_OVER_S = 30.0
"""So often a reader looks whether another one of its group has died."""
IDLE_S = 600.0
"""Whoever holds a message for so long is taken to be dead, where it can't be seen whether its process lives."""


class GroupFeed(StreamFeed):
    """Readers that share the messages: XREADGROUP. What a dead reader held is read again by another."""

    def __init__(self, url: str, group: str) -> None:
        super().__init__(url)
        self._group = group
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._looked = 0.0
        self._claimed: EntryId | None = None

    def open(self) -> None:
        """Make the group where it is new, and take over what is pending."""
        from redis.exceptions import ResponseError

        with translate_errors():
            client = self._connect()
            try:
                client.xgroup_create(STREAM, self._group, id=end_of(client), mkstream=True)
            except ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise
            self._take_over(client)

    def _take_over(self, client: "Redis") -> None:
        """Of a reader on this machine that has ended, at once; of another, when it has held it for long."""
        for consumer in client.xinfo_consumers(STREAM, self._group):
            name = os.fsdecode(consumer["name"])
            host, _, pid = name.rpartition(":")
            if host == socket.gethostname() and pid.isdecimal() and not psutil.pid_exists(int(pid)):
                self._claim(client, consumername=name)
                client.xgroup_delconsumer(STREAM, self._group, name)
        self._claim(client, idle=int(IDLE_S * 1e3))
        self._position, self._looked = "0", time.monotonic()

    def _claim(self, client: "Redis", **held_by: Any) -> None:
        idle = held_by.get("idle", 0)
        while held := client.xpending_range(STREAM, self._group, "-", "+", BATCH, **held_by):
            ids: list[Any] = [entry["message_id"] for entry in held]
            self._claimed = min(
                self._claimed or entry_id(ids[0]), entry_id(ids[0])
            )  # one that was trimmed is not handed over
            client.xclaim(STREAM, self._group, self._name, min_idle_time=idle, message_ids=ids, justid=True)

    def missed(self) -> datetime | None:
        """What was trimmed before the group read it, or while a reader held it."""
        with translate_errors():
            if self._claimed is not None:
                claimed, self._claimed = self._claimed, None
                return self._since(claimed)
            if self._position == ">":
                return self._since(self._delivered())
            held = self._connected.xpending_range(STREAM, self._group, "-", "+", 1, consumername=self._name)
            return self._since(entry_id(held[0]["message_id"])) if held else None

    def _delivered(self) -> EntryId:
        """The last entry that any reader of the group was given."""
        groups = self._connected.xinfo_groups(STREAM)
        return next(entry_id(one["last-delivered-id"]) for one in groups if os.fsdecode(one["name"]) == self._group)

    def read(self, wait_s: float) -> list[tuple[Any, str | bytes]]:
        """First what was pending, then what is new."""
        with translate_errors():
            if time.monotonic() - self._looked > TAKE_OVER_S:
                self._take_over(self._connected)
            reply = self._connected.xreadgroup(
                self._group, self._name, {STREAM: self._position}, count=SHARE, block=milliseconds(wait_s)
            )
        entries = entries_of(reply)
        if self._position != ">":
            self._position = entries[-1][0] if entries else ">"
        return entries

    def done(self, token: Any) -> None:
        """Acknowledge it."""
        with translate_errors():
            self._connected.xack(STREAM, self._group, token)
