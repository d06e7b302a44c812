"""`memo predict` and the worker read the same events and give the same answer."""

from datetime import UTC, datetime, timedelta

import pytest
from alone import HistoryAlone, lone_updater
from sqlalchemy import select

from cli.predictions.predict import answer_newest
from db.engine import Store
from db.intake import events
from db.models import PredictionRow
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings

SCOPE = "ada@host"
START = datetime.now(UTC) - timedelta(hours=9)


def happen(store: Store, number: int, begin: int = 0) -> None:
    """Store visits to some sites, in turn but for some."""
    keys = events.Repeats()
    visits = [
        Event(START + timedelta(minutes=n), Operation.WEB_VISIT, f"{'abcab'[n * n % 5]}.example")
        for n in range(begin, begin + number)
    ]
    with store.write() as session:
        events.add_events(session, SCOPE, visits, [keys.key(visit) for visit in visits])


@pytest.mark.parametrize("learned", [events.LEARNED, 30], ids=["all events", "the newest ones"])
def test_predict_gives_the_answer_of_a_worker_that_starts(
    store: Store, database_url: str, home: Home, monkeypatch: pytest.MonkeyPatch, learned: int
) -> None:
    settings = Settings(database_url=database_url, scope=SCOPE)
    monkeypatch.setattr("worker.predictors.serving.Serving", HistoryAlone)
    monkeypatch.setattr(events.find_learned, "__defaults__", (learned,))
    happen(store, 80)
    lone_updater(store, settings, home, learned).update(SCOPE)
    happen(store, 1, begin=80)
    lone_updater(store, settings, home, learned).update(SCOPE)
    with store.read() as session:
        served = session.scalars(select(PredictionRow).order_by(PredictionRow.id.desc()).limit(1)).one()
    answer = answer_newest(settings, home, settings.predict.top)
    for name in ("candidates", "places", "person", "upcoming"):
        assert getattr(served, name) == answer[name]
    assert answer["candidates"] and answer["places"]
    assert answer["new_probability"] == pytest.approx(served.new_probability, abs=1e-6)


def test_events_to_learn_are_the_newest_ones(store: Store) -> None:
    happen(store, 9)
    with store.read() as session:
        assert [row.seq for row in events.find_learned(session, SCOPE, 8, learned=3)] == [6, 7, 8]
        assert len(events.find_learned(session, SCOPE, 9)) == len(events.find_newest_events(session, SCOPE)) == 9
        assert events.find_newest_events(session, "nobody") == []
