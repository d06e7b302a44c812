"""A real program is started, what it read is learned, made cold, and read again by the handlers."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from calling import printed
from dispatching import dispatch, opened_store, predict, rows, stopped_by, under
from handling import HOSTILE, candidate, context, remember, store_launch_set, stored_launch_sets
from sqlalchemy.orm import Session
from stores import make_store
from waiting import hurry, until

from collector.launch import access_times, inspection, proc
from collector.launch.inspection import Launch, look
from collector.launch.watcher import Launches
from db import migrate
from db.engine import Store, open_store
from db.intake import launch_sets, launches
from db.models import LaunchRow
from forget import erase_rows, match
from forget.query import ForgetQuery
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import PreloadSettings, PrivacySettings, Settings
from memo.desktop.launch_sets import UNIT, LaunchSet, as_dict, version_of
from memo.protocols import DispatchContext, NothingToDo, Stop
from worker.effects import page_cache
from worker.effects.page_cache import is_there
from worker.effects.seen_before import NotSeenBefore
from worker.handlers import preload_app, preload_file
from worker.handlers.preload_app import PreloadAppHandler
from worker.handlers.preload_file import PreloadFileHandler

SCOPE, APP = "ada@host", "demo"
LARGE, SMALL = 6 << 20, 300_000
TOUCHED = 3 << 20
PROGRAM = """
import mmap, sys, time
library, setting, touched = sys.argv[1:]
file = open(library, "rb")
mapped = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
open(setting, "rb").read()
assert mapped[0] == mapped[int(touched)] == 0
print("ready", flush=True)
time.sleep(1000)
"""
FUTURE = timedelta(minutes=10)


class Person:
    """Files of a program, below a home folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.library = root / ".local/share/demo/large.so"
        self.setting = root / ".config/demo/rc"
        self.other = root / ".config/other/rc"
        for path, size in ((self.library, LARGE), (self.setting, SMALL), (self.other, SMALL)):
            path.parent.mkdir(parents=True)
            path.write_bytes(b"\0" * size)
            os.utime(path, (time.time() - 3 * 86_400, time.time() - 4 * 86_400))

    def start(self) -> "subprocess.Popen[bytes]":
        """Start the program; return once it has read its files."""
        words = (str(self.library), str(self.setting), str(TOUCHED))
        command = [os.path.realpath(sys.executable), "-c", PROGRAM, *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    """A person whose home folder is the only place searched, however this machine's memory is pressed.

    This process does not lower its priority.
    """
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MEMO_PRELOAD__MEMORY_PRESSURE", "100")
    monkeypatch.setattr(access_times, "SYSTEM", ())
    for module in (inspection, preload_app, preload_file):
        monkeypatch.setattr(module, "be_idle", lambda: None)
    return Person(tmp_path)


@pytest.fixture
def running(person: Person) -> Iterator[Launch]:
    """A launch of the program, which goes on meanwhile."""
    at = time.time()
    process = person.start()
    found = proc.read(process.pid)
    assert found is not None
    yield Launch(APP, found.executable, found.began, at, time.time())
    process.kill()
    process.communicate()


def _make_cold(*paths: Path) -> None:
    """Take files out of memory; a page that is just being written stays there a moment longer."""
    for path in paths:
        until(f"{path} is cold", lambda path=path: _is_cold(path))  # type: ignore[misc]


def _is_cold(path: Path) -> bool:
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)
    command = ["fincore", "--noheadings", "--bytes", "--output", "RES", str(path)]  # which loads no page
    return int(subprocess.check_output(command)) == 0


def _is_there(path: Path, start: int = 0, length: int = UNIT) -> bool:
    file = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
        return is_there(file, start, min(length, path.stat().st_size - start))
    finally:
        os.close(file)


def _settings(**more: object) -> Settings:
    return Settings.load(scope=SCOPE, **more)


@pytest.fixture
def settings(database_url: str) -> Settings:
    return _settings(database_url=database_url)


def _learned(launch: Launch, known: LaunchSet | None, home: Home, **settings: object) -> LaunchSet:
    found = look(launch, known, _settings(**settings), home)
    assert found is not None
    return found[1]


