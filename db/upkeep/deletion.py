"""The one place where events and predictions are deleted, for good, with the rows that depend on them.

A prediction depends on the event that it follows and on its outcomes, a dispatch on its prediction.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, func, or_, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.engine import Store
from db.intake import counts, scopes
from db.intake.events import chunks
from db.models import Base, DispatchRow, EventRow, LaunchRow, PredictionRow

PAGES = 100  # pages of SQLite that are released in one transaction
Links = Sequence[InstrumentedAttribute[Any]]
FOLLOWED: Links = (PredictionRow.last_event_id,)
SETTLED_ON: Links = (PredictionRow.outcome_event_id, PredictionRow.person_event_id, PredictionRow.upcoming_event_id)
LINKS: Links = (*FOLLOWED, *SETTLED_ON)  # columns of a prediction that name an event
TRIES = 3  # attempts to empty the write-ahead log; each waits for its readers up to BUSY_TIMEOUT_MS


def delete_events(session: Session, ids: Sequence[int]) -> Counter[str]:
    """Delete events; return the number of rows of each kind."""
    removed = Counter[str]()
    for chunk in chunks(ids):
        removed += delete_predictions(session, _on(chunk, LINKS))
        counts.record_deletion(session, EventRow, EventRow.id.in_(chunk))
        removed["events"] += _delete(session, EventRow, EventRow.id.in_(chunk))
    return removed


def delete_predictions(session: Session, which: ColumnElement[bool]) -> Counter[str]:
    """Delete predictions; return the number of rows of each kind."""
    counts.record_deletion(session, PredictionRow, which)
    ids = select(PredictionRow.id).where(which).scalar_subquery()
    dispatches = _delete(session, DispatchRow, DispatchRow.prediction_id.in_(ids))
    return Counter(dispatches=dispatches, predictions=_delete(session, PredictionRow, which))


def find_linked(session: Session, event_ids: Sequence[int], links: Links) -> set[int]:
    """Return the ids of the predictions that are linked to these events."""
    queries = (select(PredictionRow.id).where(_on(chunk, links)) for chunk in chunks(event_ids))
    return {number for query in queries for number in session.scalars(query)}


def count_dispatches(session: Session, ids: Sequence[int]) -> int:
    """Return the number of dispatches that depend on these predictions."""
    counts = (select(func.count()).where(DispatchRow.prediction_id.in_(chunk)) for chunk in chunks(ids))
    return sum(session.scalar(query) or 0 for query in counts)


def _on(event_ids: Sequence[int], links: Links) -> ColumnElement[bool]:
    return or_(*(link.in_(event_ids) for link in links))


def delete_predictions_by_id(session: Session, ids: Sequence[int]) -> Counter[str]:
    """Delete predictions by their ids; return the number of rows of each kind."""
    return sum((delete_predictions(session, PredictionRow.id.in_(chunk)) for chunk in chunks(ids)), Counter())


def _delete(session: Session, table: type[Any], which: ColumnElement[bool]) -> int:
    statement = delete(table).where(which).execution_options(synchronize_session=False)
    return cast(CursorResult[Any], session.execute(statement)).rowcount


def count_bytes(session: Session) -> int:
    """Return the bytes in use; on Postgres only those of rows, as it does not shrink its files."""
    if session.get_bind().dialect.name == "sqlite":
        pages = "pragma_page_count() a, pragma_freelist_count() b, pragma_page_size() c"
        return int(session.scalar(text(f"SELECT (page_count - freelist_count) * page_size FROM {pages}")) or 0)
    return sum(
        int(session.scalar(text(f"SELECT coalesce(sum(pg_column_size(t)), 0) FROM {table.__tablename__} t")) or 0)
        for table in (EventRow, PredictionRow, DispatchRow)
    )


def find_oldest_events(session: Session, most: int) -> Sequence[int]:
    """Return the ids of the oldest events."""
    query = select(EventRow.at, EventRow.seq, EventRow.id).order_by(EventRow.at, EventRow.seq).limit(most)
    by_scope = (session.execute(query.where(EventRow.scope == scope)) for scope in scopes.find_scope_names(session))
    return [row.id for row in islice(merge(*by_scope), most)]


def find_events_before(session: Session, most: int, before: datetime) -> Sequence[int]:
    """Return the ids of the events before a time, one scope's after another's, its oldest first."""
    ids: list[int] = []
    for scope in scopes.find_scope_names(session):
        query = select(EventRow.id).where(EventRow.scope == scope, EventRow.at < before)
        ids += session.scalars(query.order_by(EventRow.at).limit(most - len(ids)))
    return ids


def find_ids(session: Session, most: int, ids: InstrumentedAttribute[int], which: ColumnElement[bool]) -> Sequence[int]:
    """Return ids in a column, of rows that meet a condition."""
    return session.scalars(select(ids).where(which).limit(most)).all()


def delete_launches(session: Session, ids: Sequence[int]) -> Counter[str]:
    """Delete launches; return their number."""
    return Counter(launches=sum(_delete(session, LaunchRow, LaunchRow.id.in_(chunk)) for chunk in chunks(ids)))


def count_launches(session: Session) -> int:
    """Return the number of launches."""
    return session.scalar(select(func.count()).select_from(LaunchRow)) or 0


def release_space(store: Store) -> bool:
    """Release the space of deleted rows; return False if a reader kept SQLite's log from being emptied.

    If True, SQLite's files contain nothing of the deleted rows.
    """
    if store.writer.dialect.name == "sqlite":
        return _give_back_pages(store)
    with store.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"VACUUM {', '.join(Base.metadata.tables)}"))
    return True


def _give_back_pages(store: Store) -> bool:
    with closing(store.writer.raw_connection()) as connection, closing(connection.cursor()) as cursor:

        def ask(pragma: str) -> int:
            return int(cursor.execute(f"PRAGMA {pragma}").fetchone()[0])

        free = ask("freelist_count")
        while free:
            cursor.executescript(f"PRAGMA incremental_vacuum({PAGES})")  # `execute` would release one page
            before, free = free, ask("freelist_count")
            if free >= before:  # not every store that MEMO did not create can do this
                break
            store.give_way()
        ask("wal_checkpoint(PASSIVE)")  # almost all of the work, during which others write; TRUNCATE makes them wait
        return any(not ask("wal_checkpoint(TRUNCATE)") for _ in range(TRIES))
