"""Files are opened as GTK's programs do it: GLib itself writes the list, beside it and then in its place."""

import os
from ctypes import CDLL, c_char_p, c_long, c_void_p
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import needs_library
from watched import until, watched

from collector.sources.files.recent import LIST, RecentSource
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings


class List:
    """The person's list, written by GLib."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._glib: CDLL = needs_library("libglib-2.0.so.0")
        self._glib.g_bookmark_file_new.restype = c_void_p
        self._file = c_void_p(self._glib.g_bookmark_file_new())

    def open(self, path: str, app: str, at: datetime | None = None) -> None:
        """A program opens a file, and says so."""
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


def source(home: Home) -> RecentSource:
    found = RecentSource(Settings(), home)
    assert found.missing() == ""
    return found


def told(events: list[Event]) -> list[tuple[str, str, str]]:
    assert all(event.operation is Operation.FILE_ACCESS for event in list(events))
    return [(event.detail, event.target, event.app) for event in list(events)]


def test_each_file_that_is_opened_is_told_once_with_its_app(home: Home, recent: List) -> None:
    recent.open("/home/me/before.txt", "some-editor")
    with watched(source(home)) as events:
        began = datetime.now(UTC)
        recent.open("/home/me/a b.txt", "some-editor")
        until("the first", lambda: told(events) == [("/home/me", "a b.txt", "org.test.Editor")])
        recent.open("/home/me/ü/c.txt", "viewer")
        until("the second", lambda: told(events)[1:] == [("/home/me/ü", "c.txt", "viewer")])
        recent.open("/home/me/before.txt", "some-editor")
        until("one that was listed before", lambda: told(events)[2:] == [("/home/me", "before.txt", "org.test.Editor")])
    assert all(began < event.at < datetime.now(UTC) for event in events)


def test_a_restart_tells_what_was_opened_meanwhile_and_nothing_twice(home: Home, recent: List) -> None:
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


def test_the_first_time_nothing_of_the_past_is_told(home: Home, recent: List) -> None:
    recent.open("/home/me/one.txt", "viewer")
    cursors: dict[str, dict[str, Any]] = {}
    with watched(source(home), cursors) as events:
        assert events == []
    recent.open("/home/me/two.txt", "viewer")
    with watched(source(home), cursors) as events:
        assert [event.target for event in events] == ["two.txt"]


def test_a_clock_that_is_wrong_hides_nothing(home: Home, recent: List) -> None:
    cursors: dict[str, dict[str, Any]] = {}
    with watched(source(home), cursors) as events:
        recent.open("/home/me/future.txt", "viewer", at=datetime(9999, 12, 31, tzinfo=UTC))
        until("it", lambda: len(events) == 1)
        assert events[0].at <= datetime.now(UTC)
        recent.open("/home/me/now.txt", "viewer")
        until("the next", lambda: [event.target for event in list(events)] == ["future.txt", "now.txt"])
    with watched(source(home), cursors) as events:
        assert events == []


def test_a_clock_that_was_set_back_hides_nothing(home: Home, recent: List) -> None:
    cursors: dict[str, dict[str, Any]] = {"recent": {"newest": "2990-01-01T00:00:00+00:00"}}
    with watched(source(home), cursors) as events:
        recent.open("/home/me/now.txt", "viewer")
        until("it", lambda: [event.target for event in list(events)] == ["now.txt"])


def test_bad_lists_are_passed_over(home: Home, recent: List) -> None:
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


def replace(path: Path, text: bytes) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_bytes(text)
    fresh.replace(path)


def test_hostile_names_are_cleaned_and_files_of_memo_are_never_told(home: Home, recent: List) -> None:
    with watched(source(home)) as events:
        recent.open(str(home.root / "memo.db"), "viewer")
        recent.open("/home/me/a\x1b[2J\nb.txt", "viewer")
        until("the other file", lambda: told(events) == [("/home/me", "a [2J b.txt", "viewer")])


def test_without_the_folder_it_says_how_to_get_it(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "absent"))
    assert "open a file" in RecentSource(Settings(), home).missing()


def test_many_entries_are_read_at_once(home: Home, recent: List) -> None:
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
