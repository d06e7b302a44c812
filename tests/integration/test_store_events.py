import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from conftest import fresh_postgres
from sqlalchemy import create_engine, func, select, text
from stores import make_store
from waiting import WAIT_S

from cli.stack.doctor import CHECKS
from collector.intake import Intake
from db import migrate, migrations
from db.engine import BUSY_TIMEOUT_MS, Store, StoreError, open_store, redacted_store_url, sqlite_path, store_url
from db.intake import cursors, events, scopes
from db.intake.events import Repeats
from db.models import Base, EventRow, ScopeRow
from memo.core.bounded import BoundedDict
from memo.core.errors import MemoError, UsageError
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch

SCOPE = "ada@host"
START = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, scope=SCOPE)


@pytest.fixture
def store(settings: Settings, home: Home) -> Iterator[Store]:
    make_store(settings, home)
    opened = open_store(settings, home)
    yield opened
    opened.close()


@pytest.fixture
def sqlite(home: Home) -> Iterator[Store]:
    make_store(Settings(), home)
    opened = open_store(Settings(), home)
    yield opened
    opened.close()


def test_a_save_is_stored_as_a_use_of_its_file(store: Store) -> None:
    saved = Event(START, Operation.FILE_SAVE, "plan.md", detail="/home/ada", scope=SCOPE)
    with store.write() as session:
        events.add_events(session, SCOPE, [saved], ["1"])
        assert events.has_action(session, SCOPE, saved.action)
    with store.read() as session:
        assert session.scalars(text("SELECT operation FROM events")).all() == ["file_access"]
        assert [event.operation for event in events.find_newest_events(session, SCOPE)] == [Operation.FILE_SAVE]


def started(name: str, second: float = 0) -> Event:
    return Event(START + timedelta(seconds=second), Operation.PROCESS_START, name)


def append(store: Store, happened: Sequence[Event], repeats: Repeats | None = None, scope: str = SCOPE) -> int:
    counted = repeats or Repeats()
    with store.write() as session:
        return events.add_events(session, scope, happened, [counted.key(event) for event in happened])


def stored(store: Store, scope: str = SCOPE) -> list[tuple[int, str]]:
    with store.read() as session:
        return [(row.seq, row.target) for row in events.find_after(session, scope, 0, 10_000)]


def row_of(store: Store, scope: str = SCOPE) -> ScopeRow:
    with store.read() as session:
        found = scopes.find_scope(session, scope)
    assert found is not None
    return found


def ask(store: Store, life_s: float = 60) -> bool:
    with store.write() as session:
        return scopes.record_request(session, SCOPE, life_s)


# Events


def test_line_is_stored_once(store: Store) -> None:
    happened = [started("a"), started("a"), started("b", 1)]
    assert append(store, happened) == 3
    assert append(store, happened) == 0
    assert append(store, [*happened, started("a")]) == 1
    assert stored(store) == [(1, "a"), (2, "a"), (3, "b"), (4, "a")]


def test_repeats_of_several_files_count_the_most(store: Store) -> None:
    assert append(store, [started("a")] * 2) == 2
    assert append(store, [started("a")] * 3) == 1
    assert append(store, [started("a")]) == 0


def test_line_is_identified_by_second_and_all_fields(store: Store) -> None:
    event = Event(START, Operation.WINDOW_FOCUS, "title", "app", "detail")
    same = replace(event, at=(START + timedelta(milliseconds=900)).astimezone(UTC), executable="/bin/app")
    others = [
        replace(event, at=START + timedelta(seconds=1)),
        replace(event, operation=Operation.WEB_VISIT),
        replace(event, target="other"),
        replace(event, app="other"),
        replace(event, detail="other"),
    ]
    assert append(store, [event]) == 1
    assert append(store, [same]) == 0
    assert [append(store, [other]) for other in others] == [1] * len(others)
    assert append(store, [event], scope="bob@host") == 1


def test_repeats_resume_and_evict_the_oldest() -> None:
    repeats = Repeats(BoundedDict(2))
    first = [repeats.key(started(name)) for name in "aab"]
    assert len(set(first)) == 3
    again = Repeats(repeats.keep())
    assert again.key(started("a")).endswith(".3")
    again.key(started("c"))
    assert len(again.keep()) == 2
    assert again.key(started("a")).endswith(".4")
    assert again.key(started("b")).endswith(".1")


