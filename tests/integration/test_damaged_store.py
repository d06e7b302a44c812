"""Backups of a SQLite store; how damage is found, refused and repaired with them."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from calling import memo
from disks import PAGE, overwrite_pages
from sqlalchemy import text
from stores import make_store, store_events

from cli.stack.doctor import CHECKS
from cli.stack.first_run import prepare_store
from db.engine import Store, StoreError, open_store
from db.prediction import versions
from db.store_access import read_session, writable_store
from db.upkeep import backups, jobs
from db.upkeep.backups import FAILED, UNFINISHED
from forget import erase_files
from memo.core import files
from memo.core.errors import MemoError
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running
from memo.stack.task_queue import make_app
from memo.store.damage import NO_FILE, find_backups, find_marked, find_obstacle, mark, store_files
from scheduler import tick, upkeep

SCOPE = "a@b"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
QUEUE = make_app("memory://")


@pytest.fixture
def file(home: Home) -> Path:
    """The file of a store with some hundred pages, closed."""
    make_store(Settings(), home)
    add(home, 0, 400)
    return home.root / "memo.db"


def add(home: Home, start: int, end: int) -> None:
    found = [
        Event(START + timedelta(minutes=n), Operation.WINDOW_FOCUS, f"{n:04}" * 500, "editor")
        for n in range(start, end)
    ]
    store = open_store(Settings(), home)
    with store.write() as session:
        store_events(session, SCOPE, found)
    store.close()


def halve(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    os.truncate(file, 0)


def remove(file: Path) -> None:
    file.unlink()


def replace_by_text(file: Path) -> None:
    file.write_text("no database" * PAGE)


INSIDE = [overwrite_pages, halve, replace_by_text]
DAMAGE = [*INSIDE, empty, remove]


def back_up(home: Home, days: int = 0) -> str:
    return backups.back_up(home.root / "memo.db", home, START + timedelta(days=days))


def count(file: Path) -> int:
    with closing(sqlite3.connect(file)) as store:
        return int(store.execute("SELECT count(*) FROM events").fetchone()[0])


def test_backup_is_a_whole_store_that_its_owner_alone_reads(home: Home, file: Path) -> None:
    assert back_up(home) == "made 000001-2026-03-02T09-00-00Z.db"
    (made,) = find_backups(home.backups)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (home.backups, made)] == [0o700, 0o600]
    assert os.listdir(home.backups) == [made.name]
    assert count(made) == 400
    with closing(sqlite3.connect(made)) as store:
        assert store.execute("PRAGMA auto_vacuum").fetchone() == (2,), "space of deleted rows can be given back"


def test_backup_is_made_while_the_store_is_written(home: Home, file: Path) -> None:
    store = open_store(Settings(), home)
    with store.write() as session:
        session.execute(text("UPDATE events SET app = 'other'"))
        back_up(home)
    store.close()
    with closing(sqlite3.connect(find_backups(home.backups)[0])) as made:
        assert made.execute("SELECT DISTINCT app FROM events").fetchall() == [("editor",)], "what was committed"


def test_newest_backups_are_kept_whatever_the_clock_says(home: Home, file: Path) -> None:
    for days in (0, 36_500, 1, 2, 3):
        back_up(home, days)
    names = ["000005-2026-03-05T09-00-00Z.db", "000004-2026-03-04T09-00-00Z.db", "000003-2026-03-03T09-00-00Z.db"]
    assert [path.name for path in find_backups(home.backups)] == names


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_store_is_never_backed_up(home: Home, file: Path, damage: Callable[[Path], None]) -> None:
    back_up(home)
    before = find_backups(home.backups)[0].read_bytes()
    damage(file)
    for days in (1, 2, 3, 4):
        assert back_up(home, days).startswith(f"{FAILED}: the store is damaged (")
    (only,) = find_backups(home.backups)
    assert only.read_bytes() == before


def test_backup_without_room_leaves_the_others(home: Home, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    back_up(home)

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "force_to_disk", full)
    assert back_up(home, 1) == f"{FAILED}: [Errno 28] No space left on device"
    assert os.listdir(home.backups) == ["000001-2026-03-02T09-00-00Z.db"]


def test_backup_that_forget_deletes_meanwhile_is_made_again(
    home: Home, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been read before the rows were deleted."""
    sync, times = files.force_to_disk, []

    def forget_once(path: Path) -> None:
        times.append(path)
        if len(times) == 1:
            with closing(sqlite3.connect(file)) as store, store:
                store.execute("DELETE FROM events")
            erase_files.remove_copies(home)
        sync(path)

    monkeypatch.setattr(backups, "force_to_disk", forget_once)
    back_up(home)
    (made,) = find_backups(home.backups)
    assert count(made) == 0
    assert not [path for path in home.root.iterdir() if "forgotten" in path.name]


