"""The kept counts, on both databases: always what counting all rows gives."""

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text, update
from stores import SINCE_0015

from cli.stack import doctor
from db import migrate
from db.engine import Store, open_store
from db.intake import counts, events
from db.models import DailyCountRow, EventRow, PredictionRow
from db.prediction import predictions
from db.prediction.predictions import Answers
from db.upkeep import deletion, figures, retention
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings

SCOPES = ("ada@host", "bob@host")
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Life:
    """What happens to a store, at random."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.random, self.keys = store, Random(seed), events.Repeats()

    def happen(self) -> None:
        begin = START + timedelta(hours=self.random.randrange(100))
        given = [
            Event(begin + timedelta(minutes=n), Operation.PROCESS_START, self.random.choice("abc")) for n in range(9)
        ]
        with self.store.write() as session:
            events.add_events(session, self.random.choice(SCOPES), given, [self.keys.key(event) for event in given])

    def predict(self) -> None:
        with self.store.write() as session:
            made = [self.prediction(row) for row in self._some(session, EventRow)]
            predictions.record_answers(session, Answers(made=made))
            again = self.prediction(session.get_one(EventRow, made[0].last_event_id))
            predictions.record_answers(session, Answers(made=[again]))

    def prediction(self, row: EventRow) -> PredictionRow:
        return PredictionRow(
            scope=row.scope,
            made_at=row.at + timedelta(hours=12),
            last_event_id=row.id,
            model_version=self.random.choice(("builtin", "v1")),
            candidates=[
                {"action": action, "probability": 0.1, "expected_at": START.isoformat()} for action in self._actions()
            ],
            upcoming=[{"action": action} for action in self._actions()],
            places=[{"operation": "window_focus", "name": self.random.choice("xyz"), "probability": 0.1}],
            new_probability=0.1,
            latency_ms=1.0,
            with_model=self.random.random() < 0.5,
        )

    def _actions(self) -> list[dict[str, str]]:
        names = self.random.sample("abcdef", 2)
        return [{"operation": "web_visit", "target": f"{name}.example", "place": ""} for name in names]

    def settle(self) -> None:
        with self.store.write() as session:
            for row in self._some(session, PredictionRow):
                session.expunge(row)
                row.outcome_event_id = row.person_event_id = row.upcoming_event_id = row.last_event_id
                row.outcome_rank, row.place_rank, row.person_rank, row.upcoming_rank = self._ranks()
                row.is_late = self.random.random() < 0.3
                predictions.record_answers(session, Answers(settled=[row], by_acts=[row], by_wants=[row]))

    def _ranks(self) -> list[int | None]:
        return [self.random.choice((None, 1, 2, 3, 4, 5, 6)) for _ in range(4)]

    def delete_events(self) -> None:
        with self.store.write() as session:
            deletion.delete_events(session, [row.id for row in self._some(session, EventRow)])

    def delete_predictions(self) -> None:
        with self.store.write() as session:
            deletion.delete_predictions_by_id(session, [row.id for row in self._some(session, PredictionRow)])

    def prune(self) -> None:
        retention.prune(self.store, START + timedelta(hours=20), START + timedelta(hours=10), 0)

    def _some(self, session: Any, row: type[Any]) -> list[Any]:
        rows = list(session.scalars(select(row).order_by(row.id)))
        return self.random.sample(rows, min(len(rows), 5))


def counted(store: Store) -> counts.Counts:
    """Count all rows."""
    with store.read() as session:
        return counts.count_events(session) | counts.count_predictions(session)


def kept(store: Store) -> counts.Counts:
    with store.read() as session:
        rows = session.scalars(select(DailyCountRow))
        return {
            (row.scope, row.day, row.version): Counter({name: getattr(row, name) for name in counts.NAMES})
            for row in rows
        }


def test_counts_are_kept_whatever_happens(store: Store) -> None:
    life = Life(store, seed=1)
    life.happen()
    ways = (
        life.happen,
        life.predict,
        life.settle,
        life.settle,
        life.delete_events,
        life.delete_predictions,
        life.prune,
    )
    for step in range(40):
        life.random.choice(ways)() if step % 2 else life.predict() if step % 4 else life.happen()
        assert kept(store) == counted(store), "counters of zero are equal to missing ones"
    assert len({version for _, _, version in kept(store)}) == 3
    with store.read() as session:
        found = figures.find_figures(session, SCOPES[0])
        assert found["events"] == session.scalar(select(func.count()).select_from(EventRow)) != 0
        assert found["predictions"] == session.scalar(select(func.count()).select_from(PredictionRow)) != 0


def test_days_without_rows_are_not_remembered(store: Store) -> None:
    life = Life(store, seed=2)
    life.happen()
    with store.write() as session:
        deletion.delete_events(session, list(session.scalars(select(EventRow.id))))
    assert kept(store) == {}


def test_doctor_repairs_wrong_counts(store: Store, settings_of: Settings, home: Home) -> None:
    Life(store, seed=4).happen()
    with store.write() as session:
        session.execute(update(DailyCountRow).values(events=7))
    assert doctor._counts(home, settings_of) == "corrected on 1 of 1 days"
    assert kept(store) == counted(store)
    assert doctor._counts(home, settings_of) == "right on 1 of 1 days"


@pytest.fixture
def settings_of(database_url: str) -> Settings:
    return Settings(database_url=database_url)


@pytest.mark.parametrize("change", [update(DailyCountRow).values(events=7, hit_1=9), delete(DailyCountRow)])
def test_counting_a_day_again_repairs_it(store: Store, change: Any) -> None:
    life = Life(store, seed=3)
    life.happen()
    life.predict()
    life.settle()
    with store.write() as session:
        session.execute(change)
        session.add(DailyCountRow(scope=SCOPES[0], day="2020-01-01", version="", events=3))
    assert kept(store) != counted(store)
    with store.read() as session:
        days = counts.find_counted_days(session)
    found = []
    for scope, day in days:
        with store.write() as session:
            found.append(counts.record_day(session, scope, day))
    assert False in found
    assert kept(store) == counted(store)
    with store.write() as session:
        assert all(counts.record_day(session, scope, day) for scope, day in days)


@pytest.mark.own_database
def test_upgrade_counts_what_is_stored(database_url: str, home: Home, settings_of: Settings) -> None:
    migrate.upgrade(settings_of, home)
    with closing(open_store(settings_of, home)) as store:
        life = Life(store, seed=5)
        for step in (life.happen, life.happen, life.predict, life.settle):
            step()
        before = kept(store)
        with store.write() as session:
            for statement in SINCE_0015:
                session.execute(text(statement))
        migrate.upgrade(settings_of, home)
        assert kept(store) == before == counted(store)