def test_repeats_that_are_not_kept_count_again() -> None:
    before = Repeats()
    keys = [before.key(started(name)) for name in "ab"]
    stored, (newest,) = before.keep(), before.find_newest(1)
    for _ in range(2):
        assert Repeats(stored).key(started("a")) == keys[0].replace(".1", ".2")
    after = Repeats(stored)
    assert newest == keys[1].partition(".")[0]
    after.key(started("a"))
    assert list(after.find_newest(9).values()) == [1, 2] and list(stored.values()) == [1, 1]


def test_event_is_read_as_it_was_stored(store: Store) -> None:
    event = Event(
        START + timedelta(microseconds=123456),
        Operation.FILE_ACCESS,
        "报告 'x'; DROP TABLE events",
        "app",
        "/home/ada",
        SCOPE,
        "inbox",
        "file",
        "/bin/app",
    )
    append(store, [event])
    with store.read() as session:
        [found] = events.find_newest_events(session, SCOPE)
        assert events.find_last_active_scope(session) == SCOPE
        assert list(scopes.find_scope_names(session)) == [SCOPE]
    assert found == event
    assert found.at.utcoffset() == timedelta(hours=8)


def test_times_are_written_to_sqlite_as_sorted_text(sqlite: Store) -> None:
    at = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
    append(sqlite, [replace(started("a"), at=at), replace(started("b"), at=at + timedelta(microseconds=7))])
    with sqlite.read() as session:
        texts = list(session.scalars(text("SELECT at FROM events ORDER BY seq")))
        after = session.scalars(select(EventRow.target).where(EventRow.at > at)).all()
    assert texts == ["2026-03-02 01:00:00.000000", "2026-03-02 01:00:00.000007"]
    assert after == ["b"]


def test_thousands_of_events_are_stored_at_once(store: Store) -> None:
    happened = [started(str(number), number) for number in range(1_201)]
    assert append(store, happened) == 1_201
    assert append(store, happened) == 0
    assert stored(store) == [(number + 1, str(number)) for number in range(1_201)]
    with store.read() as session:
        assert [event.target for event in events.find_newest_events(session, SCOPE)] == [
            event.target for event in happened
        ]
        assert [row.seq for row in events.find_after(session, SCOPE, 1_190, 3)] == [1_191, 1_192, 1_193]


def test_concurrent_writers_leave_no_gap_and_no_duplicate(store: Store) -> None:
    writers, rounds = 4, 8
    barrier = Barrier(writers, timeout=WAIT_S)

    def write(number: int) -> None:
        for turn in range(rounds):
            barrier.wait()
            append(store, [started(f"{number} {turn} {one}") for one in range(3)])

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))
    found = stored(store)
    assert [seq for seq, _ in found] == list(range(1, writers * rounds * 3 + 1))
    assert len({target for _, target in found}) == len(found)
    assert row_of(store).last_seq == len(found)


def test_concurrent_equal_lines_are_stored_once(store: Store) -> None:
    barrier = Barrier(4, timeout=WAIT_S)

    def write(_: int) -> int:
        barrier.wait()
        return append(store, [started("a"), started("b")])

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(write, range(4))) == [0, 0, 0, 2]
    assert stored(store) == [(1, "a"), (2, "b")]


def test_lock_shows_the_current_row(postgres_url: str, home: Home) -> None:
    settings = Settings(database_url=postgres_url)
    migrate.upgrade(settings, home)
    store = open_store(settings, home)
    append(store, [started("a")])
    with store.write() as session:
        known = session.get_one(ScopeRow, SCOPE)
        assert known.last_seq == 1
        append(store, [started("b")])
        assert scopes.lock_scope(session, SCOPE) is known
        assert known.last_seq == 2
    store.close()


# Asking


def test_burst_sends_one_request(store: Store) -> None:
    barrier = Barrier(4, timeout=WAIT_S)

    def burst(_: int) -> bool:
        barrier.wait()
        return ask(store)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(burst, range(4))) == [False, False, False, True]
    assert not ask(store)


def test_request_expires(store: Store) -> None:
    assert ask(store, life_s=0)
    assert ask(store)
    assert not ask(store)


def test_start_clears_the_flag_and_counts_attempts(store: Store) -> None:
    def take() -> int:
        with store.write() as session:
            row = scopes.record_start(session, SCOPE)
            assert row is not None
            assert (row.name, row.pending_until) == (SCOPE, None)
            return row.attempts

    append(store, [started("a")])
    assert ask(store)
    assert [take(), take(), take()] == [1, 2, 3]
    assert ask(store)
    append(store, [started("b")])
    assert [take(), take()] == [1, 2]
    with store.write() as session:
        assert not scopes.record_progress(session, SCOPE, generation=1), "of another generation"
    assert take() == 3
    with store.write() as session:
        assert scopes.record_progress(session, SCOPE, generation=0)
    assert take() == 1
    with store.write() as session:
        assert scopes.record_start(session, "unknown") is None


