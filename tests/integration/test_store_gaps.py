"""A store in which somebody dropped something: `memo doctor` says what is gone, and the remedy that it names works."""

import json
import sqlite3
from contextlib import closing

import pytest
from calling import memo
from sqlalchemy import text
from stores import make_store

from cli.stack.doctor import CHECKS
from db.engine import open_store
from db.rebuild import find_unbuilt
from db.upkeep import backups
from db.upkeep.backups import FAILED
from db.upkeep.lost_schema import find_lost
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.core.system_zone import local_now

pytestmark = pytest.mark.own_database

LOST = {
    "DROP TABLE feedback": "the table feedback is gone",
    "DROP TABLE alembic_version": "the table alembic_version is gone",
    "ALTER TABLE jobs DROP COLUMN last_result": "the column last_result of the table jobs is gone",
}
UNBUILT = {
    "DROP INDEX ix_events_scope_at_seq": "index ix_events_scope_at_seq",
    "DROP INDEX ix_dispatches_open": "index ix_dispatches_open",
    "DROP VIEW prediction_history": "view prediction_history",
}


@pytest.fixture
def settings(database_url: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a whole store, on both databases."""
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    made = Settings()
    make_store(made, home)
    return made


def do(settings: Settings, home: Home, statement: str) -> None:
    with closing(open_store(settings, home)) as store, store.write() as session:
        session.execute(text(statement))


def test_whole_store_lacks_nothing(settings: Settings, home: Home) -> None:
    with closing(open_store(settings, home)) as store, store.read() as session:
        assert find_lost(session.connection()) == ""
        assert find_unbuilt(session.connection()) == {}


def test_tables_of_another_program_are_no_store(settings: Settings, home: Home) -> None:
    do(settings, home, "DROP TABLE alembic_version")
    do(settings, home, "DROP TABLE feedback")
    with closing(open_store(settings, home)) as store, store.read() as session:
        assert find_lost(session.connection()) == "", "one that has tables named events and jobs"


@pytest.mark.parametrize("statement", LOST)
def test_doctor_names_a_table_or_column_that_is_gone(settings: Settings, home: Home, statement: str) -> None:
    do(settings, home, statement)
    with pytest.raises(MemoError) as raised:
        CHECKS["store"](home, settings)
    assert LOST[statement] in str(raised.value)
    assert ("memo restore" if settings.database_url.startswith("sqlite") else "pg_dump") in str(raised.value)


@pytest.mark.parametrize("statement", UNBUILT)
def test_indexes_and_views_are_made_again(settings: Settings, home: Home, statement: str) -> None:
    do(settings, home, statement)
    with pytest.raises(MemoError, match=f"lacks the {UNBUILT[statement]}; run `memo doctor --repair`"):
        CHECKS["store"](home, settings)
    repaired = json.loads(memo("doctor", "--repair", "--json").stdout)
    assert repaired[0] == {"check": "indexes", "ok": True, "says": f"made again: {UNBUILT[statement]}"}
    assert all(one["ok"] for one in repaired)
    assert "schema" in CHECKS["store"](home, settings)


@pytest.mark.parametrize("statement", LOST)
def test_what_is_gone_comes_back_with_the_backup(home: Home, statement: str) -> None:
    make_store(Settings(), home)
    file = home.root / "memo.db"
    assert backups.back_up(file, home, local_now()).startswith("made")
    do(Settings(), home, statement)
    assert backups.back_up(file, home, local_now()).startswith(f"{FAILED}: the store is damaged ({LOST[statement]})")
    assert memo("restore", "--yes").exit_code == 0
    with closing(sqlite3.connect(file)) as store:
        store.execute("SELECT count(*) FROM feedback, alembic_version")
    assert "schema" in CHECKS["store"](home, Settings())
