"""The upgrade of a store with many days in it, on both databases: killed at any time, it goes on where it was."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text
from stores import SINCE_0014, make_store
from test_counts import SCOPES, Life, counted, kept
from test_predicted_names import kept as kept_names
from test_predicted_names import named

from cli.stack import first_run
from db import migrate, migrations
from db.engine import Store, open_store, revision
from db.intake import cursors, events
from db.models import Base, EventRow
from memo.core.errors import MemoError
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings

pytestmark = pytest.mark.own_database

EVENTS, DAYS = 500, 25
BEGIN = datetime(2026, 2, 1, tzinfo=UTC)
CURSORS: dict[str, dict[str, object]] = {
    "1:1": {"offset": 9},
    "2:2": {"\0": 2**62, "half": "\udcff", "half\udcff": 0.1},
}
"""Positions of a source; JSON can hold texts that jsonb of Postgres can't."""
UPGRADE = """
import os, signal, sys
from db import migrate, migrations
from memo.core.paths import Home
from memo.core.settings import Settings
migrations.BATCH_S = 0.0
left = int(sys.argv[1])
def count(done, total):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
migrate.upgrade(Settings(), Home.find(), count)
"""


@pytest.fixture
def settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    return Settings()


@pytest.fixture
def old(settings: Settings, home: Home) -> Iterator[Store]:
    """A store of schema 0014."""
    migrate.upgrade(settings, home)
    with closing(open_store(settings, home)) as store:
        fill(store)
        with store.write() as session:
            for statement in SINCE_0014:
                session.execute(text(statement))
        yield store


def fill(store: Store) -> None:
    life = Life(store, seed=6)
    step = timedelta(days=DAYS) / EVENTS
    for scope, share in zip(SCOPES, (slice(None, None, 2), slice(1, None, 4)), strict=True):
        given = [Event(BEGIN + n * step, Operation.PROCESS_START, f"{n % 90}") for n in range(EVENTS)[share]]
        with store.write() as session:
            events.add_events(session, scope, given, [life.keys.key(event) for event in given])
    for _ in range(6):
        life.predict()
        life.settle()


def schema(store: Store) -> str | None:
    with store.read() as session:
        return revision(session.connection())


def test_killed_upgrades_go_on_to_the_same_store(old: Store, settings: Settings, home: Home) -> None:
    stopped_at = []
    for steps in (2, *[25] * DAYS):
        command = [sys.executable, "-c", UPGRADE, str(steps)]
        done = subprocess.run(command, env=os.environ | {"MEMO_HOME": str(home.root)})
        if done.returncode != -signal.SIGKILL:
            break
        stopped_at.append(schema(old))
    assert done.returncode == 0
    assert stopped_at[:3] == ["0014", "0015", "0015"], "days that were counted are not counted again"
    assert schema(old) == migrations.head()
    assert kept(old) == counted(old) and len(kept(old)) > 2 * DAYS
    assert kept_names(old) == named(old) != set()
    with old.reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_upgrade_tells_how_far_it_is(
    old: Store, settings: Settings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "BATCH_S", 0.0)
    steps, given = list[tuple[int, int]](), list[Store]()
    monkeypatch.setattr(Store, "give_way", lambda store: given.append(store))
    migrate.upgrade(settings, home, lambda done, total: steps.append((done, total)))
    assert len(given) >= len(steps), "way is given between any two"
    assert steps[:3] == [(1, 4), (2, 4), (3, 4)], "indexes"
    first, last = steps.index((1, steps[3][1])), steps.index((steps[3][1], steps[3][1]))
    days, read, keys = steps[first : last + 1], steps[last + 1 : -2], steps[-2:]
    assert days == sorted(set(days)) and days[-1][0] == days[-1][1] >= 2 * DAYS, "each step is one further"
    assert read == sorted(set(read)) and read[-1][0] == read[-1][1], "predictions, in parts"
    assert keys == [(200, 375), (375, 375)], "keys of events, in parts"


def test_upgrade_gives_lines_the_keys_of_new_ones(old: Store, settings: Settings, home: Home) -> None:
    happened = Event(BEGIN, Operation.PROCESS_START, "0")
    texts = (BEGIN.isoformat(), "process_start", "0", "", "")
    former = hashlib.blake2b("\x1f".join(texts).encode(), digest_size=12).hexdigest()
    with old.write() as session:
        session.execute(text("UPDATE events SET line_key = :key WHERE id = 1"), {"key": f"{former}.2"})
        for key, cursor in CURSORS.items():
            cursors.record_cursor(session, "inbox", key, {"cursor": cursor, "repeats": {former: 2}})
    migrate.upgrade(settings, home)
    keys = events.Repeats()
    with old.read() as session:
        found = session.execute(select(EventRow.line_key, EventRow.at).order_by(EventRow.id)).all()
        for key, cursor in CURSORS.items():
            assert cursors.find_cursor(session, "inbox", key) == {"cursor": cursor, "repeats": {}}
    assert found[0].line_key == [keys.key(happened) for _ in range(2)][-1]
    assert all(key.startswith(f"{int(at.timestamp()):08x}") and len(key) == len("8" * 24 + ".1") for key, at in found)


def test_ctrl_c_in_an_upgrade_says_that_it_goes_on(
    old: Store, settings: Settings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(first_run, "late_progress_bar", press)
    with pytest.raises(MemoError, match="the next `memo up` goes on"):
        first_run.prepare_store(home, settings, requeue=False)
    assert schema(old) != migrations.head()


def test_the_files_of_migrations_begin_with_their_revisions() -> None:
    scripts = ScriptDirectory(str(migrations.FOLDER))
    assert scripts.get_current_head() == migrations.head()
    assert all(os.path.basename(script.path).startswith(f"{script.revision}_") for script in scripts.walk_revisions())


def test_a_store_that_is_up_to_date_needs_no_alembic(settings: Settings, home: Home) -> None:
    make_store(settings, home)
    code = f"{UPGRADE}\nassert 'alembic' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, "0"], check=True)