# Cursors


def test_cursor_is_replaced(store: Store) -> None:
    for cursor in ({"offset": 1, "mark": "é"}, {"offset": 2}):
        with store.write() as session:
            cursors.record_cursor(session, "inbox", "key", cursor)
    with store.read() as session:
        assert cursors.find_cursor(session, "inbox", "key") == {"offset": 2}
        assert cursors.find_cursor(session, "other", "key") is None
        assert cursors.find_cursor(session, "inbox", "other") is None


def test_events_and_cursor_are_committed_together(
    store: Store, settings: Settings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    taking = Intake(store, settings, home, asked.append)
    assert taking.store_batches("inbox", Batch([started("a")], "key", {"offset": 1})) == 1
    assert ask(store) is False
    with store.write() as session:
        scopes.record_start(session, SCOPE)

    def fail(*_: Any) -> None:
        raise ConnectionError

    following = Batch([started("b")], "key", {"offset": 2})
    with monkeypatch.context() as patch:
        patch.setattr(cursors, "record_cursor", fail)
        with pytest.raises(ConnectionError):
            taking.store_batches("inbox", following)
    assert (stored(store), taking.cursor("inbox", "key")) == ([(1, "a")], {"offset": 1})
    assert (row_of(store).last_seq, row_of(store).pending_until) == (1, None)
    with store.writer.begin() as connection:
        connection.execute(text("ALTER TABLE events RENAME TO away"))
    with pytest.raises(StoreError):
        taking.store_batches("inbox", following)
    with store.writer.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO events"))
    assert taking.cursor("inbox", "key") == {"offset": 1}
    assert asked == [SCOPE]
    assert taking.store_batches("inbox", following) == 1
    assert (stored(store), taking.cursor("inbox", "key")) == ([(1, "a"), (2, "b")], {"offset": 2})
    assert asked == [SCOPE, SCOPE]


def test_known_events_send_no_request(store: Store, settings: Settings, home: Home) -> None:
    asked: list[str] = []
    taking = Intake(store, settings, home, asked.append)
    batch = Batch([started("a"), replace(started("b"), scope="bob@host")], "key", {"offset": 1}, from_start=True)
    assert taking.store_batches("inbox", batch) == 2
    assert taking.store_batches("inbox", batch) == 0
    assert sorted(asked) == [SCOPE, "bob@host"]


def test_implausible_time_is_left_out(store: Store, settings: Settings, home: Home) -> None:
    wrong = replace(started("old"), at=datetime(1999, 1, 1, tzinfo=UTC))
    taking = Intake(store, settings, home, lambda _: None)
    assert taking.store_batches("plug-in", Batch([wrong, started("a")], "key", {})) == 1
    with store.read() as session:
        [found] = events.find_newest_events(session, SCOPE)
    assert (found.target, found.source) == ("a", "plug-in")


# The store itself


def test_upgrade_makes_the_tables_and_can_be_repeated(store: Store, settings: Settings, home: Home) -> None:
    append(store, [started("a")])
    migrate.upgrade(settings, home)
    assert stored(store) == [(1, "a")]
    with store.reader.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == migrations.head()


@pytest.mark.own_database
def test_cursor_of_the_first_schema_counts_as_new(
    settings: Settings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest = command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: latest(config, "0001"))
        patched.setattr(migrate, "head", lambda: "0001")
        migrate.upgrade(settings, home)
    store = open_store(settings, home)
    with store.write() as session:
        session.execute(text("INSERT INTO cursors (source, key, cursor) VALUES ('inbox', 'key', '{}')"))
    migrate.upgrade(settings, home)
    with store.write() as session:
        assert cursors.delete_stale_cursors(session, "inbox", set(), datetime.now(UTC) - timedelta(days=1)) == 0
        assert cursors.delete_stale_cursors(session, "inbox", {"key"}, datetime.now(UTC) + timedelta(days=1)) == 0
        assert cursors.delete_stale_cursors(session, "inbox", set(), datetime.now(UTC) + timedelta(days=1)) == 1
    store.close()


@pytest.mark.own_database
def test_concurrent_upgrades_run_once(settings: Settings, home: Home) -> None:
    barrier = Barrier(3, timeout=WAIT_S)

    def upgrade(_: int) -> None:
        barrier.wait()
        migrate.upgrade(settings, home)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(upgrade, range(3)))
    store = open_store(settings, home)
    assert stored(store) == []
    store.close()


