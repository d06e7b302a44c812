"""Find everything that a query matches: events, and the rows that depend on them or name the same. Nothing changes."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from itertools import chain
from typing import Any

from sqlalchemy.orm import Session

from db.intake import events, launch_sets, launches, names
from db.models import EventRow, LaunchRow, LaunchSetRow, VersionRow
from db.prediction import versions
from forget.query import ForgetQuery, fold
from memo.core.events import Event, Operation, make_action
from memo.core.steps import Progress, with_progress
from memo.desktop.apps import Apps, is_interpreter

EXAMPLES = 5  # newest events that are shown

Mention = tuple[str, str, str, str]
"""An action as other rows name it: scope, operation, target, place."""


@dataclass
class Matches:
    """The events that a query matches, and what is needed to find all that depends on them."""

    query: ForgetQuery
    ids: list[int] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    """Number of events of each operation."""
    times: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """Times of the events of each scope, in order."""
    apps: set[str] = field(default_factory=set)
    """Names by which the events name the app of the query."""
    examples: list[Event] = field(default_factory=list)
    digests: set[str] = field(default_factory=set)
    """Digests of the events' lines, under which cursors remember them."""
    mentions: Counter[tuple[Mention, str]] = field(default_factory=Counter)
    """How often the events mention an action, alone (with "") and with a page title."""
    orphans: dict[Mention, set[str]] = field(default_factory=dict)
    """Mentions that only matched events make: the page titles of an action, "" for the action itself."""

    def add(self, row: EventRow) -> None:
        """Add an event that the query matches."""
        self.ids.append(row.id)
        self.kinds[row.operation] += 1
        self.times[row.scope].append(row.at)
        self.apps |= self.query.matching_apps(row.operation, row.target, row.app)
        self.examples = [*self.examples, events.as_event(row)][-EXAMPLES:]
        self.digests.add(row.line_key.partition(".")[0])
        self.mentions.update(_mentions(row.scope, row.operation, row.target, row.app, row.detail))

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """Times of the first and the last event."""
        ends = [time for times in self.times.values() for time in (times[0], times[-1])]
        return (min(ends), max(ends)) if ends else None

    def includes_entry(self, scope: str, entry: dict[str, Any]) -> bool:
        """Return whether a candidate, or another entry with an action, names what no event may name any more."""
        action = entry["action"]
        titles = self.orphans.get((scope, action["operation"], action["target"], action["place"]), ())
        return any(title in entry.get("text", "") for title in titles) or self.query.forgets_entry(entry)

    def includes_version(self, version: VersionRow) -> bool:
        """Return whether a version was, or may have been, trained on one of the events."""
        times, span = self.times.get(version.scope, []), version.metrics.get("span")
        if self.query.is_everything or span is None:
            return self.query.is_everything or bool(times)
        first, last = (datetime.fromisoformat(time) for time in span)
        return any(time <= last for time in times[bisect_left(times, first) :][:1])


def resolve_app(session: Session, query: ForgetQuery) -> ForgetQuery:
    """Return the query with all names by which events may name its app: from menus, or of the same program."""
    if not query.app:
        return query
    names = Apps().called(query.app)
    if not is_interpreter(query.app):
        executables = launches.find_executables(session)
        names |= {name for name, path in executables if fold(path.rpartition("/")[2]) == fold(query.app)}
    return replace(query, known_as=frozenset(map(fold, names - {""})))


def find_matches(session: Session, query: ForgetQuery, progress: Progress) -> Matches:
    """Return the events that a query matches."""
    matches = Matches(query)
    which = names.find_named(session, query.scope, query.named_in) if query.app or query.site else None
    total, rows = events.find_between(session, query.scope, query.since, query.until, which)
    for row in with_progress(rows, total, progress):
        if query.matches_event(row.operation, row.target, row.app, (row.detail, row.executable, row.source_key)):
            matches.add(row)
    matches.orphans = _orphans(session, matches)
    return matches


def _mentions(scope: str, operation: str, target: str, app: str, detail: str) -> Iterator[tuple[Mention, str]]:
    named = _mentions_of_action(scope, operation, target, app, detail)
    action = make_action(Operation(operation), "", app, detail)
    return chain(named, [((scope, *action), "")] if action.place else [])  # as upcoming and places name it


def _mentions_of_action(
    scope: str, operation: str, target: str, app: str, detail: str
) -> Iterator[tuple[Mention, str]]:
    action = (scope, *make_action(Operation(operation), target, app, detail))
    yield action, ""
    if operation == Operation.WEB_VISIT and detail:
        yield action, detail


def _orphans(session: Session, matches: Matches) -> dict[Mention, set[str]]:
    left = matches.mentions.copy()  # below zero: other events make the same mention
    targets, places = defaultdict[tuple[str, str], set[str]](set), defaultdict[tuple[str, str], set[str]](set)
    for (scope, operation, target, place), _ in left:
        targets[scope, operation].add(target)
        places[scope, operation].add(place)
    for (scope, operation), found in targets.items():
        for *event, count in names.count_by_text(session, scope, Operation(operation), sorted(found)):
            for mention in _mentions_of_action(scope, operation, *event):
                if mention in left:
                    left[mention] -= count
    for (scope, operation), found in places.items():
        for place, count in names.count_by_place(session, scope, Operation(operation), sorted(found - {""})):
            left[(scope, operation, "", place), ""] -= count
    orphans: dict[Mention, set[str]] = defaultdict(set)
    for (action, title), count in left.items():
        if count >= 0:
            orphans[action].add(title)
    return orphans


def matching_versions(session: Session, matches: Matches) -> list[VersionRow]:
    """Return the versions that were trained on matched events."""
    return [row for row in versions.find_versions(session, matches.query.scope) if matches.includes_version(row)]


def matching_launches(session: Session, query: ForgetQuery) -> list[LaunchRow]:
    """Return the launches that a query matches."""
    rows = launches.find_launches(session, query.scope)
    return [row for row in rows if query.matches_launch(row.app, row.at, row.at, (row.executable,))]


def matching_launch_sets(session: Session, query: ForgetQuery, zone: tzinfo) -> Sequence[LaunchSetRow]:
    """Return the launch sets that a query matches: for a time span, those to which a launch in it contributed."""
    return [
        row
        for row, found in launch_sets.find_launch_sets(session, query.scope)
        if any(query.matches_launch(found.app, *span, (found.executable, *found.files)) for span in found.spans(zone))
    ]
