"""`memo predict`, `memo why` and the worker learn the same events and give the same answer."""

from datetime import UTC, datetime, timedelta

import pytest
from alone import HistoryAlone, lone_updater
from sqlalchemy import select
from stores import store_events

from cli.predictions.predict import answer_newest
from db.engine import Store
from db.intake import events, scopes
from db.models import PredictionRow
from forget import erase_files
from memo.core.errors import MemoError
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from worker.prediction.explanation import explain
from worker.prediction.scope_models import HELD, ScopeModels

SCOPE = "ada@host"
START = datetime.now(UTC) - timedelta(hours=9)


def happen(store: Store, number: int, begin: int = 0) -> None:
    """Store visits to some sites, in turn but for some."""
    visits = [
        Event(START + timedelta(minutes=n), Operation.WEB_VISIT, f"{'abcab'[n * n % 5]}.example")
        for n in range(begin, begin + number)
    ]
    with store.write() as session:
        store_events(session, SCOPE, visits)


@pytest.mark.parametrize("learned", [events.LEARNED, 30], ids=["all events", "the newest ones"])
@pytest.mark.parametrize("snapshot", [False, True], ids=["from the log", "from a snapshot"])
def test_predict_gives_the_answer_of_a_worker_that_starts(
    store: Store, alone: Settings, home: Home, monkeypatch: pytest.MonkeyPatch, learned: int, snapshot: bool
) -> None:
    monkeypatch.setattr(events.find_begin, "__defaults__", (learned,))
    monkeypatch.setattr(ScopeModels.__init__, "__defaults__", (HELD, learned))
    happen(store, 80)
    work(store, alone, home, snapshot, learned)
    happen(store, 3, begin=80)
    work(store, alone, home, learned=learned)
    served, seen = find_newest(store), Seen()
    answer = answer_newest(alone, home, alone.predict.top, seen)
    for name in ("candidates", "places", "person", "upcoming"):
        assert getattr(served, name) == answer[name]
    assert answer["candidates"] and answer["places"]
    assert answer["new_probability"] == pytest.approx(served.new_probability, abs=1e-6)
    assert seen.events == (3 if snapshot else min(83, learned))


def test_why_gives_the_same_from_a_snapshot_and_the_log(store: Store, alone: Settings, home: Home) -> None:
    happen(store, 80)
    work(store, alone, home, snapshot=True)
    old = find_newest(store).id
    happen(store, 3, begin=80)
    work(store, alone, home)
    newest = find_newest(store).id
    quick, earlier = explain(alone, home, newest, Seen()), explain(alone, home, old, Seen())
    assert (quick["read_again"], quick["events"], earlier["read_again"], earlier["events"]) == (3, 83, 0, 80)
    erase_files.clear_learned(home)
    slow = explain(alone, home, newest, Seen())
    assert slow == quick | {"read_again": 83}
    assert explain(alone, home, old, Seen()) == earlier | {"read_again": 80}
    past = slow["past"]
    assert past["met"] >= len(past["followed"]) > 0
    assert past["followed"][-1] <= slow["at"]


def test_why_of_an_older_prediction_than_any_snapshot(store: Store, alone: Settings, home: Home) -> None:
    happen(store, 40)
    work(store, alone, home)
    old = find_newest(store).id
    happen(store, 40, begin=40)
    work(store, alone, home, snapshot=True)
    found = explain(alone, home, old, Seen())
    assert (found["read_again"], found["events"]) == (40, 40)


def test_why_of_an_old_prediction_in_a_long_replay(
    store: Store, alone: Settings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events.find_begin, "__defaults__", (30,))
    monkeypatch.setattr(ScopeModels.__init__, "__defaults__", (HELD, 30))
    lossless = alone.model_copy(update={"predict": alone.predict.model_copy(update={"every": SCOPE})})
    happen(store, 20)
    work(store, lossless, home)
    old = find_newest(store).id
    happen(store, 60, begin=20)
    work(store, lossless, home)
    found = explain(lossless, home, old, Seen())
    assert (found["read_again"], found["events"]) == (20, 20)


def test_neither_uses_a_snapshot_of_a_log_that_changed(store: Store, alone: Settings, home: Home) -> None:
    happen(store, 80)
    work(store, alone, home, snapshot=True)
    newest = find_newest(store).id
    with store.write() as session:
        scopes.record_new_past(session, SCOPE)
    seen = Seen()
    answer_newest(alone, home, 5, seen)
    assert seen.events == explain(alone, home, newest, Seen())["read_again"] == 80


def test_what_changes_meanwhile_is_not_answered_from(store: Store, alone: Settings, home: Home) -> None:
    happen(store, 80)

    def change(_done: int, _total: int) -> None:
        with store.write() as session:
            scopes.record_new_past(session, SCOPE)

    with pytest.raises(MemoError, match="deleted or inserted meanwhile"):
        answer_newest(alone, home, 5, change)


def test_neither_answers_what_is_excluded_by_now(store: Store, alone: Settings, home: Home) -> None:
    happen(store, 80)
    work(store, alone, home)
    newest = find_newest(store).id
    assert "a.example" in str(explain(alone, home, newest, Seen())["now"])
    excluding = alone.model_copy(update={"privacy": alone.privacy.model_copy(update={"sites": ["a.example"]})})
    assert "a.example" not in str(answer_newest(excluding, home, 5, Seen()))
    found = explain(excluding, home, newest, Seen())
    assert "a.example" not in str([found["now"], found["without_language_model"]])
    assert found["now"]


def test_neither_writes_anything(store: Store, alone: Settings, home: Home) -> None:
    happen(store, 80)
    work(store, alone, home)
    answer_newest(alone, home, 5, Seen())
    explain(alone, home, find_newest(store).id, Seen())
    assert list(home.learned.iterdir()) == []


class Seen:
    """A progress that keeps the number of events to learn."""

    events = 0

    def __call__(self, _done: int, total: int) -> None:
        self.events = total


@pytest.fixture
def alone(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return settings under which no command uses the language model."""
    for module in ("predictors.serving", "prediction.explanation"):
        monkeypatch.setattr(f"worker.{module}.Serving", HistoryAlone)
    return Settings(database_url=database_url, scope=SCOPE)


def work(store: Store, settings: Settings, home: Home, snapshot: bool = False, learned: int = events.LEARNED) -> None:
    """Let a worker start and predict; with a `snapshot` it ends in good order."""
    updater = lone_updater(store, settings, home, learned)
    updater.update(SCOPE)
    if snapshot:
        updater.models.close()


def find_newest(store: Store) -> PredictionRow:
    """Return the newest prediction."""
    with store.read() as session:
        return session.scalars(select(PredictionRow).order_by(PredictionRow.id.desc()).limit(1)).one()


def test_events_to_learn_are_the_newest_ones(store: Store) -> None:
    happen(store, 9)
    with store.read() as session:
        assert [row.seq for row in events.find_learned(session, SCOPE, 8, learned=3)] == [6, 7, 8]
        assert len(events.find_learned(session, SCOPE, 9)) == len(events.find_newest_events(session, SCOPE)) == 9
        assert events.find_newest_events(session, "nobody") == []