@pytest.mark.own_database
def test_store_of_a_newer_memo_is_refused(store: Store, settings: Settings, home: Home) -> None:
    append(store, [started("a")])
    with store.writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"newer MEMO \(schema 9999\)") as failure:
        migrate.upgrade(settings, home)
    assert "\n" not in str(failure.value)
    assert stored(store) == [(1, "a")]
    with store.reader.connect() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"


def c_locale(encoding: str) -> AbstractContextManager[str]:
    return fresh_postgres(f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")


def test_a_database_without_an_encoding_keeps_all_texts(home: Home) -> None:
    with c_locale("SQL_ASCII") as url:
        settings = Settings(database_url=url)
        migrate.upgrade(settings, home)
        store = open_store(settings, home)
        append(store, [started("终端 — é")])
        assert stored(store) == [(1, "终端 — é")]
        store.close()


def test_a_database_that_lacks_characters_is_refused(home: Home) -> None:
    with c_locale("LATIN1") as url:
        settings = Settings(database_url=url)
        for asked in (migrate.upgrade, lambda settings, home: CHECKS["store"](home, settings)):
            with pytest.raises(StoreError, match=r"encoding LATIN1.*ENCODING 'UTF8' TEMPLATE template0"):
                asked(settings, home)


def test_a_user_who_may_make_no_tables_gets_the_remedy(postgres_url: str, home: Home) -> None:
    user = f"memo_test_{uuid4().hex[:12]}"
    owner = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    settings = Settings(database_url=postgres_url.replace("postgres@", f"{user}@"))
    with owner.connect() as connection:
        connection.execute(text(f"CREATE ROLE {user} LOGIN"))
        connection.execute(text("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        try:
            with pytest.raises(StoreError, match=f"user {user} may not make tables.* GRANT CREATE") as refused:
                CHECKS["store"](home, settings)
            connection.execute(text(str(refused.value).rpartition(": ")[2].removesuffix(".")))
            migrate.upgrade(settings, home)
            assert migrations.head() in CHECKS["store"](home, settings)
        finally:
            connection.execute(text(f"DROP OWNED BY {user}"))
            connection.execute(text(f"DROP ROLE {user}"))
    owner.dispose()


@pytest.mark.own_database
def test_failing_migration_changes_nothing(settings: Settings, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr("alembic.operations.Operations.execute", fail, raising=False)
        with pytest.raises(ConnectionError):
            migrate.upgrade(settings, home)
    store = open_store(settings, home)
    with store.reader.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() is None
    store.close()
    migrate.upgrade(settings, home)


def test_pragmas_are_in_force_on_every_connection(sqlite: Store) -> None:
    wanted = {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": BUSY_TIMEOUT_MS,
        "auto_vacuum": 2,
        "synchronous": 2,
    }
    for engine in (sqlite.writer, sqlite.reader):
        with closing(engine.raw_connection()) as one, closing(engine.raw_connection()) as other:
            for connection in (one, other):
                cursor = connection.cursor()
                assert {name: cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted} == wanted
                cursor.close()


def test_only_a_lasting_commit_waits_for_the_disk(store: Store) -> None:
    is_sqlite = store.writer.dialect.name == "sqlite"
    asked, lasting, other = ("PRAGMA synchronous", 2, 1) if is_sqlite else ("SHOW synchronous_commit", "on", "off")

    def find_level(is_lasting: bool) -> object:
        with store.write(is_lasting) as session:
            return session.scalar(text(asked))

    if not is_sqlite:  # the database of the tests never waits
        with store.writer.begin() as connection:
            connection.execute(text(f"ALTER DATABASE {connection.engine.url.database} SET synchronous_commit = on"))
        store.writer.dispose()
    assert [find_level(is_lasting) for is_lasting in (True, False, True)] == [lasting, other, lasting]


def test_foreign_keys_hold(store: Store) -> None:
    happened = {"scope": "nobody", "seq": 1, "line_key": "x", "at": START, "utc_offset_s": 0, "stored_at": START}
    empty = dict.fromkeys(("operation", "target", "app", "detail", "source", "source_key", "executable"), "")
    with pytest.raises(StoreError), store.write() as session:
        session.add(EventRow(**happened, **empty))


def test_reads_do_not_wait_for_a_writer(store: Store) -> None:
    append(store, [started("a")])
    with store.write() as session:
        events.add_events(session, SCOPE, [started("b")], ["key"])
        assert stored(store) == [(1, "a")]
    assert stored(store) == [(1, "a"), (2, "b")]


def test_time_without_offset_is_refused(store: Store) -> None:
    with pytest.raises(Exception, match="offset from UTC"), store.read() as session:
        session.scalar(select(func.count()).where(EventRow.at > datetime(2026, 3, 2)))


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgresql+psycopg://ada:secret@host:port/memo",
        "postgresql+psycopg://ada:secret@[::1/memo",
        "nothing://ada:secret@host/memo",
        "sqlite+nothing:///memo.db",
        "mysql://ada:secret@host/memo",
        "postgresql+asyncpg://ada:secret@host/memo",
        "postgresql+psycopg://ada:in@secret@host/memo",
        "postgresql+psycopg://ada:in@secret?x@host/memo",
        "postgresql+psycopg://ada:in@secret/x@host/memo",
        "postgresql+psycopg://host/memo?user=ada&password=in@secret",
        "postgresql+psycopg://ada:secret@host/memo?nonsense=1",
        "postgresql+psycopg://ada:secret@host/memo?cursor_factory=x",
        "sqlite:///memo.db?nonsense=1",
        "sqlite:///memo.db?check_same_thread=secret",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_invalid_url_is_one_sentence(home: Home, url: str) -> None:
    settings = Settings(database_url=url)
    doors: list[Callable[[Settings, Home], object]] = [
        migrate.upgrade,
        redacted_store_url,
        lambda *given: sqlite_path(store_url(*given)),
    ]
    for door in doors:
        with pytest.raises(UsageError, match="database_url") as failure:
            door(settings, home)
        assert "secret" not in str(failure.value)
        assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://ada:secret@host:5432/memo",
        "postgresql+psycopg://host:5432/memo?user=ada&password=secret",
    ],
)
def test_url_is_shown_without_credentials(home: Home, url: str) -> None:
    assert redacted_store_url(Settings(database_url=url), home) == "postgresql+psycopg://host:5432/memo"


def test_home_may_have_any_name(tmp_path: Path) -> None:
    for name in ("a?b", "a%41", "a@b", "a#b"):
        home = Home(tmp_path / name)
        assert sqlite_path(store_url(Settings(), home)) == home.root / "memo.db"


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all/memo.db",
        "sqlite:////proc/memo.db",
        "sqlite:////tmp",
        "postgresql+psycopg://ada:secret@127.0.0.1:1/memo",
        "postgresql://ada:secret@127.0.0.1:1/memo",
        "postgresql+psycopg://ada:secret@127.0.0.1:99999/memo",
        "postgresql+psycopg://ada:secret@nowhere.invalid/memo",
        "postgresql+psycopg://ada:secret@127.0.0.1/memo?sslmode=nonsense",
        "postgresql+psycopg://ada:secret@/memo?host=/nowhere",
    ],
)
def test_unreachable_store_is_one_sentence(home: Home, url: str) -> None:
    settings = Settings(database_url=url)
    with pytest.raises(
        StoreError, match=r"Cannot use the store|no folder /nowhere/at/all|/tmp is no file|/proc/memo.db"
    ) as failure:
        migrate.upgrade(settings, home)
    assert "secret" not in str(failure.value)
    assert "\n" not in str(failure.value)
    store = open_store(settings, home)
    with pytest.raises(StoreError), store.read() as session:
        scopes.find_scope(session, SCOPE)
    store.close()


