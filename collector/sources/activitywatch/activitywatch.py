"""The source `activitywatch`: polls a server over REST, which brings in activity under Windows and macOS."""

import threading
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from collector.sources.activitywatch.aw_server import Bucket, Server, check_url
from collector.sources.activitywatch.aw_timeline import Observation, Timeline, read_observation
from memo.core.errors import GrammarError
from memo.core.events import Event
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Emit, FindCursor, Past, Stop

SOURCE = "activitywatch"
POLL_S = 2.0
AHEAD = timedelta(minutes=1)  # by which another machine's clock may be ahead of ours
BUCKETS_EVERY = 30  # polls between two requests for new buckets

log = get_logger(__name__)


class ActivityWatchSource:
    """Implements `memo.protocols.Source` on the server at `sources.activitywatch_url`."""

    name = SOURCE

    def __init__(
        self, settings: Settings, home: Home, poll_s: float = POLL_S, buckets_every: int = BUCKETS_EVERY
    ) -> None:
        self._url, self._zone = settings.sources.activitywatch_url, settings.zone
        self._poll_s, self._buckets_every = poll_s, buckets_every
        self.watching = threading.Event()

    def missing(self) -> str:
        """Return what is wrong with the server's address, and the remedy; empty if it is valid."""
        return check_url(self._url)

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Poll until `stop` is set. Raises MemoError if the server does not answer."""
        follower = Follower(Server(self._url), self._zone, cursor(self._url), self._buckets_every)
        try:
            emit(Past(follower.poll(), self._url, follower.cursor))
        finally:
            self.watching.set()  # nobody waits for an unreachable server
        while not stop.wait(self._poll_s):
            before = follower.cursor
            events = follower.poll()
            if follower.cursor != before:
                emit(Batch(events, self._url, follower.cursor))


class Follower:
    """Reads what is new at a server since `cursor`; without a cursor, since now."""

    def __init__(self, server: Server, zone: tzinfo, cursor: dict[str, Any] | None, buckets_every: int) -> None:
        self._server, self._zone, self._timeline = server, zone, Timeline()
        self._buckets, self._buckets_every, self._polls = list[Bucket](), buckets_every, 0
        self._ahead: dict[str, set[datetime]] = {}  # by bucket, the times of what was told and lies after the cursor
        self._rejected: dict[str, int] = {}  # by bucket, as logged last
        self.cursor = cursor or {"since": datetime.now(UTC).isoformat(), "buckets": {}}

    def poll(self) -> list[Event]:
        """Return the new events, and advance the cursor."""
        if self._polls % self._buckets_every == 0:
            self._buckets = self._server.buckets()
        self._polls += 1
        observations, newest = list[Observation](), dict(self.cursor["buckets"])
        for bucket in self._buckets:
            after = datetime.fromisoformat(newest.get(bucket.id, self.cursor["since"]))
            if new := self._read_after(bucket, after):
                reached = min(max(observation.at for observation in new), datetime.now(UTC))
                newest[bucket.id] = reached.isoformat()
                told = self._ahead.get(bucket.id, set()) | {observation.at for observation in new}
                self._ahead[bucket.id] = {at for at in told if at > reached}
                observations += new
        self.cursor = self.cursor | {"buckets": newest}
        return list(self._timeline.to_events(sorted(observations, key=lambda observation: observation.at)))

    def _read_after(self, bucket: Bucket, after: datetime) -> list[Observation]:
        """Return the new observations; one of a clock that is far ahead waits for its time, and hides no later one."""
        new, rejected, latest = [], 0, datetime.now(UTC) + AHEAD
        told = self._ahead.get(bucket.id, set())
        for raw in self._server.events(bucket, after):
            try:
                observation = read_observation(bucket, raw, self._zone)
            except GrammarError:
                rejected += 1
                continue
            rejected += bool(observation.fault)
            if after < observation.at <= latest and observation.at not in told:
                new.append(observation)
            elif observation.at <= after:
                self._timeline.extend(observation)
        if rejected > self._rejected.get(bucket.id, 0):  # they may be read again at each poll
            log.warning("events_rejected", source=SOURCE, events=rejected)
        self._rejected[bucket.id] = rejected
        return new
