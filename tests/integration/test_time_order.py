"""The order of learning is that of time once the past has grown, and as few events as possible get new numbers."""

import re
from collections.abc import Callable, Sequence
from contextlib import _GeneratorContextManager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session
from stores import store_events

from db.engine import Store
from db.intake import events, time_order
from db.models import ScopeRow
from db.pace import BatchPace
from memo.core.events import Event, Operation

SCOPE, OTHER = "ada@host", "bob@host"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)


def append(store: Store, seconds: Sequence[int], scope: str = SCOPE) -> None:
    """Store an event for each second, in this order, named after it."""
    with store.write() as session:
        given = [Event(START + timedelta(seconds=n), Operation.PROCESS_START, f"{n}") for n in seconds]
        assert len(store_events(session, scope, given)) == len(given)


def numbered(store: Store, scope: str = SCOPE) -> dict[int, int]:
    """Return the seconds of the events in the order of learning, by number."""
    with store.read() as session:
        return {row.seq: int(row.target) for row in events.find_after(session, scope, 0, 1_000)}


def row_of(store: Store, scope: str = SCOPE) -> ScopeRow:
    with store.read() as session:
        return session.get_one(ScopeRow, scope)


def misplaced(store: Store, seq: int = 0, scope: str = SCOPE) -> list[float]:
    with store.read() as session:
        found = time_order.find_misplaced(session, scope, seq)
    return [(at - START).total_seconds() for at in found] if found else []


def prune(store: Store, below: int) -> None:
    with store.write() as session:
        session.execute(text(f"DELETE FROM events WHERE seq < {below}"))


def test_misplaced_events_are_looked_for_after_the_given_one(store: Store) -> None:
    append(store, [10, 0, 30, 20, 5, 40])
    assert misplaced(store) == [0, 20]
    assert misplaced(store, 2) == [5, 20]
    assert misplaced(store, 5) == []
    assert misplaced(store, scope="nobody") == []


def test_events_in_order_keep_numbers_and_learned_state(store: Store) -> None:
    append(store, [0, 10, 10, 20])
    time_order.record_time_order(store, SCOPE, 0)
    assert (numbered(store), row_of(store).generation) == ({1: 0, 2: 10, 3: 10, 4: 20}, 0)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_only_events_after_the_imported_ones_move(store: Store, size: int) -> None:
    append(store, [0, 10, 20, 30, 40])
    append(store, [7], OTHER)
    append(store, [25, 35])
    time_order.record_time_order(store, SCOPE, 5, BatchPace(size))
    assert numbered(store) == {1: 0, 2: 10, 3: 20, 8: 25, 9: 30, 10: 35, 11: 40}
    assert row_of(store).last_seq == 11 and row_of(store).generation > 0
    assert (row_of(store, OTHER).generation, numbered(store, OTHER)) == (0, {1: 7})
    append(store, [50])
    assert numbered(store)[12] == 50
    assert misplaced(store) == []


@pytest.mark.parametrize("size", [1, 2, 100])
def test_only_older_events_move_if_numbers_below_are_free(store: Store, size: int) -> None:
    append(store, range(0, 100, 10))
    prune(store, 5)
    append(store, [-30, -20, -10])
    time_order.record_time_order(store, SCOPE, 10, BatchPace(size))
    assert numbered(store) == {2: -30, 3: -20, 4: -10, 5: 40, 6: 50, 7: 60, 8: 70, 9: 80, 10: 90}
    assert row_of(store).last_seq == 10, "the next event follows the newest one"
    assert misplaced(store) == []


def test_all_move_if_no_number_below_is_free(store: Store) -> None:
    append(store, [20, 30])
    append(store, [0, 10])
    time_order.record_time_order(store, SCOPE, 2)
    assert numbered(store) == {5: 0, 6: 10, 7: 20, 8: 30}
    append(store, [-10])
    time_order.record_time_order(store, SCOPE, 8)
    assert numbered(store) == {4: -10, 5: 0, 6: 10, 7: 20, 8: 30}, "now some are"


class Paced(BatchPace):
    """Batches of two events; calls something before each."""

    def __init__(self, before: Callable[[], None]) -> None:
        super().__init__(2)
        self._before = before

    def write(self, store: Store) -> _GeneratorContextManager[Session]:
        self._before()
        return super().write(store)


@pytest.mark.parametrize("free", [0, 5], ids=["up", "down"])
def test_events_that_arrive_meanwhile_come_last(store: Store, free: int) -> None:
    append(store, range(free + 4))
    prune(store, free + 1)
    append(store, [-2, -1])
    arriving = iter([100, 101, 102])
    time_order.record_time_order(store, SCOPE, free + 4, Paced(lambda: append(store, [next(arriving, 103)])))
    assert list(numbered(store).values())[:6] == [-2, -1, *range(free, free + 4)][:6]
    assert list(numbered(store).values()) == sorted(numbered(store).values())
    assert row_of(store).last_seq == max(numbered(store))


def test_interrupted_order_is_restored_by_the_next(store: Store) -> None:
    def stop() -> None:
        if next(batches) == 2:
            raise OSError

    append(store, range(0, 60, 10))
    append(store, [15, 25])
    batches = count()
    with pytest.raises(OSError):
        time_order.record_time_order(store, SCOPE, 6, Paced(stop))
    assert misplaced(store)
    time_order.record_time_order(store, SCOPE, 0)
    assert list(numbered(store).values()) == [0, 10, 15, 20, 25, 30, 40, 50]


def test_what_is_learned_is_counted_across_gaps(store: Store) -> None:
    append(store, range(0, 100, 10))
    append(store, [85])
    time_order.record_time_order(store, SCOPE, 10)
    assert list(numbered(store)) == [*range(1, 10), 12, 13]
    with store.read() as session:
        assert [row.seq for row in events.find_learned(session, SCOPE, 13, learned=4)] == [8, 9, 12, 13]
        assert events.find_begin(session, SCOPE, 13, 11) == events.find_begin(session, SCOPE, 13, 12) == 0
    prune(store, 3)
    with store.read() as session:
        assert events.find_begin(session, SCOPE, 13, 100) == 2


def test_numbers_are_found_by_the_index_of_times(store: Store) -> None:
    append(store, range(0, 1_000, 2))
    append(store, [501])
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        if re.match("SELECT events.id, events.at", statement):
            sent.append((statement, given))

    event.listen(store.writer, "before_cursor_execute", note)
    time_order.record_time_order(store, SCOPE, 500, BatchPace(100))
    assert len(sent) > 2
    with store.reader.connect() as connection:
        if connection.dialect.name == "postgresql":  # few rows are read whole and sorted wherever that is possible
            connection.execute(text("ANALYZE"))
            connection.execute(text("SET enable_seqscan = off"))
            connection.execute(text("SET enable_bitmapscan = off"))
            connection.execute(text("SET enable_sort = off"))
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        for statement, given in sent:
            plan = str(connection.exec_driver_sql(f"{explain} {statement}", given).all())
            assert "ix_events_scope_at_seq" in plan and "TEMP B-TREE" not in plan and "Sort" not in plan
