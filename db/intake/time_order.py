"""The order of learning, restored after the past has grown: events get new numbers by time.

Only those that are out of order move, with all that are later or, if these are fewer and there are free numbers below,
with all that are earlier. Even so it can be many, so it is done in batches. Each event gets a number on the other side
of those in use, so that numbers are unique at all times; events that arrive meanwhile come last. Every batch makes
workers begin again, since they may have read a log that is half in order.
"""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, select, update
from sqlalchemy.orm import Session

from db.engine import Store
from db.intake.events import TABLE, find_first_seq, find_last_seq
from db.intake.scopes import lock_scope
from db.models import EventRow
from db.pace import BatchPace

Which = tuple[ColumnElement[bool], ...]
_MOVE = update(TABLE).where(TABLE.c.id == bindparam("event")).values(seq=bindparam("number"))


class Misplaced(NamedTuple):
    """The times of the first and of the last event, by time, that are older than one stored before them."""

    first: datetime
    last: datetime


def record_time_order(store: Store, scope: str, seq: int, pace: BatchPace | None = None) -> None:
    """Order the events of a scope by time, unless those after event `seq` are; learned state will be rebuilt then."""
    move = _begin(store, scope, seq)
    if move is None:
        return
    which, placed = move
    pace, reached = pace or BatchPace(), None
    while True:
        with pace.write(store) as session:
            row = lock_scope(session, scope)
            batch = _find_next(session, which, reached, pace.size)
            if batch:
                _place(session, [event for event, _ in batch], placed + 1)
                reached, placed = batch[-1][1], placed + len(batch)
            else:
                newest = session.scalar(select(func.max(EventRow.seq)).where(EventRow.scope == scope))
                row.last_seq = newest or row.last_seq
            row.generation += 1
        if not batch:
            return


def find_misplaced(session: Session, scope: str, seq: int) -> Misplaced | None:
    """Return between which times events after event `seq` are older than one stored before them, or None."""
    of_scope = EventRow.scope == scope
    earlier = select(EventRow.at).where(of_scope, EventRow.seq <= seq).order_by(EventRow.at.desc()).limit(1)
    newest = session.scalar(earlier)
    before = func.max(EventRow.at).over(order_by=EventRow.seq, rows=(None, -1))
    later = select(EventRow.at, before.label("before")).where(of_scope, EventRow.seq > seq).subquery()
    is_older = later.c.at < later.c.before
    if newest is not None:
        is_older |= later.c.at < newest
    first, last = session.execute(select(func.min(later.c.at), func.max(later.c.at)).where(is_older)).one()
    return None if first is None else Misplaced(first, last)


def _begin(store: Store, scope: str, seq: int) -> tuple[Which, int] | None:
    """Reserve numbers; return which events have to move and the number after which they are placed, None if none have.

    They are counted before the scope is locked, as that takes long; what arrives meanwhile is added.
    """
    with store.read() as session:
        misplaced = find_misplaced(session, scope, seq)
        if misplaced is None:
            return None
        known = find_last_seq(session, scope)
        earlier, later = EventRow.at <= misplaced.last, EventRow.at >= misplaced.first
        behind = session.scalar(select(func.count()).where(EventRow.scope == scope, later)) or 0
        before = _count(session, behind + 1, EventRow.scope == scope, earlier)  # more never move
    with store.write() as session:
        row = lock_scope(session, scope)
        first, last = find_first_seq(session, scope), row.last_seq
        arrived = max(0, last - known)
        goes_down = before + arrived < min(first, behind + arrived)
        if not goes_down:
            row.last_seq = last + behind + arrived
        row.generation += 1
    which = (EventRow.scope == scope, EventRow.seq.between(first, last), earlier if goes_down else later)
    return which, first - 1 - before - arrived if goes_down else last


def _count(session: Session, most: int, *which: ColumnElement[bool]) -> int:
    """Count events, up to `most`."""
    found = select(EventRow.id).where(*which).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(found)) or 0


def _find_next(session: Session, which: Which, reached: datetime | None, most: int) -> list[tuple[int, datetime]]:
    """Return the next events by time, from the time reached before."""
    query = select(EventRow.id, EventRow.at).where(*which)
    if reached is not None:
        query = query.where(EventRow.at >= reached)
    found = session.execute(query.order_by(EventRow.at, EventRow.seq).limit(most))
    return [(event, at) for event, at in found]


def _place(session: Session, ids: list[int], begin: int) -> None:
    moves = [{"event": event, "number": number} for number, event in enumerate(ids, begin)]
    session.connection().execute(_MOVE, moves)
