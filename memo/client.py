"""Predictions for any program: `for prediction in subscribe(): …`."""

import json
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from memo.core.bounded import BoundedDict
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.messaging.feed import BrokerUnavailable, Feed
from memo.messaging.message import SCHEMA, SCHEMA_V1
from memo.messaging.stored_messages import find_messages_after
from memo.stack.backoff import Backoff
from memo.stack.broker import broker_url
from memo.stack.task_queue import PREFIX, is_redis, own_prefix
from memo.store.identity import find_store_id
from memo.store.public_views import NoStoreError, open_query

Messages = Generator[dict[str, Any], None, None]

POLL_S = 1.0  # longest wait of one read
STOPPABLE_POLL_S = 0.2  # the same where the caller can set `stop`
FIRST_BACKOFF_S = 0.1  # before the broker is tried again; doubles each time
LONGEST_BACKOFF_S = 2.0
MAX_REMEMBERED = 20_000  # ids by which messages are deduplicated; more than a stream keeps
PAGE = 500  # messages read from the store at once
CLOCK_SKEW = timedelta(minutes=1)  # largest difference expected between the clocks of the broker and the store


def subscribe(
    *,
    after: int | None = None,
    group: str | None = None,
    url: str | None = None,
    timeout: float | None = None,
    stop: threading.Event | None = None,
    store: str | None = None,
) -> Messages:
    """Yield predictions as they are made, from this call on, each a dict by docs/schemas/prediction.v2.json.

    after: first yield every stored prediction with a greater id, and fill gaps from the store.
    group: share the messages with the other readers of this group. Messages wait for the group while it has no
        reader. A message counts as read when the next one is requested; if its reader dies, another one gets it.
        Messages that a Redis stream dropped unread come from the store.
    url: the broker's URL; default: that of the settings.
    timeout: end after this many seconds without a message.
    stop: end soon after this is set.
    store: the id of the store whose predictions they are, which `memo status` shows; default: the id in the store of
        the settings. The embedded broker serves one store only, and needs none.

    Raises MemoError if no broker answers at the call; later it waits for the broker to come back.
    """
    feed = make_feed(*_find_broker(url, store), group)
    return read_feed(feed, after=after, timeout=timeout, stop=stop)


def _find_broker(url: str | None, store: str | None) -> tuple[str, str]:
    """Return the broker's URL, and how names on it begin."""
    home, settings = Home.find(), Settings.load()
    ours = broker_url(home, settings)
    if not settings.broker_url and url in (None, ours):
        return ours, PREFIX
    return url or ours, own_prefix(store or find_store_id(settings))


def make_feed(url: str, prefix: str, group: str | None) -> Feed:
    """Return the feed for a broker URL; it connects when it is opened."""
    from memo.messaging.amqp import TopicFeed
    from memo.messaging.redis_group import GroupFeed
    from memo.messaging.redis_stream import StreamFeed

    if not is_redis(url):
        return TopicFeed(url, group, prefix)
    return GroupFeed(url, group, prefix) if group else StreamFeed(url, prefix)


def read_feed(
    feed: Feed,
    *,
    after: int | None = None,
    timeout: float | None = None,
    stop: threading.Event | None = None,
    page: int = PAGE,
) -> Messages:
    """Connect a feed and yield its messages; the arguments are those of `subscribe`."""
    messages = _Subscription(feed, after, timeout, stop, page).messages()
    next(messages)
    return messages


class _Subscription:
    def __init__(
        self, feed: Feed, after: int | None, timeout: float | None, stop: threading.Event | None, page: int
    ) -> None:
        self._feed, self._after, self._timeout, self._page = feed, after, timeout, page
        self._stop = stop or threading.Event()
        self._poll_s = STOPPABLE_POLL_S if stop else POLL_S
        self._newest = after
        self._seen: BoundedDict[int, None] = BoundedDict(MAX_REMEMBERED)
        self._last_message = time.monotonic()

    def messages(self) -> Messages:
        """Yield an empty message once connected, then all messages, over any number of connections."""
        try:
            self._feed.open()
            yield {}
            while not self._is_over:
                if self._newest is not None:
                    yield from self._stored()
                try:
                    yield from self._live()
                except BrokerUnavailable:
                    self._reopen()
        finally:
            self._feed.close()

    @property
    def _is_over(self) -> bool:
        return self._stop.is_set() or self._left_s <= 0

    @property
    def _left_s(self) -> float:
        return float("inf") if self._timeout is None else self._last_message + self._timeout - time.monotonic()

    def _live(self) -> Iterator[dict[str, Any]]:
        while not self._is_over:
            if (self._feed.is_shared or self._newest is not None) and (since := self._feed.missed()):
                yield from self._stored(since - CLOCK_SKEW)  # what the broker has dropped, and all shortly before
            for token, body in self._feed.read(min(self._poll_s, self._left_s)):
                message = _decode(body)
                if message is not None:
                    yield from self._new(message)
                self._feed.done(token)

    def _stored(self, since: datetime | None = None) -> Iterator[dict[str, Any]]:
        """Yield the stored messages after the newest one seen, published at or after `since`."""
        after: int | None = self._newest or 0
        while after is not None:
            page = self._stored_page(after, since)
            for message in page:
                yield from self._new(message)
            after = page[-1]["id"] if page else None

    def _stored_page(self, after: int, since: datetime | None) -> list[dict[str, Any]]:
        settings = Settings.load()
        with suppress(NoStoreError), open_query(settings) as query:
            return find_messages_after(query, after, self._page, settings.language, since)
        return []

    def _new(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the message unless it came before."""
        number = message["id"]
        if number in self._seen or (self._after is not None and number <= self._after):
            return
        self._seen[number] = None
        if self._newest is not None:
            self._newest = max(self._newest, number)
        yield message
        self._last_message = time.monotonic()

    def _reopen(self) -> None:
        backoff = Backoff(FIRST_BACKOFF_S, LONGEST_BACKOFF_S)
        while not self._is_over:
            self._stop.wait(min(backoff.delay_after(), self._left_s))
            with suppress(BrokerUnavailable):
                return self._feed.open()


def _decode(body: str | bytes) -> dict[str, Any] | None:
    """Return a message, or None if it is of another schema: other programs may write to the stream."""
    try:
        message = json.loads(body)
    except ValueError:
        return None
    is_ours = isinstance(message, dict) and message.get("schema") in (SCHEMA, SCHEMA_V1)
    return message if is_ours and isinstance(message.get("id"), int) else None
