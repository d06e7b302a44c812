"""The one place where events and predictions are removed, for good, with what hangs on them.

A prediction goes with the event that it follows and with its outcome, a dispatch with its prediction.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, func, or_, select, text
from sqlalchemy.orm import Session

from db.engine import Store
from db.intake.events import CHUNK
from db.models import Base, DispatchRow, EventRow, PredictionRow

BATCH = 2_000
"""Rows of one transaction."""
PAGES = 2_000
"""Of SQLite, given back in one transaction."""
TRIES = 3
"""To empty the log that is written ahead; each waits for its readers, as long as for a writer."""


def delete_events(session: Session, ids: Sequence[int]) -> Counter[str]:
    """Remove events; how many rows of each kind went."""
    removed = Counter[str]()
    for chunk in _chunks(ids):
        removed += delete_predictions(session, _on(chunk))
        removed["events"] += _delete(session, EventRow, EventRow.id.in_(chunk))
    return removed


def delete_predictions(session: Session, which: ColumnElement[bool]) -> Counter[str]:
    """Remove predictions; how many rows of each kind went."""
    ids = select(PredictionRow.id).where(which).scalar_subquery()
    dispatches = _delete(session, DispatchRow, DispatchRow.prediction_id.in_(ids))
    return Counter(dispatches=dispatches, predictions=_delete(session, PredictionRow, which))


def find_predictions_on(session: Session, event_ids: Sequence[int]) -> set[int]:
    """Ids of the predictions that go with these events."""
    return {
        number for chunk in _chunks(event_ids) for number in session.scalars(select(PredictionRow.id).where(_on(chunk)))
    }


def count_dispatches(session: Session, ids: Sequence[int]) -> int:
    """How many dispatches go with these predictions."""
    counts = (select(func.count()).where(DispatchRow.prediction_id.in_(chunk)) for chunk in _chunks(ids))
    return sum(session.scalar(query) or 0 for query in counts)


def _on(event_ids: Sequence[int]) -> ColumnElement[bool]:
    return or_(PredictionRow.last_event_id.in_(event_ids), PredictionRow.outcome_event_id.in_(event_ids))


def delete_predictions_by_id(session: Session, ids: Sequence[int]) -> Counter[str]:
    """The same by their ids."""
    return sum((delete_predictions(session, PredictionRow.id.in_(chunk)) for chunk in _chunks(ids)), Counter())


def delete_predictions_before(session: Session, before: datetime) -> Counter[str]:
    """The same of those made before a time."""
    return delete_predictions(session, PredictionRow.made_at < before)


def _chunks(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def _delete(session: Session, table: type[Any], which: ColumnElement[bool]) -> int:
    statement = delete(table).where(which).execution_options(synchronize_session=False)
    return cast(CursorResult[Any], session.execute(statement)).rowcount


def count_bytes(session: Session) -> int:
    """Bytes that are in use in the store; on Postgres those of the rows alone, for it gives no file back."""
    if session.get_bind().dialect.name == "sqlite":
        pages = "pragma_page_count() a, pragma_freelist_count() b, pragma_page_size() c"
        return int(session.scalar(text(f"SELECT (page_count - freelist_count) * page_size FROM {pages}")) or 0)
    return sum(
        int(session.scalar(text(f"SELECT coalesce(sum(pg_column_size(t)), 0) FROM {table.__tablename__} t")) or 0)
        for table in (EventRow, PredictionRow, DispatchRow)
    )


def find_oldest_events(session: Session, count: int) -> Sequence[int]:
    """Ids of the oldest events."""
    return session.scalars(select(EventRow.id).order_by(EventRow.at, EventRow.seq).limit(count)).all()


def find_events_before(session: Session, scope: str, before: datetime) -> Sequence[int]:
    """Ids of a scope's events before a time, of one transaction."""
    query = select(EventRow.id).where(EventRow.scope == scope, EventRow.at < before)
    return session.scalars(query.order_by(EventRow.at).limit(BATCH)).all()


def count_events(session: Session) -> int:
    """How many events there are."""
    return session.scalar(select(func.count()).select_from(EventRow)) or 0


def release_space(store: Store) -> bool:
    """Give the space of what was removed back; false where a reader kept SQLite's log from being emptied.

    Else none of what was removed is left in its files.
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
            cursor.executescript(f"PRAGMA incremental_vacuum({PAGES})")  # `execute` would free one page, and commit it
            before, free = free, ask("freelist_count")
            if free >= before:  # a store that MEMO did not make may not do that
                break
        return any(not ask("wal_checkpoint(TRUNCATE)") for _ in range(TRIES))
