"""What would be forgotten, before anything is: the events that are wanted, and what hangs on them or names them."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.intake import launches
from db.intake.events import as_event
from db.models import EventRow, LaunchRow, PredictionRow, VersionRow
from db.prediction import versions
from db.upkeep import deletion
from forget.query import APP_OPERATIONS, ForgetQuery
from memo.core.events import Event, Operation

EXAMPLES = 5
EVERY = 1_000
"""Rows between two steps of a progress bar."""

Said = tuple[str, str, str, str]
"""An action as it is named: scope, operation, target, place."""
Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""


@dataclass
class Matches:
    """The events that are wanted. `said` counts what they say: their actions, and these with each page's title."""

    wanted: ForgetQuery
    ids: list[int] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    times: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    """By scope, in order."""
    apps: set[str] = field(default_factory=set)
    """What the app that is wanted is called in them."""
    examples: list[Event] = field(default_factory=list)
    """The newest of them."""
    digests: set[str] = field(default_factory=set)
    """Of their lines."""
    said: Counter[tuple[Said, str]] = field(default_factory=Counter)
    gone: dict[Said, set[str]] = field(default_factory=dict)
    """What no other event says: an action's page titles, with an empty one where it is the action itself."""

    def note(self, row: EventRow) -> None:
        """Take in an event that is wanted."""
        self.ids.append(row.id)
        self.kinds[row.operation] += 1
        self.times[row.scope].append(row.at)
        self.apps |= self.wanted.apps(row.operation, row.target, row.app)
        self.examples = [*self.examples, as_event(row)][-EXAMPLES:]
        self.digests.add(row.line_key.partition(".")[0])
        self.said.update(_sayings(row.scope, row.operation, row.target, row.app, row.detail))

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """Time of the first and of the last event."""
        times = [time for found in self.times.values() for time in (found[0], found[-1])]
        return (min(times), max(times)) if times else None

    def names(self, scope: str, entry: dict[str, Any]) -> bool:
        """Whether a candidate, or another entry with an action, names what is wanted and may not be named any more."""
        action = entry["action"]
        titles = self.gone.get((scope, action["operation"], action["target"], action["place"]), ())
        said = any(title in entry.get("text", "") for title in titles)
        return said or (not self.wanted.timed and self.wanted.names_entry(entry))

    def taught(self, version: VersionRow) -> bool:
        """Whether a version has learned from one of the events, or may have."""
        times, span = self.times.get(version.scope, []), version.metrics.get("span")
        if self.wanted.everything or span is None:
            return self.wanted.everything or bool(times)
        first, last = (datetime.fromisoformat(time) for time in span)
        return any(time <= last for time in times[bisect_left(times, first) :][:1])


def find_matches(session: Session, wanted: ForgetQuery, progress: Progress) -> Matches:
    """The events that are wanted; nothing is changed."""
    found = Matches(wanted)
    for row in _events(session, wanted, progress):
        if wanted.names(row.operation, row.target, row.app, (row.detail, row.executable, row.source_key)):
            found.note(row)
    found.gone = _gone(session, found)
    return found


def app_executables(session: Session) -> set[tuple[str, str]]:
    """Apps, each with an executable of its own, as far as events and launches tell."""
    columns = (EventRow.operation, EventRow.target, EventRow.app, EventRow.executable)
    rows = session.execute(select(*columns).where(EventRow.executable != "").distinct())
    of_events = {
        (target if operation in APP_OPERATIONS else app, executable) for operation, target, app, executable in rows
    }
    return of_events | {(app, path) for app, path in session.execute(select(LaunchRow.app, LaunchRow.executable))}


def _events(session: Session, wanted: ForgetQuery, progress: Progress) -> Iterator[EventRow]:
    total = session.scalar(select(func.count()).select_from(EventRow).where(*wanted.conditions)) or 0
    query = select(EventRow).where(*wanted.conditions).order_by(EventRow.at, EventRow.seq)
    for number, row in enumerate(session.scalars(query.execution_options(yield_per=EVERY)), 1):
        yield row
        if number % EVERY == 0 or number == total:
            progress(number, total)


def _sayings(scope: str, operation: str, target: str, app: str, detail: str) -> Iterator[tuple[Said, str]]:
    place = {Operation.WINDOW_FOCUS: app, Operation.FILE_ACCESS: detail}.get(Operation(operation), "")
    action = (scope, operation, target, place)
    yield action, ""
    if operation == Operation.WEB_VISIT and detail:
        yield action, detail


def _gone(session: Session, found: Matches) -> dict[Said, set[str]]:
    columns = (EventRow.scope, EventRow.operation, EventRow.target, EventRow.app, EventRow.detail)
    query = select(*columns, func.count()).where(EventRow.scope.in_(found.times)).group_by(*columns)
    others = found.said.copy()
    for *event, count in session.execute(query):
        for saying in _sayings(*event):
            if saying in others:
                others[saying] -= count
    gone: dict[Said, set[str]] = defaultdict(set)
    for (action, title), count in others.items():
        if count >= 0:
            gone[action].add(title)
    return gone


def matching_predictions(session: Session, found: Matches) -> list[int]:
    """Ids of the predictions that follow one of the events, have it as their outcome, or name what is gone."""
    linked = deletion.find_predictions_on(session, found.ids)
    query = select(PredictionRow.id, PredictionRow.scope, PredictionRow.candidates, PredictionRow.upcoming)
    if found.wanted.scope is not None:
        query = query.where(PredictionRow.scope == found.wanted.scope)
    rows: Iterable[Any] = session.execute(query.execution_options(yield_per=EVERY))
    named = {
        number
        for number, scope, candidates, upcoming in rows
        if any(found.names(scope, entry) for entry in (*candidates, *upcoming))
    }
    return sorted(linked | named)


def trained_versions(session: Session, found: Matches) -> list[VersionRow]:
    """The versions that have learned from the events."""
    return [version for version in versions.find_versions(session, found.wanted.scope) if found.taught(version)]


def matching_launches(session: Session, wanted: ForgetQuery) -> list[LaunchRow]:
    """Return the launches that are wanted."""
    rows = launches.find_launches(session, wanted.scope)
    return [row for row in rows if wanted.means_launch(row.app, row.at, row.at, (row.executable,))]
