"""ActivityWatch: its server is followed by REST, which brings in what is done under Windows and macOS."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any

from collector.sources.activitywatch.aw_server import Bucket, Server, fault
from collector.sources.activitywatch.aw_timeline import Observation, Timeline, read_observation
from memo.core.errors import GrammarError
from memo.core.events import Event
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Emit, Past, Stop

SOURCE = "activitywatch"
POLL_S = 2.0
BUCKETS_EVERY = 30
"""Polls between two looks for new buckets."""

log = get_logger(__name__)


class ActivityWatchSource:
    """Implements `memo.protocols.Source` on the server at `sources.activitywatch_url`."""

    name = SOURCE

    def __init__(self, settings: Settings, home: Home) -> None:
        self._url, self._zone = settings.sources.activitywatch_url, settings.zone
        self.watching = threading.Event()

    def missing(self) -> str:
        """It must be told where the server is."""
        return fault(self._url)

    def run(self, emit: Emit, cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Ask until `stop` is set. Raises MemoError where the server does not answer."""
        follower = Follower(Server(self._url), self._zone, cursor(self._url))
        try:
            emit(Past(follower.new(), self._url, follower.cursor))
        finally:
            self.watching.set()  # nobody waits for a server that is away
        while not stop.wait(POLL_S):
            before = follower.cursor
            found = follower.new()
            if follower.cursor != before:
                emit(Batch(found, self._url, follower.cursor))


class Follower:
    """What is new at a server since `cursor`; without one, from now on."""

    def __init__(self, server: Server, zone: tzinfo, cursor: dict[str, Any] | None) -> None:
        self._server, self._zone, self._timeline = server, zone, Timeline()
        self._buckets, self._polls = list[Bucket](), 0
        self.cursor = cursor or {"since": datetime.now(UTC).isoformat(), "buckets": {}}

    def new(self) -> list[Event]:
        """Ask once, and move the cursor."""
        if self._polls % BUCKETS_EVERY == 0:
            self._buckets = self._server.buckets()
        self._polls += 1
        found, newest = list[Observation](), dict(self.cursor["buckets"])
        for bucket in self._buckets:
            after = datetime.fromisoformat(newest.get(bucket.id, self.cursor["since"]))
            if new := self._after(bucket, after):
                newest[bucket.id] = max(one.at for one in new).isoformat()
                found += new
        self.cursor = self.cursor | {"buckets": newest}
        return list(self._timeline.take(sorted(found, key=lambda one: one.at)))

    def _after(self, bucket: Bucket, after: datetime) -> list[Observation]:
        found, faults = [], 0
        for raw in self._server.events(bucket, after):
            try:
                one = read_observation(bucket, raw, self._zone)
            except GrammarError:
                faults += 1
                continue
            if one.at > after:
                found.append(one)
                faults += bool(one.fault)
            else:
                self._timeline.goes_on(one)
        if faults:
            log.warning("events were rejected", source=SOURCE, events=faults)
        return found