def test_inspection_learns_files_that_are_mapped_or_closed(home: Home, person: Person, running: Launch) -> None:
    found = look(running, None, _settings(), home)

    assert found is not None
    counts, known = found
    assert known.version == version_of(running.executable)
    units = {unit for first, count in known.files[str(person.library)] for unit in range(first, first + count)}
    assert {0, TOUCHED // UNIT} <= units and len(units) < LARGE // UNIT  # what was touched, and no more
    assert known.files[str(person.setting)] == ()
    assert str(person.other) not in known.files
    assert counts["known_bytes"] == known.bytes > SMALL
    assert set(counts) == {"major_faults", "read_bytes", "known_bytes"}


def _own(known: LaunchSet, person: Person) -> LaunchSet:
    """Return the set with the person's own files alone: other processes read the system's meanwhile."""
    own = {path: spans for path, spans in known.files.items() if path.startswith(str(person.root))}
    return replace(known, files=own, bytes=0)


def test_inspection_is_daily_and_anew_for_a_new_version(home: Home, person: Person, running: Launch) -> None:
    first = _learned(running, None, home)
    assert _learned(running, first, home) == first
    days = ("2026-03-02", "2026-03-03", "2026-03-04")
    older = LaunchSet(APP, running.executable, (0, 0, 0), first.at, days, {"/old": ()})
    assert _own(_learned(running, older, home), person) == _own(first, person)


def test_files_that_a_privacy_rule_keeps_out_are_not_learned(home: Home, person: Person, running: Launch) -> None:
    known = _learned(running, None, home, privacy=PrivacySettings(folders=[str(person.setting.parent)]))
    assert str(person.library) in known.files and str(person.setting) not in known.files


def test_inspection_skips_reads_beside_another_launch(home: Home, person: Person, running: Launch) -> None:
    known = _learned(replace(running, alone=False), None, home)
    assert known.days == ()
    assert str(person.library) in known.files and str(person.setting) not in known.files
    again = _learned(running, known, home)  # the same day
    assert str(person.setting) in again.files


def test_of_an_app_that_is_gone_nothing_is_learned(home: Home, person: Person) -> None:
    assert look(Launch(APP, "/absent", 0, 0, 0), None, _settings(), home) is None


def test_a_preloaded_app_is_in_memory(
    store: Store, settings: Settings, home: Home, person: Person, running: Launch
) -> None:
    known = _learned(running, None, home)
    ours = {path: spans for path, spans in known.files.items() if path.startswith(str(person.root))}
    fresh = LaunchSet(APP, known.executable, known.version, known.at, known.days, ours, known.bytes)
    store_launch_set(store, fresh)
    person.library.with_name("gone").touch()
    handler = PreloadAppHandler(settings, home)
    asked = candidate(Operation.PROCESS_START, APP)
    _make_cold(person.setting)

    assert handler.cost(asked, _soon()).read_bytes == known.bytes
    result = handler.handle(asked, _soon())

    assert _is_there(person.setting, 0, SMALL)
    assert _is_there(person.library, TOUCHED)
    assert result["read_bytes"] >= SMALL and result["stopped"] == "" and result["files"] == 2
    assert json.dumps(result)
    again = handler.handle(asked, _soon())
    assert again["read_bytes"] == 0 and not again["cold"]


def _soon(scope: str = SCOPE) -> DispatchContext:
    return replace(context(scope), until=datetime.now(UTC) + FUTURE)


def test_another_version_and_another_machine_are_not_preloaded(
    store: Store, settings: Settings, home: Home, person: Person
) -> None:
    handler, asked = PreloadAppHandler(settings, home), candidate(Operation.PROCESS_START, APP)
    version = version_of(sys.executable)
    assert version is not None
    for known, scope in ((version, "eve@host"), ((0, 0, 0), SCOPE)):
        at = datetime.now(UTC)
        store_launch_set(store, LaunchSet(APP, sys.executable, known, at, (), {str(person.setting): ()}, SMALL))
        for ask in (handler.cost, handler.handle):
            with pytest.raises(NothingToDo, match="another"):
                ask(asked, _soon(scope))


def test_unknown_app_takes_no_attempt_from_a_known_one(database_url: str, home: Home) -> None:
    version = version_of(sys.executable)
    assert version is not None
    learned = LaunchSet(APP, sys.executable, version, datetime.now(UTC), (), {sys.executable: ()}, SMALL)
    with opened_store(database_url, home) as opened:
        dry = under(opened, "preload_app", on=[], upcoming={Operation.PROCESS_START: ["preload_app"]})
        unknown = predict(opened, upcoming=[("unknown", 0.95)])
        dispatch(dry, unknown)
        assert stopped_by(opened, unknown) == "nothing to do: none of its launches was observed yet"
        store_launch_set(opened.store, learned)
        both = predict(opened, upcoming=[("unknown", 0.95), (APP, 0.85)])
        dispatch(dry, both)
        [row] = rows(opened, both)
        assert (row.status, row.action["target"], row.read_bytes) == ("dry", APP, SMALL)
        store_launch_set(opened.store, replace(learned, version=(0, 0, 0)))
        other = predict(opened, upcoming=[(APP, 0.9)])
        dispatch(dry, other)
        assert stopped_by(opened, other).startswith("nothing to do: it is another version now")


def test_a_document_that_was_opened_before_is_in_memory(home: Home, person: Person) -> None:
    settings = _settings()
    document = person.root / "plan.txt"
    document.write_bytes(b"x" * SMALL)
    asked = candidate(Operation.FILE_ACCESS, document.name, str(person.root))
    remember(settings, home, asked)
    _make_cold(document)

    handler = PreloadFileHandler(settings, home)
    assert handler.accepts(asked.action)
    result = handler.handle(asked, _soon())

    assert _is_there(document, 0, SMALL), result
    assert result["cold"] and result["read_bytes"] == SMALL
    assert 0 < result["gain_s"] < 5, "what reading took is what opening it need not wait for"
    assert handler.handle(asked, _soon())["gain_s"] == 0


def test_no_other_document_is_touched(home: Home, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _settings(preload=PreloadSettings(file_mb=1))
    folder = person.root / "documents"
    folder.mkdir()
    for name, size in (("never", SMALL), ("large", 2_000_000), ("real", SMALL)):
        (folder / name).write_bytes(b"x" * size)
    (folder / "link").symlink_to(folder / "real")
    (person.root / "linked").symlink_to(folder)
    os.mkfifo(folder / "pipe")
    seen = [(name, str(folder)) for name in ("large", "link", "pipe", "absent")]
    linked = candidate(Operation.FILE_ACCESS, "real", str(person.root / "linked"))
    remember(settings, home, linked, *(candidate(Operation.FILE_ACCESS, *one) for one in seen))
    handler = PreloadFileHandler(settings, home)

    assert not handler.accepts(linked.action)
    with pytest.raises(NotSeenBefore):
        handler.handle(candidate(Operation.FILE_ACCESS, "never", str(folder)), _soon())
    for name, place in seen:
        assert "read_bytes" not in handler.handle(candidate(Operation.FILE_ACCESS, name, place), _soon()), name


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_names_open_nothing(home: Home, person: Person, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings = _settings()
    remember(settings, home, candidate(Operation.FILE_ACCESS, "plan.txt", str(person.root)))

    def refuse(*words: object, **more: object) -> None:
        raise AssertionError("something was opened")

    monkeypatch.setattr(preload_file, "opened", refuse)
    monkeypatch.setattr(page_cache, "opened", refuse)
    for target, place in ((name, str(person.root)), ("plan.txt", name), (name, name), (f"/{name}", "/")):
        asked = candidate(Operation.FILE_ACCESS, target, place)
        if PreloadFileHandler(settings, home).accepts(asked.action):
            with pytest.raises(NotSeenBefore):
                PreloadFileHandler(settings, home).handle(asked, _soon())
    app = candidate(Operation.PROCESS_START, name)
    with pytest.raises(NothingToDo):
        PreloadAppHandler(settings, home).handle(app, _soon())


def _row(at: datetime, ms: float | None, read: int, app: str = APP) -> LaunchRow:
    return LaunchRow(
        scope=SCOPE,
        app=app,
        executable=f"/usr/bin/{app}",
        at=at,
        ms=ms,
        major_faults=0,
        read_bytes=read,
        known_bytes=100,
    )


NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def _add(session: Session, *rows: tuple[float | None, int], kept: int = launches.KEPT) -> None:
    for number, (ms, read) in enumerate(rows):
        launches.add_launch(session, _row(NOON + timedelta(hours=number), ms, read), kept)


def test_the_gain_is_that_against_a_cold_launch(store: Store) -> None:
    with store.write() as session:
        _add(session, (900, 80), (1000, 90), (5000, 100), (300, 0), (310, 5), (320, 10), (700, 30), (None, 0))
        assert launches.find_gain(session, SCOPE, APP, NOON + timedelta(hours=5.5), NOON + timedelta(hours=9)) == 0.3
        assert launches.find_gain(session, SCOPE, APP, NOON + timedelta(hours=6.5), NOON + timedelta(hours=9)) is None
        assert (
            launches.find_gain(session, SCOPE, APP, NOON, NOON + timedelta(minutes=1)) is None
        )  # two cold ones are left
        assert launches.find_gain(session, "eve@host", APP, NOON, NOON + timedelta(days=1)) is None


def test_launches_are_bounded_and_forgotten(store: Store) -> None:
    with store.write() as session:
        _add(session, (1, 0), (2, 0), (3, 0), kept=2)
        launches.add_launch(session, _row(NOON, 4, 0, app="other"))
        assert [row.ms for row in launches.find_measured(session, SCOPE, APP)] == [2, 3]
    assert erase_rows.erase_launches(store, ForgetQuery(app="other", scope="eve@host"), UTC) == 0
    assert erase_rows.erase_launches(store, ForgetQuery(app=APP, since=NOON + timedelta(hours=2)), UTC) == 1
    assert erase_rows.erase_launches(store, ForgetQuery(app="DEMO"), UTC) == 1
    assert erase_rows.erase_launches(store, ForgetQuery(), UTC) == 1


def test_launch_sets_above_limit_evict_the_oldest(store: Store) -> None:
    for number, app in enumerate("bac"):
        learned = LaunchSet(app, "/usr/bin/x", (1, 2, 3), NOON + timedelta(days=number))
        with store.write() as session:
            launch_sets.record_launch_set(session, SCOPE, learned, None, max_sets=2)
    store_launch_set(store, LaunchSet("b", "/usr/bin/x", (1, 2, 3), NOON), "eve@host")
    assert stored_launch_sets(store, SCOPE).keys() == {"a", "c"}
    assert stored_launch_sets(store, "eve@host").keys() == {"b"}


def test_launch_set_forgotten_meanwhile_is_not_stored(store: Store) -> None:
    known = LaunchSet(APP, "/usr/bin/x", (1, 2, 3), NOON, files={"/usr/lib/b": ((0, 2),), "/usr/lib/a": ()})
    with store.write() as session:
        launch_sets.record_launch_set(session, SCOPE, replace(known, days=("2026-03-02",)), known)
    assert stored_launch_sets(store) == {}
    for learned, before in ((known, None), (replace(known, days=("2026-03-02",)), known)):
        with store.write() as session:
            launch_sets.record_launch_set(session, SCOPE, learned, before)
        assert stored_launch_sets(store) == {APP: learned}
    assert list(stored_launch_sets(store)[APP].files) == ["/usr/lib/b", "/usr/lib/a"], "the most important first"


def test_launch_sets_in_files_move_into_the_store(store: Store, settings: Settings, home: Home) -> None:
    folder = home.root / "apps"
    folder.mkdir()
    newer = LaunchSet("kept", "/usr/bin/x", (1, 2, 3), NOON)
    store_launch_set(store, newer)
    for name, known in (("1", replace(newer, at=NOON - FUTURE)), ("2", replace(newer, app="a name/\u00e9"))):
        (folder / f"{name}.json").write_text(json.dumps(as_dict(known)))
    (folder / "3.json").write_text("{")
    (folder / "4.new").write_text("")
    for _ in range(2):
        migrate.upgrade(settings, home)
        assert not folder.exists()
        assert stored_launch_sets(store, SCOPE) == {"kept": newer, "a name/\u00e9": replace(newer, app="a name/\u00e9")}


def test_foreign_things_among_launch_sets_stop_no_upgrade(store: Store, settings: Settings, home: Home) -> None:
    folder = home.root / "apps"
    (folder / "x.old").mkdir(parents=True)
    good = LaunchSet("good", "/usr/bin/x", (1, 2, 3), NOON)
    given = (good, replace(good, app="\ud800"), replace(good, app="odd", executable="/x\x00y"))
    for number, known in enumerate(given):
        (folder / f"{number}.json").write_text(json.dumps(as_dict(known)))
    for _ in range(2):
        migrate.upgrade(settings, home)
        assert [path.name for path in folder.iterdir()] == ["x.old"]
        assert stored_launch_sets(store, SCOPE) == {"good": good}


def test_how_an_app_starts_is_forgotten_with_it(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_DATABASE_URL", store.writer.url.render_as_string(hide_password=False))
    with store.write() as session:
        launches.add_launch(session, _row(NOON, 1, 0))
        launches.add_launch(session, _row(NOON, 1, 0, app="other"))
    for app in (APP, "other", "known only"):
        store_launch_set(store, LaunchSet(app, f"/usr/bin/{app}", (1, 2, 3), NOON))
    for app, there in ((APP, {"other", "known only"}), ("known only", {"other"})):
        assert json.loads(printed("forget", "--app", app, "--yes", "--json"))["forgotten"] is True
        assert stored_launch_sets(store).keys() == there
    with store.read() as session:
        assert [row.app for row in match.matching_launches(session, ForgetQuery())] == ["other"]


def test_forget_of_a_day_erases_the_launch_set(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_DATABASE_URL", store.writer.url.render_as_string(hide_password=False))
    monkeypatch.setenv("MEMO_TIMEZONE", "Asia/Shanghai")
    for app, day in ((APP, "2026-03-01"), ("other", "2026-02-28")):
        store_launch_set(store, LaunchSet(app, "/usr/bin/demo", (1, 2, 3), NOON, (day, "2026-03-02")))
    printed("forget", "--since", "2026-03-01T23:00+08:00", "--until", "2026-03-01T23:30+08:00", "--yes")
    assert stored_launch_sets(store).keys() == {"other"}


def test_what_was_forgotten_during_a_look_is_not_kept(home: Home, person: Person, running: Launch) -> None:
    settings = _settings()
    start = datetime.fromtimestamp(time.time() - proc.now() + running.began, UTC)
    event = Event(start, Operation.PROCESS_START, APP, scope=SCOPE, source="processes", executable=running.executable)
    make_store(settings, home)
    opened, stop = open_store(settings, home), Stop()
    looking = threading.Thread(target=Launches(opened, settings).look, args=(event, stop))
    looking.start()
    until("its end", lambda: _hurry_children() and not looking.is_alive())
    with opened.read() as session:
        assert match.matching_launches(session, ForgetQuery()) == []
    assert stored_launch_sets(opened) == {}
    opened.close()


def _hurry_children() -> bool:
    """Let all children run like any other process; True, so that a wait can do so at each look."""
    for child in psutil.Process().children():
        hurry(child.pid)
    return True


def _look_on(events: list[Event], settings: Settings, home: Home) -> tuple[list[LaunchRow], LaunchSet]:
    """What is stored of the launch that these events tell of, and of its files."""
    remember(settings, home, candidate(Operation.PROCESS_START, APP))
    opened, stop = open_store(settings, home), Stop()
    watch = Launches(opened, settings)
    thread = threading.Thread(target=watch.run, args=(stop,))
    thread.start()
    watch.saw(events)

    def found() -> list[LaunchRow]:
        _hurry_children()
        with opened.read() as session:
            return match.matching_launches(session, ForgetQuery(app=APP))

    try:
        launches = until("a launch", found)
    finally:
        stop.set()
        thread.join()
    learned = stored_launch_sets(opened, SCOPE)[APP]
    opened.close()
    return launches, learned


def test_a_launch_that_events_tell_of_is_stored(home: Home, person: Person, running: Launch) -> None:
    """By a process of its own, which looks through the whole system."""
    settings = _settings()
    start = datetime.fromtimestamp(time.time() - proc.now() + running.began, UTC)
    focus = start + timedelta(milliseconds=250)
    events = [
        Event(focus, Operation.WINDOW_FOCUS, "A title", APP, scope=SCOPE, source="x11"),
        Event(start, Operation.PROCESS_START, "other", scope=SCOPE, source="inbox", executable=running.executable),
        Event(start, Operation.PROCESS_START, APP, scope=SCOPE, source="processes", executable=running.executable),
    ]
    [row], known = _look_on(events, settings, home)
    assert (row.app, row.executable) == (APP, running.executable)
    assert row.ms == pytest.approx(250)
    assert row.known_bytes > 0
    assert str(person.library) in known.files and str(person.setting) in known.files


def test_inspection_beside_another_launch_takes_mapped_files(home: Home, person: Person, running: Launch) -> None:
    start = datetime.fromtimestamp(time.time() - proc.now() + running.began, UTC)
    event = Event(start, Operation.PROCESS_START, APP, scope=SCOPE, source="processes", executable=running.executable)
    other = replace(event, target="other", at=start - timedelta(seconds=1))
    focus = Event(start, Operation.WINDOW_FOCUS, "A title", APP, scope=SCOPE, source="x11")
    [_], known = _look_on([other, event, focus], _settings(), home)
    assert str(person.setting) not in known.files