def test_file_that_is_no_store_is_refused_unchanged(home: Home) -> None:
    path = home.root / "memo.db"
    path.write_bytes(b"not a database, but somebody's text\n" * 100)
    before = path.read_bytes()
    with pytest.raises(MemoError, match="not a database"):
        migrate.upgrade(Settings(), home)
    assert path.read_bytes() == before


def test_read_only_store_is_one_sentence(sqlite: Store) -> None:
    append(sqlite, [started("a")])
    with sqlite.writer.begin() as connection:
        connection.exec_driver_sql("PRAGMA query_only=ON")  # root may write to any file
    with pytest.raises(StoreError, match="readonly"):
        append(sqlite, [started("b")])
    assert stored(sqlite) == [(1, "a")]


@pytest.mark.own_database
def test_store_without_tables_is_one_sentence(store: Store) -> None:
    with store.writer.begin() as connection:
        connection.execute(text("DROP TABLE cursors"))
    with pytest.raises(StoreError, match="up to date") as failure, store.read() as session:
        cursors.find_cursor(session, "inbox", "key")
    assert "\n" not in str(failure.value)


def test_writer_that_never_ends_is_one_sentence(sqlite: Store, home: Home) -> None:
    store = open_store(Settings(), home, busy_timeout_ms=1)
    with closing(sqlite3.connect(home.root / "memo.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            append(store, [started("a")])
    assert append(store, [started("a")]) == 1
    store.close()
