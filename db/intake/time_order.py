"""The order of learning, restored after the past has grown: the events of a scope are numbered again by time.

That takes minutes in a large store, so it is done in batches. Each event gets a number on the other side of those in
use, so that numbers are unique at all times; events that arrive meanwhile come last. Every batch makes workers begin
again, since they may have read a log that is half in order.
"""

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from db.engine import Store
from db.intake.events import TABLE, find_first_seq
from db.intake.scopes import lock_scope
from db.models import EventRow
from db.pace import BatchPace

_MOVE = update(TABLE).where(TABLE.c.id == bindparam("event")).values(seq=bindparam("number"))


def record_time_order(store: Store, scope: str, pace: BatchPace | None = None) -> None:
    """Renumber all events of a scope by time; learned state will be rebuilt."""
    pace = pace or BatchPace()
    with store.write() as session:
        row = lock_scope(session, scope)
        first, last = find_first_seq(session, scope), row.last_seq
        number = session.scalar(select(func.count()).where(EventRow.scope == scope)) or 0
        goes_down = number < first
        placed = 0 if goes_down else last
        if not goes_down:
            row.last_seq = last + number  # those that arrive meanwhile come after them
        row.generation += 1
    waiting = EventRow.seq >= first if goes_down else EventRow.seq <= last
    reached = None
    while True:
        with pace.write(store) as session:
            row = lock_scope(session, scope)
            query = select(EventRow.id, EventRow.at).where(EventRow.scope == scope, waiting)
            if reached is not None:
                query = query.where(EventRow.at >= reached)
            batch = session.execute(query.order_by(EventRow.at, EventRow.seq).limit(pace.size)).all()
            if batch:
                _place(session, [event for event, _ in batch], placed + 1)
                reached, placed = batch[-1].at, placed + len(batch)
            elif goes_down:
                row.last_seq = placed
            row.generation += 1
        if not batch:
            return


def _place(session: Session, ids: list[int], begin: int) -> None:
    moves = [{"event": event, "number": number} for number, event in enumerate(ids, begin)]
    session.connection().execute(_MOVE, moves)
