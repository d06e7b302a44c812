"""What a person did, each act with the newest prediction made before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, or_, select, true
from sqlalchemy.orm import Session, load_only

from db.intake.names import named
from db.models import EventRow, PredictionRow
from memo.core.errors import UsageError
from memo.core.events import FILES, HUMAN, Operation, counted_as

Position = tuple[datetime, int]
"""Where an event stands in the order of time: `at` and `seq`."""

LAST = 2**31 - 1  # of the numbers that a column has room for
NEWEST_FIRST = EventRow.at.desc(), EventRow.seq.desc()
Acts = list[tuple[PredictionRow, EventRow]]

READ = (PredictionRow.place_rank, PredictionRow.person, PredictionRow.places, PredictionRow.model_version)
FIRST = 3  # an act whose place was among this many counts as foreseen
SEARCHED = (2_000, 200_000)  # events for a page: first few, then weeks of a busy person
MOST = 50_000  # acts in a span of time: about three times what a busy month holds


@dataclass(frozen=True, slots=True)
class ActFilter:
    """Conditions on acts; empty strings and None set no condition."""

    app: str = ""
    site: str = ""
    text: str = ""
    operation: Operation | None = None
    since: datetime | None = None
    until: datetime | None = None
    is_hit: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions as SQL."""
        row, event = PredictionRow, EventRow
        is_visit, foreseen = event.operation == Operation.WEB_VISIT.value, row.place_rank <= FIRST
        found = [event.app == self.app] if self.app else []
        found += [is_visit & (event.target == self.site)] if self.site else []
        columns = (event.target, event.app, event.detail) if self.text else ()
        found += [or_(*(column.icontains(self.text, autoescape=True) for column in columns))] if columns else []
        if self.operation:
            found.append(event.operation == counted_as(self.operation).value)
        if self.operation in FILES:
            found.append(event.saved == (self.operation is Operation.FILE_SAVE))
        found += [event.at >= self.since] if self.since else []
        found += [event.at < self.until] if self.until else []
        if self.is_hit is not None:
            found.append(foreseen if self.is_hit else row.place_rank.is_(None) | ~foreseen)
        return found


def write_position(position: Position) -> str:
    """Return a position as text, for a question about what came before it."""
    at, seq = position
    return f"{at.timestamp()}~{seq}"


def read_position(text: str | None) -> Position | None:
    """Return the position that `write_position` wrote; None for nothing. Raises UsageError for any other text."""
    try:
        at, _, seq = (text or "").partition("~")
        return (datetime.fromtimestamp(float(at), UTC), range(LAST + 1).index(int(seq))) if text else None
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError("There is no such page of the history; begin again with the newest one.") from error


class ActPage(NamedTuple):
    """Acts, each with the prediction that it judged, newest first, and where the next page begins."""

    acts: Acts
    older: Position | None
    """The position before which the next page begins; None if no older act can match."""
    is_full: bool
    """Whether it has as many acts as asked for; else all events down to `older` were searched."""


NEWEST: Position = datetime.max.replace(tzinfo=UTC), LAST
NO_ACTS = ActPage([], None, is_full=False)


def find_page(session: Session, scope: str, chosen: ActFilter, limit: int, before: Position | None) -> ActPage:
    """Return the newest acts before a position, of those in the last 200,000 events unless a day is chosen."""
    begin = _find_newest_named(session, scope, chosen, before or NEWEST)
    if begin is None:
        return NO_ACTS
    for number in SEARCHED:
        down_to = None if chosen.since else _find_position(session, scope, begin, number)
        found = find_acts(session, scope, chosen, limit + 1, begin, down_to)
        if len(found) > limit:
            _, last = found[limit - 1]
            return ActPage(found[:limit], (last.at, last.seq), is_full=True)
        if down_to is None:
            return ActPage(found, None, is_full=False)
    return ActPage(found, down_to and _find_newest_named(session, scope, chosen, down_to), is_full=False)


def _find_newest_named(session: Session, scope: str, chosen: ActFilter, before: Position) -> Position | None:
    """Return the position after the newest event in the app or at the site chosen, if any; else the one given.

    None if there is no such event. An index has the time, however long ago that was.
    """
    if not (chosen.site or chosen.app):
        return before
    names = (EventRow.target, [chosen.site]) if chosen.site else (EventRow.app, [chosen.app])
    operations = [Operation.WEB_VISIT] if chosen.site else list(Operation)
    newest = select(func.max(EventRow.at)).where(_is_before(before))
    times = [session.scalar(newest.where(named(scope, operation, *names))) for operation in operations]
    found = max(filter(None, times), default=None)
    return min(before, (found, LAST)) if found else None


def _find_position(session: Session, scope: str, before: Position, number: int) -> Position | None:
    """Return the position of the event that is this many before another one; None if there are fewer."""
    query = select(EventRow.at, EventRow.seq).where(EventRow.scope == scope, _is_before(before))
    found = session.execute(query.order_by(*NEWEST_FIRST).offset(number - 1).limit(1)).first()
    return (found.at, found.seq) if found else None


def find_acts(
    session: Session,
    scope: str,
    chosen: ActFilter,
    limit: int,
    before: Position | None = None,
    down_to: Position | None = None,
) -> Acts:
    """Return acts before a position in the order of time, each with the prediction that it judged, newest first.

    The events are read in the order of their index, so that a page takes as long in a store of years as in a new one,
    unless few acts match: then all events are searched, or those down to the position `down_to`.
    """
    query = (
        select(PredictionRow, EventRow)
        .options(load_only(*READ))
        .join(EventRow, PredictionRow.person_event_id == EventRow.id)
        .where(EventRow.scope == scope, _is_before(before), *chosen.conditions())
    )
    if down_to is not None:
        at, seq = down_to
        query = query.where(EventRow.at >= at, or_(EventRow.at > at, EventRow.seq >= seq))
    found = session.execute(query.order_by(*NEWEST_FIRST).limit(limit))
    return [(prediction, event) for prediction, event in found]


def _is_before(position: Position | None) -> ColumnElement[bool]:
    if position is None:
        return true()
    at, seq = position
    return (EventRow.at <= at) & or_(EventRow.at < at, EventRow.seq < seq)


def find_acts_in_span(session: Session, scope: str, since: datetime, until: datetime) -> Sequence[Any]:
    """Return time, operation, target, app, detail, executable and place rank of each act in the span, by time.

    The rank is that of its place in the prediction that it judged; it is null without one.
    """
    row, event = PredictionRow, EventRow
    query = (
        select(event.at, event.operation, event.target, event.app, event.detail, event.executable, row.place_rank)
        .outerjoin(row, (row.person_event_id == event.id) & (row.scope == event.scope))
        .where(event.scope == scope, event.at >= since, event.at < until)
        .where(event.operation.in_([Operation(name).value for name in HUMAN]))
    )
    return session.execute(query.order_by(event.at, event.seq).limit(MOST)).all()


def is_foreseen(place_rank: int | None) -> bool:
    """Return whether an act's place was among the first that were predicted."""
    return place_rank is not None and place_rank <= FIRST