def test_backup_in_a_home_that_is_gone_ends(home: Home, file: Path) -> None:
    said = backups.back_up(file, Home(home.root / "gone"), START)
    assert said.startswith(f"{FAILED}: [Errno 2]")


def test_forget_interrupted_between_its_steps_is_completed(home: Home, file: Path) -> None:
    back_up(home)
    home.backups.rename(home.root / "backups.forgotten")
    back_up(home)
    erase_files.remove_copies(home)
    assert not list(home.root.glob("backups*"))


def test_interrupted_backup_is_made_anew(home: Home, file: Path) -> None:
    home.backups.mkdir()
    (home.backups / UNFINISHED).write_bytes(b"half")
    back_up(home)
    assert [path.name for path in home.backups.iterdir()] == ["000001-2026-03-02T09-00-00Z.db"]


@pytest.fixture
def opened(home: Home, file: Path) -> Iterator[Store]:
    """A store whose backup is due."""
    store = open_store(Settings(), home)
    request_backup(store)
    yield store
    store.close()


def request_backup(store: Store) -> None:
    with store.write() as session:
        jobs.record_due(session, jobs.BACKUP)


def results(store: Store) -> str:
    with store.read() as session:
        return jobs.find_last_result(session, jobs.BACKUP)


def test_upkeep_makes_one_backup_a_day(home: Home, opened: Store) -> None:
    upkeep.run(Settings(), opened)
    assert len(find_backups(home.backups)) == 1
    upkeep.run(Settings(), opened)
    assert len(find_backups(home.backups)) == 1
    with opened.write() as session:
        session.execute(text("UPDATE jobs SET last_run = '2026-03-01 00:00:00' WHERE name = 'backup'"))
    upkeep.run(Settings(), opened)
    assert len(find_backups(home.backups)) == 2
    assert results(opened).startswith("made 000002-")


