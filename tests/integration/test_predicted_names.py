"""The names in predictions by day: never less than the stored predictions name, whatever happens to these."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from stores import store_events
from test_counts import SCOPES, START, Life
from test_counts import settings_of as settings_of

from cli.stack import doctor
from db.engine import Store
from db.intake.scopes import lock_scope
from db.models import EventRow, PredictedNameRow, PredictionRow
from db.prediction import predicted_names, predictions
from db.prediction.predicted_names import Day
from db.prediction.predictions import Answers
from db.upkeep import figures, retention
from forget import dependents, erase_rows, match
from forget.query import ForgetQuery
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.predictions import action_as_dict
from memo.core.settings import Settings

Key = tuple[str, str, str, str, str]
"""Scope, operation, place, target and day."""


def named(store: Store) -> set[Key]:
    """Return what the stored predictions name."""
    with store.read() as session:
        return {key for row in session.scalars(select(PredictionRow)) for key in names_of(row)}


def names_of(row: PredictionRow) -> Iterable[Key]:
    actions = [entry["action"] for entry in (*row.candidates, *row.upcoming, *row.person)]
    found = [(action["operation"], action["place"], action["target"]) for action in actions]
    for name in found + [(place["operation"], place["name"], "") for place in row.places]:
        yield row.scope, *name, f"{row.made_at:%Y-%m-%d}"


def kept(store: Store) -> set[Key]:
    with store.read() as session:
        rows = session.scalars(select(PredictedNameRow))
        return {(row.scope, row.operation, row.place, row.target, row.day) for row in rows}


def test_names_are_kept_whatever_happens(store: Store) -> None:
    life = Life(store, seed=3)
    for _ in range(6):
        life.happen()
    for nth in range(24):
        life.predict()
        if nth % 3 == 0:
            life.delete_predictions()
        if nth % 5 == 0:
            life.delete_events()
        assert named(store) <= kept(store)
    assert len({key[-1] for key in kept(store)}) > 2
    life.prune()
    days, kept_days = ({(key[0], key[-1]) for key in found} for found in (named(store), kept(store)))
    assert days and kept_days >= days
    assert all(min(one for one in days if one[0] == scope) <= (scope, day) for scope, day in kept_days)


def test_doctor_repairs_missing_names(store: Store, settings_of: Settings, home: Home) -> None:
    life = Life(store, seed=5)
    life.happen()
    for _ in range(6):
        life.predict()
    before = kept(store)
    with store.write() as session:
        session.execute(delete(PredictedNameRow).where(PredictedNameRow.scope == SCOPES[0]))
    assert not named(store) <= kept(store)
    assert doctor._counts(home, settings_of).startswith("corrected on ")
    assert named(store) <= kept(store) <= before
    assert doctor._counts(home, settings_of).startswith("right on ")


def test_pruning_of_all_predictions_leaves_no_name(store: Store) -> None:
    life = Life(store, seed=4)
    life.happen()
    life.predict()
    with store.read() as session:
        last = session.scalars(select(PredictionRow.made_at).order_by(PredictionRow.made_at.desc())).first()
    assert last is not None and kept(store)
    for _ in range(2):  # a run deletes a part of all at most, but always some
        retention.prune(store, last.replace(year=2027), last.replace(year=2000), 0)
    assert kept(store) == set()


def test_pruning_begins_with_the_names_of_one_day(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.write() as session:
        lock_scope(session, SCOPES[0])
        name = {"scope": SCOPES[0], "operation": "web_visit", "place": "", "target": "a.example"}
        session.add_all(PredictedNameRow(**name, day=f"2026-03-{day:02}") for day in range(1, 31))
    batches, delete_days = list[int](), predicted_names.delete_days

    def delete(session: Session, days: Sequence[Day]) -> Counter[str]:
        batches.append(len(days))
        return delete_days(session, days)

    monkeypatch.setattr(predicted_names, "delete_days", delete)
    retention.prune(store, START, START, 0)
    assert batches[0] == 1, "it may have thousands"
    assert sum(batches) == 30 and kept(store) == set()


@pytest.mark.parametrize("scope", [None, *SCOPES])
def test_forget_erases_the_names_of_its_scope(store: Store, scope: str | None) -> None:
    life = Life(store, seed=5)
    for _ in range(4):
        life.happen()
        life.predict()
    query = ForgetQuery(site="a.example", scope=scope)
    forgotten = {key for key in kept(store) if key[3] == "a.example" and scope in (None, key[0])}
    others = kept(store) - forgotten
    assert forgotten and others
    erase(store, query)
    assert kept(store) == others
    assert not any(key[3] == "a.example" and scope in (None, key[0]) for key in named(store))


def erase(store: Store, query: ForgetQuery, meanwhile: Any = lambda: None) -> None:
    with store.read() as session:
        matches = match.find_matches(session, query, lambda done, total: None)
        found = dependents.find_dependents(session, matches)
    meanwhile()
    erase_rows.erase_predictions(store, matches, found)


def test_names_of_a_prediction_made_meanwhile_stay(store: Store) -> None:
    life = Life(store, seed=6)
    life.happen()
    life.predict()

    def predict_again() -> None:
        with store.read() as session:
            newest = figures.find_newest_id(session)
        while not any(key[3] == "a.example" for key in made_after(store, newest)):
            life.predict()

    erase(store, ForgetQuery(site="a.example"), predict_again)
    assert any(key[3] == "a.example" for key in named(store)), "it is looked at by the second pass of a forget"
    assert named(store) <= kept(store)
    erase(store, ForgetQuery(site="a.example"))
    assert not any(key[3] == "a.example" for key in kept(store))


def test_a_timed_forget_erases_what_its_days_named(store: Store) -> None:
    life = Life(store, seed=8)
    for _ in range(6):
        life.happen()
        life.predict()
    with store.read() as session:
        first = session.scalars(select(PredictionRow).order_by(PredictionRow.made_at)).first()
    assert first is not None
    begin = first.made_at - timedelta(hours=12)  # the time of its event
    query = ForgetQuery(since=begin, until=begin + timedelta(hours=12))
    assert kept(store) == named(store)
    erase(store, query)
    assert named(store), "there are others"
    assert kept(store) == named(store), "nothing of what was predicted in that time is remembered"


def test_a_window_without_an_app_is_not_the_app_of_its_name(store: Store) -> None:
    app = Event(START, Operation.WINDOW_FOCUS, "Sheet", "calc")
    untitled = Event(START + timedelta(hours=1), Operation.WINDOW_FOCUS, "calc")
    with store.write() as session:
        store_events(session, SCOPES[0], [app, untitled])
        made = PredictionRow(
            scope=SCOPES[0],
            made_at=START,
            last_event_id=1,
            model_version="builtin",
            candidates=[],
            upcoming=[{"action": action_as_dict(app.action.coarse)}],
            new_probability=0.1,
            latency_ms=1.0,
        )
        predictions.record_answers(session, Answers(made=[made]))
    erase(store, ForgetQuery(since=untitled.at))
    assert named(store) and named(store) <= kept(store)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)  # SQLite has one writer
def test_names_of_a_prediction_under_way_stay(store: Store) -> None:
    life = Life(store, seed=9)
    with store.write() as session:
        for scope in SCOPES:
            store_events(session, scope, [Event(START, Operation.PROCESS_START, "a")])
    with store.read() as session:
        mine, other = session.scalars(select(EventRow).order_by(EventRow.scope)).all()
    site = {"operation": "web_visit", "target": "a.example", "place": ""}
    rows = [life.prediction(mine), life.prediction(other)]
    for row in rows:
        row.upcoming = [{"action": site}]
    with store.write() as session:
        predictions.record_answers(session, Answers(made=rows[:1]))
        with store.write() as another:  # gets a later id, and is committed earlier
            predictions.record_answers(another, Answers(made=rows[1:]))
        with store.read() as reading:
            matches = match.find_matches(reading, ForgetQuery(site="a.example"), lambda done, total: None)
            found = dependents.find_dependents(reading, matches)
    erase_rows.erase_predictions(store, matches, found)
    assert named(store) <= kept(store)
    assert any(key[3] == "a.example" for key in named(store)), "it is found by the second pass of a forget"


def made_after(store: Store, newest: int) -> set[Key]:
    with store.read() as session:
        rows = session.scalars(select(PredictionRow).where(PredictionRow.id > newest))
        return {key for row in rows for key in names_of(row)}


def test_days_are_found_by_place_and_by_target(store: Store) -> None:
    life = Life(store, seed=7)
    for _ in range(4):
        life.happen()
        life.predict()
    expected = {(key[0], key[-1]) for key in named(store) if key[2] == "x"}
    with store.read() as session:
        which = [
            one
            for scope in SCOPES
            for by_place in (True, False)
            for one in predicted_names.find_named(session, scope, Operation, lambda name: name[1] == "x", by_place)
        ]
        found = predicted_names.find_days(session, which)
    assert set(found) == expected and expected
