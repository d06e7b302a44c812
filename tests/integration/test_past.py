"""Events from before a source watched: stored as imported and in order of time, however often they are reported."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from collector.intake import Intake
from db.engine import Store
from db.intake import events
from db.models import EventRow, ScopeRow
from memo.clock.pauses import NEVER
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Past

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
CURSOR = {"visit": 7}


@pytest.fixture
def store(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    monkeypatch.setenv("MEMO_SCOPE", "a@b")
    return store


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def intake(store: Store, home: Home, asked: list[str]) -> Intake:
    return Intake(store, Settings.load(), home, asked.append, chunk=2)


def visits(names: str, begin: datetime = START) -> list[Event]:
    """One a minute."""
    return [Event(begin + timedelta(minutes=n), Operation.WEB_VISIT, f"{name}.org") for n, name in enumerate(names)]


def stored(store: Store) -> list[EventRow]:
    with store.read() as session:
        return list(session.scalars(select(EventRow).order_by(EventRow.seq)))


def names(store: Store) -> str:
    return "".join(row.target[0] for row in stored(store))


def test_past_is_ordered_before_later_events(intake: Intake, store: Store, home: Home, asked: list[str]) -> None:
    intake.store_batches("x11", Batch(visits("xy", START + timedelta(hours=1)), "k", {}))
    assert intake.store_past("web", Past(iter(visits("abcde")), "profile", CURSOR)) == (5, 5)
    assert names(store) == "abcdexy"
    assert {(row.source, row.source_key) for row in stored(store)[:5]} == {(events.IMPORT, "web")}
    assert intake.cursor("web", "profile") == CURSOR
    assert asked == ["a@b"], "the pending request is enough"


def test_past_reported_again_adds_nothing(intake: Intake, store: Store) -> None:
    def generation() -> int:
        with store.read() as session:
            return session.scalars(select(ScopeRow.generation)).one()

    intake.store_batches("x11", Batch(visits("x", START + timedelta(hours=1)), "k", {}))
    intake.store_past("web", Past(visits("aab"), "profile", CURSOR))
    before = generation()
    assert intake.store_past("web", Past(visits("aab"), "profile", CURSOR)) == (3, 0)
    assert intake.store_past("web", Past((), "profile", CURSOR)) == (0, 0)
    assert (names(store), generation()) == ("aabx", before)


def torn() -> Iterator[Event]:
    yield from visits("abc")
    raise OSError


def test_interrupted_past_is_completed_by_the_next(intake: Intake, store: Store) -> None:
    intake.store_batches("x11", Batch(visits("x", START + timedelta(hours=1)), "k", {}))
    with pytest.raises(OSError):
        intake.store_past("web", Past(torn(), "profile", CURSOR))
    assert (names(store), intake.cursor("web", "profile")) == ("xab", None)
    assert intake.store_past("web", Past(visits("abc"), "profile", CURSOR)) == (3, 1)
    assert names(store) == "abcx"


def test_interrupted_past_without_cursor_is_in_order(intake: Intake, store: Store) -> None:
    intake.store_batches("x11", Batch(visits("x", START + timedelta(hours=1)), "k", {}))
    with pytest.raises(OSError):
        intake.store_past("import", Past(torn(), "", {}), with_cursor=False)
    assert names(store) == "abx"


def test_past_in_a_pause_stores_only_events_before_it(intake: Intake, store: Store, home: Home) -> None:
    home.paused.write_text(f"{(START + timedelta(minutes=1)).isoformat()} {NEVER.isoformat()}\n")
    assert intake.store_past("web", Past(visits("abc"), "profile", CURSOR)) == (1, 1)
    assert (names(store), intake.cursor("web", "profile")) == ("a", CURSOR)


def test_past_with_unreadable_pauses_moves_only_the_cursor(intake: Intake, store: Store, home: Home) -> None:
    home.paused.touch()
    assert intake.store_past("web", Past(visits("abc"), "profile", CURSOR)) == (0, 0)
    assert (names(store), intake.cursor("web", "profile")) == ("", CURSOR)
