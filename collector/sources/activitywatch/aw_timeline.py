"""ActivityWatch's events as ours: windows are focus and use, tabs are visits, an absence ends the use of an app."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from collector.focus.usage import Usage
from collector.sources.activitywatch.aw_server import Bucket
from data.importers.line import from_fields, implausible
from memo.core.errors import GrammarError
from memo.core.events import Event, Operation
from memo.core.sites import domain

GAP = timedelta(seconds=30)
"""A watcher of windows that says nothing for longer was asleep, and nobody used anything."""
_BROWSER = re.compile(r"aw-watcher-web-([^_]+)")
"""In the name of a bucket of tabs; the extension writes it there."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One of ActivityWatch's events."""

    at: datetime
    end: datetime
    host: str
    event: Event | None = None
    """What it is of ours; None for a tab that shows no site, or a private one."""
    away: bool | None = None
    """That a person is there no more, or again."""
    fault: str = ""
    """Why it could not be read."""


def read_observation(bucket: Bucket, raw: Any, zone: tzinfo) -> Observation:
    """Read an event as it stands in an answer or an export. Raises GrammarError where not even its time is known."""
    try:
        at = datetime.fromisoformat(raw["timestamp"]).astimezone(zone)
        end = at + timedelta(seconds=float(raw.get("duration", 0)))
        data = dict(raw["data"])
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise GrammarError("the event has no `timestamp`, `duration` and `data` of ActivityWatch's kind") from error
    if bucket.type == "afkstatus":
        return Observation(at, end, bucket.host, away=data.get("status") == "afk")
    try:
        return Observation(at, end, bucket.host, _event(bucket, data, at))
    except GrammarError as error:
        return Observation(at, end, bucket.host, fault=str(error))


def _event(bucket: Bucket, data: dict[str, Any], at: datetime) -> Event | None:
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
    return replace(from_fields({"at": at.isoformat(), **fields}, UTC), at=at)


class Timeline:
    """Takes what was seen, in the order of time; gives it as events, and in between how long each app was used."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    def take(self, given: Iterable[Observation]) -> Iterator[Event]:
        """The events that these are."""
        for one in given:
            host = self._hosts.setdefault(one.host, _Host())
            if one.away is not None:
                yield from host.away(one.at) if one.away else host.back(one.at)
            elif one.event and one.event.operation is Operation.WINDOW_FOCUS:
                yield from host.focused(one.event, one.end)
            elif one.event:
                yield one.event

    def goes_on(self, one: Observation) -> None:
        """A window that was taken is there for longer than was known then."""
        if one.host in self._hosts and one.event and one.event.operation is Operation.WINDOW_FOCUS:
            self._hosts[one.host].until = one.end

    def close(self) -> Iterator[Event]:
        """The use that has no end yet, as far as it is known."""
        for host in self._hosts.values():
            if host.until is not None:
                yield from host.away(host.until)


class _Host:
    """A machine: the app whose window has the focus there, until when that is known, and whether somebody is there."""

    def __init__(self) -> None:
        self.until: datetime | None = None
        self._usage, self._app, self._away = Usage(), "", False

    def focused(self, event: Event, until: datetime) -> list[Event]:
        asleep = self._usage.left(self.until) if self.until and event.at - self.until > GAP else None
        self._app, self.until = event.app, until
        ended = None if self._away else self._usage.focused(event.app, event.at)
        return [one for one in (asleep, ended, event) if one]

    def away(self, at: datetime) -> list[Event]:
        self._away = True
        ended = self._usage.left(at)
        return [ended] if ended else []

    def back(self, at: datetime) -> list[Event]:
        self._away = False
        ended = self._usage.focused(self._app, at)
        return [ended] if ended else []
