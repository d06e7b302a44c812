"""Predictions for any program: `for prediction in subscribe(): …`."""

import json
import threading
import time
from collections.abc import Generator, Iterator
from datetime import datetime, timedelta
from typing import Any

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.messaging.feed import BrokerUnavailable, Feed
from memo.messaging.message import SCHEMA
from memo.messaging.open_feed import make_feed

Messages = Generator[dict[str, Any], None, None]

POLL_S = 1.0
"""Longest wait of one read; where a caller can say stop, `STOP_S`."""
STOP_S = 0.2
BACK_OFF_S = (0.1, 2.0)
"""First and longest pause before the broker is tried again."""
REMEMBERED = 20_000
"""Ids of which a second message is left out; more than a stream keeps."""
FILL = 500
AROUND = timedelta(minutes=1)
"""The broker's clock and that of the store may be so far apart."""


def subscribe(
    *,
    after: int | None = None,
    group: str | None = None,
    url: str | None = None,
    timeout: float | None = None,
    stop: threading.Event | None = None,
) -> Messages:
    """Predictions as they are made, each a dict by docs/schemas/prediction.v1.json; it begins at the call.

    `after` first gives, from the store, every prediction with a greater id, and leaves no gap where the broker goes
    away for a time. Readers of one `group` share the messages, and what comes while none of them is there waits for
    them: a message counts as read when the next is asked for, one whose reader died comes again, and what a
    Redis stream has dropped unread comes from the store. `url` is the broker's (default: that of the settings).
    It ends when nothing came for `timeout` seconds, or soon after `stop` is set; else never.
    Raises MemoError where no broker answers at the call; later it waits for the broker to come back.
    """
    feed = make_feed(url or _broker_url(), group)
    subscription = _Subscription(feed, group is not None, after, timeout, stop).messages()
    next(subscription)
    return subscription


def _broker_url() -> str:
    from memo.stack.broker import broker_url

    return broker_url(Home.find(), Settings.load())


class _Subscription:
    def __init__(
        self, feed: Feed, shared: bool, after: int | None, timeout: float | None, stop: threading.Event | None
    ) -> None:
        self._feed, self._shared, self._after, self._timeout = feed, shared, after, timeout
        self._stop = stop or threading.Event()
        self._poll_s = STOP_S if stop else POLL_S
        self._newest = after
        self._seen: dict[int, None] = {}
        self._heard = time.monotonic()

    def messages(self) -> Messages:
        """First something empty, once it is connected; then all messages, over any number of connections."""
        try:
            self._feed.open()
            yield {}
            while not self._over:
                if self._newest is not None:
                    yield from self._stored()
                try:
                    yield from self._live()
                except BrokerUnavailable:
                    self._reopen()
        finally:
            self._feed.close()

    @property
    def _over(self) -> bool:
        return self._stop.is_set() or self._left_s <= 0

    @property
    def _left_s(self) -> float:
        return float("inf") if self._timeout is None else self._heard + self._timeout - time.monotonic()

    def _live(self) -> Iterator[dict[str, Any]]:
        while not self._over:
            if self._shared or self._newest is not None:
                yield from self._dropped()
            for token, body in self._feed.read(min(self._poll_s, self._left_s)):
                message = _decode(body)
                if message is not None:
                    yield from self._new(message)
                self._feed.done(token)

    def _dropped(self) -> Iterator[dict[str, Any]]:
        """What the broker no longer has, from the store; it may be more than that."""
        since = self._feed.missed()
        if since is not None:
            yield from self._stored(since - AROUND)

    def _stored(self, since: datetime | None = None) -> Iterator[dict[str, Any]]:
        for message in _stored(self._newest or 0, since):
            yield from self._new(message)

    def _new(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The message, if it is none that came before."""
        number = message["id"]
        if number in self._seen or (self._after is not None and number <= self._after):
            return
        self._seen[number] = None
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if self._newest is not None:
            self._newest = max(self._newest, number)
        yield message
        self._heard = time.monotonic()

    def _reopen(self) -> None:
        pause, longest = BACK_OFF_S
        while not self._over:
            self._stop.wait(min(pause, self._left_s))
            try:
                return self._feed.open()
            except BrokerUnavailable:
                pause = min(2 * pause, longest)


def _decode(body: str | bytes) -> dict[str, Any] | None:
    """A message; None for what is none of this schema: the stream is open to others."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("schema") != SCHEMA or not isinstance(message.get("id"), int):
        return None
    return message


def _stored(after: int, since: datetime | None) -> Iterator[dict[str, Any]]:
    """The predictions in the store with an id greater than this one, and published since then."""
    from db.engine import open_store, sqlite_path, store_url
    from db.prediction import messages

    settings, home = Settings.load(), Home.find()
    file = sqlite_path(store_url(settings, home))
    if file is not None and not file.exists():
        return
    store = open_store(settings, home)
    try:
        while True:
            with store.read() as session:
                page = messages.find_messages_after(session, after, FILL, settings.language, since)
            if not page:
                return
            yield from page
            after = page[-1]["id"]
    finally:
        store.close()
