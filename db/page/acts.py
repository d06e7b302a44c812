"""What a person did, each act with the newest prediction made before it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session, load_only

from db.models import EventRow, PredictionRow
from memo.core.errors import UsageError
from memo.core.events import FILES, HUMAN, Operation, counted_as

Position = tuple[datetime, int]
"""Where an event stands in the order of time: `at` and `seq`."""

READ = (PredictionRow.place_rank, PredictionRow.person, PredictionRow.places, PredictionRow.model_version)
FIRST = 3  # an act whose place was among this many counts as foreseen
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


def write_position(event: EventRow) -> str:
    """Return the position of an event, for a question about what came before it."""
    return f"{event.at.timestamp()}~{event.seq}"


def read_position(text: str | None) -> Position | None:
    """Return the position that `write_position` wrote; None for nothing. Raises UsageError for any other text."""
    try:
        at, _, seq = (text or "").partition("~")
        return (datetime.fromtimestamp(float(at), UTC), int(seq)) if text else None
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError("There is no such page of the history; begin again with the newest one.") from error


def find_acts(
    session: Session, scope: str, chosen: ActFilter, limit: int, before: Position | None = None
) -> list[tuple[PredictionRow, EventRow]]:
    """Return acts before a position in the order of time, each with the prediction that it judged, newest first.

    The events are read in the order of their index, so that a page takes as long in a store of years as in a new one.
    """
    query = (
        select(PredictionRow, EventRow)
        .options(load_only(*READ))
        .join(EventRow, PredictionRow.person_event_id == EventRow.id)
        .where(EventRow.scope == scope, *chosen.conditions())
    )
    if before is not None:
        at, seq = before
        query = query.where(EventRow.at <= at, or_(EventRow.at < at, EventRow.seq < seq))
    found = session.execute(query.order_by(EventRow.at.desc(), EventRow.seq.desc()).limit(limit))
    return [(prediction, event) for prediction, event in found]


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
