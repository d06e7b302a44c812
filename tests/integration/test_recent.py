"""Files opened as GTK programs do it: GLib itself writes the list."""

import os
import shutil
import subprocess
import time
from ctypes import CDLL, c_char_p, c_long, c_void_p
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import needs_library
from waiting import WAIT_S, until
from watched import watched

from collector.launch import proc
from collector.sources.files import recent as recent_source
from collector.sources.files.recent import LIST, RecentSource
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings, SourceSettings


class List:
    """The person's list, written by GLib."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._glib: CDLL = needs_library("libglib-2.0.so.0")
        self._glib.g_bookmark_file_new.restype = c_void_p
        self._file = c_void_p(self._glib.g_bookmark_file_new())

    def open(self, path: str, app: str, at: datetime | None = None) -> None:
        """Record that a program has opened a file."""
        uri = c_char_p(Path(path).as_uri().encode())
        self._glib.g_bookmark_file_set_mime_type(self._file, uri, b"text/plain")
        self._glib.g_bookmark_file_add_application(self._file, uri, app.encode(), f"{app} %u".encode())
        if at:
            for name in ("added", "modified", "visited"):
                getattr(self._glib, f"g_bookmark_file_set_{name}")(self._file, uri, c_long(int(at.timestamp())))
        assert self._glib.g_bookmark_file_to_file(self._file, str(self.path).encode(), None)


@pytest.fixture
def recent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> List:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "system"))
    apps = tmp_path / "applications"
    apps.mkdir()
    (apps / "org.test.Editor.desktop").write_text("[Desktop Entry]\nType=Application\nExec=some-editor %U\n")
    return List(tmp_path / LIST)


def source(home: Home, recent_days: int = 0, **timings: float) -> RecentSource:
    found = RecentSource(Settings(sources=SourceSettings(recent_days=recent_days)), home, **timings)
    assert found.missing() == ""
    return found


def reported(events: list[Event]) -> list[tuple[str, str, str]]:
    return [(event.detail, event.target, event.app) for event in list(events)]


def test_opened_file_is_reported_once_with_its_app(home: Home, recent: List) -> None:
    recent.open("/home/me/before.txt", "some-editor")
    with watched(source(home)) as events:
        began = datetime.now(UTC)
        recent.open("/home/me/a b.txt", "some-editor")
        until("the first", lambda: reported(events) == [("/home/me", "a b.txt", "org.test.Editor")])
        recent.open("/home/me/ü/c.txt", "viewer")
        until("the second", lambda: reported(events)[1:] == [("/home/me/ü", "c.txt", "viewer")])
        recent.open("/home/me/before.txt", "some-editor")
        until(
            "one that was listed before",
            lambda: reported(events)[2:] == [("/home/me", "before.txt", "org.test.Editor")],
        )
    assert all(began < event.at < datetime.now(UTC) for event in events)


def test_a_file_that_its_app_has_open_is_saved_not_opened(home: Home, recent: List, tmp_path: Path) -> None:
    program = shutil.copy("/usr/bin/sleep", tmp_path / "some-editor")
    (tmp_path / "applications" / "org.test.Editor.desktop").write_text(
        f"[Desktop Entry]\nType=Application\nExec={program} %U\n"
    )
    names = list[str]()
    with watched(source(home)) as events:
        for last in ("c", "d"):
            time.sleep(2 / proc.TICKS)  # processes tell their beginning in ticks
            with subprocess.Popen([program, "1000"]) as editor:
                try:
                    for name in ("a", "b", "a", "b", last):
                        recent.open(f"/home/me/{name}", str(program))
                    names.extend(("a", "b", last))
                    until(f"all up to {last}", lambda: sorted(event.target for event in events) == sorted(names))
                finally:
                    editor.kill()


def test_each_use_is_told_as_what_it_is(home: Home, recent: List, tmp_path: Path) -> None:
    opened, saved = Operation.FILE_ACCESS, Operation.FILE_SAVE
    program = shutil.copy("/usr/bin/sleep", tmp_path / "some-editor")
    (tmp_path / "applications" / "org.test.Editor.desktop").write_text(
        f"[Desktop Entry]\nType=Application\nExec={program} %U\n"
    )
    made = source(home, saved_s=WAIT_S, again_s=WAIT_S)
    letter, hour_ago = tmp_path / "letter.txt", time.time() - 3600
    letter.write_text("a")
    os.utime(letter, (hour_ago, hour_ago))
    with subprocess.Popen([program, "1000"]) as editor, watched(made) as events:
        try:
            told = list[tuple[Operation, str]]()

            def use(path: Path, *more: tuple[Operation, str]) -> None:
                recent.open(str(path), str(program))
                recent.open(f"/home/me/last{len(told)}", "viewer")
                told.extend([*more, (saved, f"last{len(told)}")])
                until(f"{more}", lambda: [(event.operation, event.target) for event in events] == told)

            use(letter, (opened, "letter.txt"))
            use(letter)  # listed twice
            letter.write_text("b")
            used_at = proc.now()
            use(letter)  # a save of what is open
            os.utime(letter, (hour_ago, hour_ago))
            until("six seconds later", lambda: proc.now() > used_at + 6)
            use(tmp_path / "new.txt", (saved, "new.txt"))  # a dialog lists it before it is there
            made.again_s = proc.now() - used_at - 3  # after the use, before the save
            use(letter)  # the old name, listed again after a save under the new one
            made.again_s = 0.0
            use(letter, (opened, "letter.txt"))  # closed and opened again
        finally:
            editor.kill()


def test_a_save_in_a_watched_folder_is_told_by_its_source(home: Home, recent: List, tmp_path: Path) -> None:
    settings = SourceSettings(on=["recent", "folders"], folders=[str(tmp_path / "work")])
    with watched(RecentSource(Settings(sources=settings), home)) as events:
        for name in ("work/saved.txt", "other/saved.txt"):
            (tmp_path / name).parent.mkdir()
            (tmp_path / name).write_text("a")
            recent.open(str(tmp_path / name), "some-editor")
        recent.open(str(tmp_path / "work"), "some-editor")  # a folder, of which that source tells nothing
        until("the others", lambda: len(events) == 2)
    assert [event.detail for event in events] == [str(tmp_path / "other"), str(tmp_path)]


def test_a_save_of_what_was_open_before_memo_is_a_save(home: Home, recent: List, tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    recent.open(str(letter), "some-editor", at=datetime.now(UTC) - timedelta(hours=1))
    with watched(source(home)) as events:
        letter.write_text("b")
        recent.open(str(letter), "some-editor")
        until("it", lambda: [event.operation for event in events] == [Operation.FILE_SAVE])


def test_the_file_of_an_app_waits_until_its_start_is_told(
    home: Home, recent: List, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_source, "told_s", lambda settings: 10 * WAIT_S)
    began, of_apps = RecentSource._began, list[str]()

    def noted(recent: RecentSource, app: str) -> float:
        of_apps.append(app)
        return began(recent, app)

    monkeypatch.setattr(RecentSource, "_began", noted)
    program = shutil.copy("/usr/bin/sleep", tmp_path / "some-editor")
    (tmp_path / "applications" / "org.test.Editor.desktop").write_text(
        f"[Desktop Entry]\nType=Application\nExec={program} %U\n"
    )
    with subprocess.Popen([program, "1000"]) as editor:
        try:
            with watched(source(home)) as events:
                recent.open("/home/me/a.txt", str(program))
                until("it is read", lambda: of_apps == ["org.test.Editor"])
                recent.open("/home/me/b.txt", "viewer")
                until("the other one is read", lambda: of_apps[1:] == ["viewer"])
                assert events == []
            assert [event.target for event in events] == ["a.txt", "b.txt"]
        finally:
            editor.kill()


def test_a_save_of_what_is_open_is_not_told_after_a_restart(home: Home, recent: List, tmp_path: Path) -> None:
    program = shutil.copy("/usr/bin/sleep", tmp_path / "some-editor")
    (tmp_path / "applications" / "org.test.Editor.desktop").write_text(
        f"[Desktop Entry]\nType=Application\nExec={program} %U\n"
    )
    letter, hour_ago, cursors = tmp_path / "letter.txt", time.time() - 3600, dict[str, dict[str, Any]]()
    letter.write_text("a")
    os.utime(letter, (hour_ago, hour_ago))
    with subprocess.Popen([program, "1000"]) as editor:
        try:
            with watched(source(home), cursors) as events:
                recent.open(str(letter), str(program))
                until("it is opened", lambda: len(events) == 1)
                opened = cursors["recent"]
                letter.write_text("b")
                recent.open(str(letter), str(program))
                until("the save is read", lambda: cursors["recent"] != opened)
            with watched(source(home), cursors) as again:
                assert again == []
            assert [event.operation for event in events] == [Operation.FILE_ACCESS]
        finally:
            editor.kill()


def test_what_is_held_back_is_read_again_after_a_kill(
    home: Home, recent: List, monkeypatch: pytest.MonkeyPatch
) -> None:
    due, of_apps = {"soon": proc.now() + 2, "later": proc.now() + 10 * WAIT_S}, list[str]()

    def noted(_: RecentSource, app: str) -> float:
        of_apps.append(app)
        return due[app]

    monkeypatch.setattr(recent_source, "told_s", lambda settings: 0.0)
    monkeypatch.setattr(RecentSource, "_began", noted)
    cursors: dict[str, dict[str, Any]] = {}
    with watched(source(home), cursors) as events:
        begun = cursors["recent"]
        for name, app in (("one.txt", "soon"), ("two.txt", "later")):
            recent.open(f"/home/me/{name}", app)
            until(f"{name} is read", lambda app=app: app in of_apps)  # type: ignore[misc]
        until("the first is stored", lambda: cursors["recent"] != begun)
        at_the_kill = dict(cursors)
        assert [event.target for event in events] == ["one.txt"]
    with watched(source(home), at_the_kill) as events:
        assert [event.target for event in events] == ["two.txt"]


def test_restart_reports_files_opened_meanwhile_once(home: Home, recent: List) -> None:
    cursors: dict[str, dict[str, Any]] = {}
    with watched(source(home), cursors) as events:
        recent.open("/home/me/one.txt", "viewer")
        until("the first", lambda: len(events) == 1)
    recent.open("/home/me/two.txt", "viewer")
    recent.open("/home/me/restored.txt", "viewer", at=datetime(2020, 1, 1, tzinfo=UTC))
    with watched(source(home), cursors) as events:
        assert [event.target for event in events] == ["two.txt"]
    with watched(source(home), cursors) as events:
        assert events == []


def test_files_of_one_moment_keep_the_order_of_the_list(home: Home, recent: List) -> None:
    cursors: dict[str, dict[str, Any]] = {}
    with watched(source(home), cursors):
        pass
    names, now = [f"{n}.txt" for n in range(20)], datetime.now(UTC) + timedelta(seconds=1)
    for name in names:
        recent.open(f"/home/me/{name}", "viewer", at=now)
    until("that moment", lambda: datetime.now(UTC) > now)
    with watched(source(home), cursors) as events:
        assert [event.target for event in events] == names


def test_first_run_reports_nothing_of_the_past(home: Home, recent: List) -> None:
    recent.open("/home/me/one.txt", "viewer")
    cursors: dict[str, dict[str, Any]] = {}
    with watched(source(home), cursors) as events:
        assert events == []
    recent.open("/home/me/two.txt", "viewer")
    with watched(source(home), cursors) as events:
        assert [event.target for event in events] == ["two.txt"]


def test_first_run_reports_the_days_that_were_chosen(home: Home, recent: List) -> None:
    now = datetime.now(UTC)
    for name, days in (("old", 31), ("week", 7), ("today", 0)):
        recent.open(f"/home/me/{name}.txt", "viewer", at=now - timedelta(days=days))
    cursors: dict[str, dict[str, Any]] = {}
    with watched(source(home, recent_days=30), cursors) as events:
        assert [event.target for event in events] == ["week.txt", "today.txt"]
    with watched(source(home, recent_days=30), cursors) as events:
        assert events == []
    with watched(source(home, recent_days=60), cursors) as events:
        assert [event.target for event in events] == ["old.txt", "week.txt", "today.txt"], "the store knows two of them"


def test_a_file_of_the_past_is_opened_again_not_saved(home: Home, recent: List, tmp_path: Path) -> None:
    program = shutil.copy("/usr/bin/sleep", tmp_path / "some-editor")
    (tmp_path / "applications" / "org.test.Editor.desktop").write_text(
        f"[Desktop Entry]\nType=Application\nExec={program} %U\n"
    )
    recent.open("/home/me/a.txt", str(program), at=datetime.now(UTC) - timedelta(days=7))
    with subprocess.Popen([program, "1000"]) as editor:
        try:
            with watched(source(home, recent_days=30)) as events:
                assert [event.target for event in events] == ["a.txt"]
                recent.open("/home/me/a.txt", str(program))
                until("the file is opened by what runs now", lambda: len(events) == 2)
        finally:
            editor.kill()


def test_what_gave_no_notice_is_read_at_the_next_look(
    home: Home, recent: List, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_source, "watch", lambda *_, **__: None)
    with watched(source(home, scan_s=0.05)) as events:
        recent.open("/home/me/one.txt", "viewer")
        until("it", lambda: [event.target for event in events] == ["one.txt"])


def test_future_time_hides_no_later_use(home: Home, recent: List) -> None:
    cursors: dict[str, dict[str, Any]] = {}
    with watched(source(home), cursors) as events:
        recent.open("/home/me/future.txt", "viewer", at=datetime(9999, 12, 31, tzinfo=UTC))
        until("it", lambda: len(events) == 1)
        assert events[0].at <= datetime.now(UTC)
        recent.open("/home/me/now.txt", "viewer")
        until("the next", lambda: [event.target for event in list(events)] == ["future.txt", "now.txt"])
    with watched(source(home), cursors) as events:
        assert events == []


def test_clock_set_back_hides_nothing(home: Home, recent: List) -> None:
    cursors: dict[str, dict[str, Any]] = {"recent": {"newest": "2990-01-01T00:00:00+00:00"}}
    with watched(source(home), cursors) as events:
        recent.open("/home/me/now.txt", "viewer")
        until("it", lambda: [event.target for event in list(events)] == ["now.txt"])


def test_invalid_lists_are_skipped(home: Home, recent: List) -> None:
    with watched(source(home)) as events:
        for text in (b"", b"<xbel", b'<!DOCTYPE x [<!ENTITY a "b">]><xbel/>', b"\xff" * 1000):
            replace(recent.path, text)
        recent.path.unlink()
        os.mkfifo(recent.path)
        recent.path.unlink()
        recent.path.symlink_to("/dev/zero")
        recent.path.unlink()
        recent.path.mkdir()
        recent.path.rmdir()
        (recent.path.parent / "other.xbel").write_text("other")
        recent.open("/home/me/good.txt", "viewer")
        until("the good one", lambda: [event.target for event in list(events)] == ["good.txt"])


def test_a_list_that_cannot_be_read_is_told(home: Home, recent: List) -> None:
    notes = list[str]()
    with watched(source(home), notes=notes) as events:
        replace(recent.path, b"<xbel")
        until("it is told", lambda: len(notes) == 1)
        assert notes[0].startswith("recently-used.xbel can't be read (it is not well-formed XML")
        recent.open("/home/me/good.txt", "viewer")
        until("the good one", lambda: len(events) == 1)
        assert notes[1:] == [""]


def replace(path: Path, text: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(text)
    fresh.replace(path)


def test_names_are_cleaned_and_files_of_memo_skipped(home: Home, recent: List) -> None:
    with watched(source(home)) as events:
        recent.open(str(home.root / "memo.db"), "viewer")
        recent.open("/home/me/a\x1b[2J\nb.txt", "viewer")
        until("the other file", lambda: reported(events) == [("/home/me", "a [2J b.txt", "viewer")])


def test_missing_without_folder_gives_the_remedy(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "absent"))
    assert "open a file" in RecentSource(Settings(), home).missing()


def test_thousand_new_entries_are_read_at_once(home: Home, recent: List) -> None:
    recent.open("/home/me/first.txt", "viewer")
    entry = recent.path.read_text().split("<bookmark ", 1)[1].split("</bookmark>")[0]
    with watched(source(home)) as events:
        later = datetime.now(UTC) + timedelta(seconds=0.001)
        fresh = "".join(
            f"<bookmark {entry}</bookmark>\n".replace("first.txt", f"{number}.txt").replace(
                entry.split('visited="')[1].split('"')[0], later.isoformat()
            )
            for number in range(1000)
        )
        replace(recent.path, recent.path.read_bytes().replace(b"</xbel>", fresh.encode() + b"</xbel>"))
        until("all", lambda: len(events) == 1000)