def test_tick_leaves_postgres_to_its_own_tools(
    home: Home, emptied_postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(database_url=emptied_postgres)
    store = open_store(settings, home)
    request_backup(store)
    upkeep.run(settings, store)
    assert results(store) == "left to Postgres, which has pg_dump"
    assert not home.backups.exists()
    store.close()


def test_forget_removes_copies_and_a_tick_makes_one(home: Home, opened: Store) -> None:
    (home.root / "memo.db.new").write_bytes(b"of a restore that was killed")
    upkeep.run(Settings(), opened)
    (home.damaged / "2026").mkdir(parents=True)
    shutil.copy(home.root / "memo.db", home.damaged / "2026")
    text_ = ("0123" * 500).encode()
    assert text_ in find_backups(home.backups)[0].read_bytes()
    assert memo("forget", "--text", "012301230123", "--yes").exit_code == 0
    assert [path for path in home.root.rglob("*") if path.is_file() and text_ in path.read_bytes()] == []
    assert not home.backups.exists() and not home.damaged.exists()
    upkeep.run(Settings(), opened)
    assert count(find_backups(home.backups)[0]) == 399
    assert memo("forget", "--all", "--yes").exit_code == 0
    assert not home.backups.exists()


def test_forget_that_matches_nothing_keeps_the_copies(home: Home, file: Path) -> None:
    back_up(home)
    memo("forget", "--text", "nothing like it", "--yes")
    assert find_backups(home.backups)


@pytest.mark.parametrize("damage", DAMAGE)
def test_doctor_names_damage_and_the_remedy(home: Home, file: Path, damage: Callable[[Path], None]) -> None:
    back_up(home)
    CHECKS["store"](home, Settings())
    damage(file)
    with pytest.raises(MemoError, match=r"is damaged \(.+\); run `memo down`, then `memo restore`"):
        CHECKS["store"](home, Settings())


def test_doctor_names_a_backup_that_failed(home: Home, opened: Store) -> None:
    with opened.write() as session:
        jobs.record_run(session, jobs.BACKUP, f"{FAILED}: database or disk is full")
    with pytest.raises(MemoError, match="made no backup: database or disk is full"):
        CHECKS["store"](home, Settings())


@pytest.mark.parametrize("damage", INSIDE)
def test_up_checks_the_store_of_a_killed_supervisor(home: Home, file: Path, damage: Callable[[Path], None]) -> None:
    home.state.write_text("{}")
    prepare_store(home, Settings(), requeue=False)
    damage(file)
    before = file.read_bytes()
    with pytest.raises(StoreError, match="is damaged"):
        prepare_store(home, Settings(), requeue=False)
    assert file.read_bytes() == before


def killed_writer(file: Path) -> None:
    """Leave SQLite's log as a program does that is killed."""
    with closing(sqlite3.connect(file)) as store:
        store.execute("PRAGMA wal_autocheckpoint=0")
        store.execute("DELETE FROM events WHERE id = (SELECT min(id) FROM events)")
        store.commit()
        log, main = file.with_name("memo.db-wal").read_bytes(), file.read_bytes()
    file.write_bytes(main)
    file.with_name("memo.db-wal").write_bytes(log)


def test_up_checks_the_store_of_a_killed_writer(home: Home, file: Path) -> None:
    killed_writer(file)
    prepare_store(home, Settings(), requeue=False)
    assert count(file) == 399
    killed_writer(file)
    overwrite_pages(file)
    before = file.read_bytes()
    with pytest.raises(StoreError, match="is damaged"):
        prepare_store(home, Settings(), requeue=False)
    assert file.read_bytes() == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_that_a_backup_finds_is_marked(home: Home, file: Path, damage: Callable[[Path], None]) -> None:
    back_up(home)
    assert find_marked(home) == ""
    damage(file)
    back_up(home, 1)
    assert find_marked(home).startswith("The store is damaged (")
    with pytest.raises(StoreError, match="is damaged"), writable_store(Settings(), home):
        pass


def test_store_that_is_just_being_made_is_not_marked(home: Home) -> None:
    (home.root / "memo.db").touch()
    for thoroughly in (False, True):
        assert backups.check(home.root / "memo.db", home, thoroughly)
        assert find_marked(home) == ""


def test_mark_goes_once_the_store_is_whole_again(home: Home, file: Path) -> None:
    whole = file.read_bytes()
    overwrite_pages(file)
    with pytest.raises(MemoError, match="is damaged"):
        CHECKS["store"](home, Settings())
    file.write_bytes(whole)
    assert find_marked(home)
    prepare_store(home, Settings(), requeue=False)
    assert not find_marked(home)


def test_tick_marks_a_store_that_was_lost(home: Home, opened: Store) -> None:
    back_up(home)
    (home.root / "memo.db").unlink()
    with pytest.raises(StoreError, match="its file is gone"):
        tick.run(QUEUE, Settings(), opened)
    assert "its file is gone" in find_marked(home)


@pytest.mark.parametrize("damage", [empty, remove])
def test_lost_store_is_not_begun_anew_without_a_word(home: Home, file: Path, damage: Callable[[Path], None]) -> None:
    back_up(home)
    damage(file)
    for act in (
        lambda: prepare_store(home, Settings(), requeue=False),
        lambda: CHECKS["model"](home, Settings()),
    ):
        with pytest.raises(StoreError, match=f"The store {file} is damaged"):
            act()
    assert not file.exists() or file.stat().st_size == 0


def test_store_deleted_while_it_is_open_is_damage(home: Home, file: Path, opened: Store) -> None:
    uses = (opened.write, opened.read)
    for use in uses:
        with use() as session:
            session.execute(text("SELECT 1"))
    file.unlink()
    for use in uses:
        with pytest.raises(StoreError, match=r"is damaged \(its file is gone\); run `memo down`"), use() as session:
            session.execute(text("SELECT 1"))
    assert "its file is gone" in find_marked(home)
    with pytest.raises(StoreError), opened.write() as session:
        session.execute(text("SELECT 1"))
    assert not file.exists(), "none is made without a word"


def test_store_that_is_gone_without_a_backup_is_new(home: Home) -> None:
    assert prepare_store(home, Settings(), requeue=False)


def test_statement_that_meets_damage_names_the_remedy(home: Home, file: Path) -> None:
    halve(file)
    store = open_store(Settings(), home)
    with (
        pytest.raises(StoreError, match=r"memo.db is damaged .*; run `memo down`, then `memo restore`\."),
        store.read() as session,
    ):
        session.execute(text("SELECT sum(length(target)) FROM events")).all()
    store.close()
    assert find_marked(home).startswith("The store is damaged (")


@pytest.mark.parametrize("words", ["history", "status --json", "why 1", "feedback last no", "report", "pick"])
def test_commands_say_that_the_store_is_gone(home: Home, file: Path, words: str) -> None:
    back_up(home)
    remove(file)
    done = memo(*words.split())
    lost = f"The store {file} is damaged (its file is gone); run `memo down`, then `memo restore`."
    assert lost in f"{done.output}{done.exception}"
    assert not file.exists(), "none is made without a word"


@pytest.mark.parametrize("damage", [halve, replace_by_text])
def test_history_of_a_damaged_store_names_the_remedy(home: Home, file: Path, damage: Callable[[Path], None]) -> None:
    damage(file)
    assert "run `memo down`, then `memo restore`." in str(memo("history").exception)


@pytest.mark.parametrize("damage", DAMAGE)
def test_restore_puts_the_newest_backup_in_place(home: Home, file: Path, damage: Callable[[Path], None]) -> None:
    back_up(home)
    add(home, 400, 410)
    with closing(sqlite3.connect(file)) as store, store:
        row = ("v0001", SCOPE, "2026-03-02", "builtin", str(home.models / "v0001"), "candidate", "{}")
        store.execute(
            "INSERT INTO versions (id, scope, created_at, base, path, state, metrics) VALUES (?, ?, ?, ?, ?, ?, ?)", row
        )
    back_up(home, 1)
    add(home, 410, 420)
    for version in ("v0001", "v0002"):
        (home.models / version).mkdir()
    (home.learned / "snapshot").touch()
    home.broker.mkdir()
    (home.broker / "queue").touch()
    damage(file)
    left = file.read_bytes() if file.exists() else None
    said = memo("restore", "--yes")
    assert said.exit_code == 0, said.output
    assert "The newest backup is of" in said.output and "410 events" in said.output
    assert count(file) == 410
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (aside,) = home.damaged.iterdir()
    assert stat.S_IMODE(home.damaged.stat().st_mode) == stat.S_IMODE(aside.stat().st_mode) == 0o700
    assert ((aside / "memo.db").read_bytes() if left is not None else None) == left
    assert (aside / "broker" / "queue").exists() and not home.broker.exists()
    assert (aside / "v0002").exists() and [path.name for path in home.models.iterdir()] == ["v0001"]
    assert list(home.learned.iterdir()) == []
    assert len(find_backups(home.backups)) == 2, "the copy stays"
    assert not find_marked(home)
    assert not prepare_store(home, Settings(), requeue=False)
    CHECKS["store"](home, Settings())
    add(home, 410, 412)
    assert count(file) == 412


@pytest.mark.parametrize("place", ["models", "/former/home/models"])
def test_restore_sets_only_unknown_versions_aside(home: Home, file: Path, place: str) -> None:
    store = open_store(Settings(), home)
    with store.write() as session:
        versions.add_version(
            session, "v0001", SCOPE, base="builtin", path=f"{place}/v0001-0a1b", parent=None, metrics={}
        )
    store.close()
    back_up(home)
    for name in ("v0001-0a1b", "v0002-2c3d", "base-SmolLM2", "unfinished-4e5f"):
        (home.models / name).mkdir()
    halve(file)
    assert memo("restore", "--yes").exit_code == 0
    (aside,) = home.damaged.iterdir()
    assert {path.name for path in aside.iterdir() if path.is_dir()} == {"v0002-2c3d"}
    assert {path.name for path in home.models.iterdir()} == {"v0001-0a1b", "base-SmolLM2", "unfinished-4e5f"}


def test_restore_leaves_the_log_of_the_old_store_out(home: Home, file: Path) -> None:
    back_up(home)
    killed_writer(file)
    assert memo("restore", "--yes").exit_code == 0
    assert count(file) == 400
    assert len(list(home.damaged.glob("*/memo.db-wal"))) == 1


def test_restore_takes_the_newest_good_backup(home: Home, file: Path) -> None:
    back_up(home)
    add(home, 400, 410)
    back_up(home, 1)
    halve(find_backups(home.backups)[0])
    assert memo("restore", "--yes").exit_code == 0
    assert count(file) == 400


def test_restore_interrupted_is_completed(home: Home, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    back_up(home)
    halve(file)
    with monkeypatch.context() as patch:
        patch.setattr(backups, "_put", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert memo("restore", "--yes").exit_code != 0
    assert not file.exists()
    with pytest.raises(StoreError, match="its file is gone"):
        prepare_store(home, Settings(), requeue=False)
    assert memo("restore", "--yes").exit_code == 0
    assert count(file) == 400
    assert [path.name for path in home.root.glob("memo.db*")] == ["memo.db"]


@pytest.mark.parametrize("damage", [overwrite_pages, halve, empty])
def test_restore_without_a_backup_begins_empty(home: Home, file: Path, damage: Callable[[Path], None]) -> None:
    damage(file)
    left = file.read_bytes()
    said = memo("restore", "--yes")
    assert said.exit_code == 0 and "There is no backup, so MEMO will begin empty." in said.output
    assert [path.read_bytes() for path in home.damaged.glob("*/memo.db")] == [left]
    assert prepare_store(home, Settings(), requeue=False)


def test_restore_asks_first(home: Home, file: Path) -> None:
    back_up(home)
    halve(file)
    before = file.read_bytes()
    for answer, status in (("n\n", 1), ("", 2)):
        assert memo("restore", typed=answer).exception.exit_code == status  # type: ignore[union-attr]
    shown = json.loads(memo("restore", "--json").stdout)
    assert (shown["restored"], shown["set_aside"], shown["backup"]["events"]) == (False, None, 400)
    assert file.read_bytes() == before and not home.damaged.exists()
    done = json.loads(memo("restore", "--json", "--yes").stdout)
    assert done["restored"] and Path(done["set_aside"]).parent == home.damaged
    assert done["lost"]["since"] == done["backup"]["made_at"] == START.isoformat()
    assert done["backup"]["newest_event_at"] == (START + timedelta(minutes=399)).isoformat()
    assert memo("restore", typed="y\n").exit_code == 0


def test_restore_refuses_while_memo_runs(home: Home, file: Path) -> None:
    back_up(home)
    halve(file)
    before = file.read_bytes()
    with running.hold(home):
        assert "already running" in str(memo("restore", "--yes").exception)
    assert file.read_bytes() == before


def test_restore_of_a_good_store_without_a_backup_does_nothing(home: Home, file: Path) -> None:
    assert "nothing to restore" in str(memo("restore", "--yes").exception)
    assert count(file) == 400


def test_restore_on_postgres_names_its_own_tools(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_DATABASE_URL", "postgresql+psycopg://localhost/memo")
    assert "pg_restore" in str(memo("restore", "--yes").exception)


def say(home: Home) -> set[str]:
    """What each command says that opens the store."""
    with pytest.raises(StoreError) as up:
        prepare_store(home, Settings(), requeue=False)
    with pytest.raises(MemoError) as doctor:
        CHECKS["store"](home, Settings())
    with pytest.raises(MemoError) as status, read_session(Settings(), home):
        pass
    return {str(up.value), str(doctor.value), str(status.value), str(memo("history").exception)}


@pytest.mark.parametrize("is_backed_up", [False, True])
def test_folder_in_place_of_the_store_is_set_aside(home: Home, file: Path, is_backed_up: bool) -> None:
    if is_backed_up:
        back_up(home)
    file.unlink()
    (file / "inner").mkdir(parents=True)
    (said,) = say(home)
    assert said == f"The store {file} is damaged ({NO_FILE}); run `memo down`, then `memo restore`."
    assert memo("restore", "--yes").exit_code == 0
    assert [path.name for path in home.damaged.glob("*/memo.db/*")] == ["inner"]
    assert prepare_store(home, Settings(), requeue=False) is not is_backed_up


def test_folder_put_there_while_the_store_is_open_is_marked(home: Home, file: Path, opened: Store) -> None:
    with opened.write() as session:
        session.execute(text("SELECT 1"))
    file.unlink()
    file.mkdir()
    with pytest.raises(StoreError, match="is damaged"):
        tick.run(QUEUE, Settings(), opened)
    assert NO_FILE in find_marked(home)


def test_folder_in_place_of_the_log_is_named(home: Home, file: Path) -> None:
    log = file.with_name("memo.db-wal")
    log.mkdir()
    assert say(home) == {f"{log} is no file, where the store needs one; run `memo down`, then move it away."}
    assert str(log) in str(memo("restore", "--yes").exception)
    log.rmdir()
    assert not prepare_store(home, Settings(), requeue=False)


def test_store_in_a_missing_folder_names_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home.root / "absent"
    settings = Settings(database_url=f"sqlite:///{folder}/memo.db")
    with pytest.raises(StoreError, match=f"there is no folder {folder}; make it"):
        prepare_store(home, settings, requeue=False)
    folder.mkdir()
    assert prepare_store(home, settings, requeue=False)


def test_known_damage_is_not_written_to(home: Home, file: Path) -> None:
    with closing(open_store(Settings(), home, reader_mode="ro")) as store:
        with store.write() as session:
            session.execute(text("UPDATE events SET app = 'other'"))
        with store.read() as session:
            session.execute(text("SELECT 1 FROM events")).all()
        halve(file)
        damaged = file.read_bytes()
        mark(home, "found by somebody else")
        with pytest.raises(StoreError, match="found by somebody else"), store.write() as session:
            session.execute(text("UPDATE events SET app = 'third'"))
    assert file.read_bytes() == damaged, "nor by closing it"


def test_reading_command_leaves_the_file_as_it_is(home: Home, file: Path) -> None:
    killed_writer(file)
    before = file.read_bytes()
    with read_session(Settings(), home) as session:
        assert session.scalar(text("SELECT count(*) FROM events")) == 399
    assert file.read_bytes() == before


BEGIN = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute('BEGIN IMMEDIATE')"


def test_looking_for_an_obstacle_leaves_the_locks_of_sqlite(file: Path, opened: Store) -> None:
    with opened.write() as session:
        session.execute(text("SELECT 1"))
        assert not find_obstacle(file)
        other = subprocess.run([sys.executable, "-c", BEGIN, file], capture_output=True, text=True, check=False)
    assert "database is locked" in other.stderr, "two processes wrote at the same time"


@pytest.mark.parametrize(
    "words", ["status --json", "doctor", "history", "forget --app x --yes", "export --out x.jsonl"]
)
def test_only_sqlite_opens_the_files_of_a_store(
    home: Home, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: str
) -> None:
    names, found = set(map(str, store_files(file))), list[str]()

    def note(kind: str, given: tuple[object, ...]) -> None:
        if kind == "open" and is_watching and str(given[0]) in names:
            found.append(str(given[0]))

    monkeypatch.chdir(tmp_path)
    is_watching = True
    sys.addaudithook(note)
    memo(*words.split())
    is_watching = False
    assert not found, "closing it takes the locks of this process"
