"""Convert ActivityWatch's events: windows to focus and usage, tabs to visits; absence ends the usage of an app."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from collector.focus.tracker import Usage
from collector.sources.activitywatch.aw_server import Bucket
from data.importers.line import EventReader, implausible
from memo.core.errors import GrammarError
from memo.core.events import Event, Operation
from memo.core.sites import domain

MAX_GAP = timedelta(seconds=30)  # between events of a window watcher; after a longer gap the machine was asleep
_BROWSER = re.compile(r"aw-watcher-web-([^_]+)")  # the browser's name in a tab bucket's id


@dataclass(frozen=True, slots=True)
class Observation:
    """One of ActivityWatch's events."""

    at: datetime
    end: datetime
    host: str
    event: Event | None = None  # None for a private tab, or one that shows no site
    away: bool | None = None  # whether the person left (True) or returned (False)
    fault: str = ""  # why the event is invalid


def read_observation(bucket: Bucket, raw: Any, zone: tzinfo) -> Observation:
    """Parse an event of an answer or an export. Raises GrammarError if not even its time can be read."""
    try:
        at = datetime.fromisoformat(raw["timestamp"]).astimezone(zone)
        end = at + timedelta(seconds=float(raw.get("duration", 0)))
        data = dict(raw["data"])
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise GrammarError("the event lacks a valid `timestamp`, `duration` or `data`") from error
    if bucket.type == "afkstatus":
        return Observation(at, end, bucket.host, away=data.get("status") == "afk")
    try:
        return Observation(at, end, bucket.host, _to_event(bucket, data, at))
    except GrammarError as error:
        return Observation(at, end, bucket.host, fault=str(error))


def _to_event(bucket: Bucket, data: dict[str, Any], at: datetime) -> Event | None:
    if reason := implausible(at):
        raise GrammarError(reason)
    if bucket.type == "currentwindow":
        fields = {"operation": "window_focus", "window_title": data.get("title"), "application": data.get("app")}
    elif data.get("incognito") or not domain(str(data.get("url") or "")):
        return None
    else:
        browser = _BROWSER.match(bucket.id)
        app = browser[1] if browser else ""
        fields = {"operation": "web_visit", "url": data["url"], "title": data.get("title"), "application": app}
    return replace(EventReader(UTC).read_fields({"at": at.isoformat(), **fields}), at=at)


class Timeline:
    """Takes observations in the order of time; returns their events, and the usage of apps between them."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    def to_events(self, observations: Iterable[Observation]) -> Iterator[Event]:
        """Yield the events of these observations."""
        for observation in observations:
            host = self._hosts.setdefault(observation.host, _Host())
            event = observation.event
            if observation.away is not None:
                yield from host.leave(observation.at) if observation.away else host.come_back(observation.at)
            elif event and event.operation is Operation.WINDOW_FOCUS:
                yield from host.focus(event, observation.end)
            elif event:
                yield event

    def extend(self, observation: Observation) -> None:
        """Record that a window of an earlier observation has the focus for longer than was known then."""
        event = observation.event
        if observation.host in self._hosts and event and event.operation is Operation.WINDOW_FOCUS:
            self._hosts[observation.host].until = observation.end

    def close(self, now: datetime) -> Iterator[Event]:
        """Yield the usage that no later observation has ended, unless it may still go on."""
        for host in self._hosts.values():
            if host.until is not None and now - host.until > MAX_GAP:
                yield from host.leave(host.until)


class _Host:
    """A machine: the app that has the focus, the end of its last observation, and whether the person is away."""

    def __init__(self) -> None:
        self.until: datetime | None = None
        self._usage, self._app, self._away = Usage(), "", False

    def focus(self, event: Event, until: datetime) -> list[Event]:
        ended = list[Event]()
        if self.until and event.at - self.until > MAX_GAP:
            ended += self._usage.stop(self.until)
        self._app, self.until = event.app, until
        if not self._away:
            ended += self._usage.start(event.app, event.at)
        return [*ended, event]

    def leave(self, at: datetime) -> list[Event]:
        self._away = True
        return self._usage.stop(at)

    def come_back(self, at: datetime) -> list[Event]:
        self._away = False
        return self._usage.start(self._app, at)
