"""Web visits from histories as browsers write them: each once, live and past, in whatever state a history is."""

import os
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from operator import length_hint
from pathlib import Path
from typing import Any

import pytest
from histories import SEEN, Chromium, Firefox
from waiting import WAIT_S, until

from collector.sources.web import web
from collector.sources.web.web import SEVERAL, TIMINGS, UNREAD, WebSource, WebTimings
from collector.sources.web.web_history import copy_database
from collector.sources.web.web_profiles import Profile, find_profiles
from collector.sources.web.web_reader import VisitReader
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Note, Past, Stop

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)


class Store:
    """Collects what is emitted, and keeps the cursors as the intake does."""

    def __init__(self) -> None:
        self.live: list[Event] = []
        self.past: list[Event] = []
        self.cursors: dict[str, dict[str, Any]] = {}
        self.hints: list[int] = []
        self.notes: list[str] = []

    def emit(self, given: Batch | Past | Note) -> None:
        if isinstance(given, Note):
            self.notes.append(given.text)
            return
        self.hints.append(length_hint(given.events))
        (self.past if isinstance(given, Past) else self.live).extend(given.events)
        self.cursors[given.cursor_key] = given.cursor

    @property
    def titles(self) -> list[str]:
        return [event.detail for event in (*self.past, *self.live)]


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    entries = tmp_path / ".local/share/applications"
    entries.mkdir(parents=True)
    (entries / "firefox-esr.desktop").write_text("[Desktop Entry]\nType=Application\nName=F\nExec=firefox-esr %u\n")
    return tmp_path


@pytest.fixture
def chromium(person: Path) -> Iterator[Chromium]:
    made = Chromium(person / ".config/chromium/Default")
    yield made
    made.close()


@pytest.fixture
def firefox(person: Path) -> Iterator[Firefox]:
    made = Firefox(person / ".mozilla/firefox/a.default")
    yield made
    made.close()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def read(home: Home, store: Store) -> Callable[..., None]:
    reader = VisitReader(Settings.load(), home, store.emit, store.cursors.get)

    def once(live: bool = True) -> None:
        for profile in find_profiles():
            reader.read_new(profile, live)

    return once


@pytest.fixture
def reader(home: Home, store: Store) -> VisitReader:
    return VisitReader(Settings.load(), home, store.emit, store.cursors.get)


def until_stored(store: Store, name: str) -> None:
    until("the visits", lambda: name in store.titles)


# Which visits are emitted


def test_visit_has_time_domain_title_and_browser(
    chromium: Chromium, firefox: Firefox, store: Store, read: Callable[..., None]
) -> None:
    chromium.visit("https://GitHub.com/a/b?token=secret#secret", "Pulls\x1b[1m", NOW)
    firefox.visit("http://xn--mnchen-3ya.de:8080/?q=secret", None, NOW - HOUR)
    read()
    first, second = sorted(store.past, key=lambda event: event.at)
    assert (second.at, second.operation) == (NOW, Operation.WEB_VISIT)
    assert (second.target, second.app, second.detail) == ("github.com", "chromium", "Pulls [1m")
    assert (first.at, first.target, first.app, first.detail) == (NOW - HOUR, "münchen.de", "firefox-esr", "")
    assert first.at.tzinfo is not None and "secret" not in str(store.past)


def test_past_has_the_number_of_its_visits_as_length_hint(
    chromium: Chromium, firefox: Firefox, store: Store, reader: VisitReader
) -> None:
    for number in range(5):
        chromium.visit("https://a.org", str(number), NOW - number * DAY)
    firefox.visit("https://a.org", "only one", NOW)
    for profile in find_profiles():
        reader.read_past(profile, 3)
    assert store.hints == [3, 0, 1, 0]


@pytest.mark.parametrize("core", [0, 1, 2, 5, 6, 7, 9])
def test_chromium_visits_that_a_person_saw_are_emitted(
    core: int, chromium: Chromium, store: Store, read: Callable[..., None]
) -> None:
    chromium.visit("https://a.org", "a", transition=SEEN | core)
    read()
    assert store.titles == ["a"]


def test_chromium_frames_reloads_and_redirects_are_skipped(
    chromium: Chromium, store: Store, read: Callable[..., None]
) -> None:
    for core in (3, 4, 8, 10):
        chromium.visit("https://a.org", "a", transition=SEEN | core)
    chromium.visit("https://a.org", "from", transition=0x10000000)
    chromium.visit("https://a.org", "by", transition=-0x80000000)
    chromium.visit("https://a.org", "to", transition=-0x80000000 | 0x20000000)
    chromium.visit("https://a.org", "elsewhere", originator_cache_guid="another machine")
    chromium.visit("https://a.org", "here", originator_cache_guid="")
    read()
    assert store.titles == ["to", "here"]


def test_chromium_without_originator_column_is_read(person: Path, store: Store, read: Callable[..., None]) -> None:
    old = Chromium(person / ".config/chromium/Default", without=",\n    originator_cache_guid TEXT")
    old.visit("https://a.org", "a")
    old.close()
    read()
    assert store.titles == ["a"]


def test_firefox_frames_downloads_and_redirects_are_skipped(
    firefox: Firefox, store: Store, read: Callable[..., None]
) -> None:
    for kind in (4, 7, 8, 9):
        firefox.visit("https://a.org", "a", kind=kind)
    for kind in (1, 2, 3):
        firefox.visit("https://a.org", f"seen {kind}", kind=kind)
    origin = firefox.visit("http://a.org", "from")
    by = firefox.visit("https://a.org", "by", kind=5, origin=origin)
    firefox.visit("https://www.a.org", "to", kind=6, origin=by)
    read()
    assert store.titles == ["seen 1", "seen 2", "seen 3", "to"]


@pytest.mark.parametrize(
    "url",
    ["chrome://settings", "about:home", "file:///a", "moz-extension://a/", "chrome-extension://a/", "data:,a", None],
)
def test_visit_of_no_site_is_skipped(url: object, chromium: Chromium, store: Store, read: Callable[..., None]) -> None:
    chromium.visit(url, "secret")
    chromium.visit("https://a.org", "a")
    read()
    assert store.titles == ["a"]


def test_invalid_column_values_stop_nothing(chromium: Chromium, store: Store, read: Callable[..., None]) -> None:
    chromium.visit(b"https://a.org/\xff", b"\xff\xfe")
    chromium.visit("https://a.org", "x" * 1_000_000)
    chromium.visit("https://a.org", 7)
    for wrong in ("soon", None, 2**62, -(2**62), b"\0", 1e300):
        with chromium.database:
            chromium.database.execute("INSERT INTO urls(url, title, last_visit_time) VALUES ('https://a.org', 'w', 0)")
            chromium.database.execute(
                "INSERT OR IGNORE INTO visits(url, visit_time, transition) VALUES (last_insert_rowid(), ?, ?)",
                (wrong, SEEN),
            )
    chromium.visit("https://a.org", "last")
    read()
    assert max(map(len, store.titles)) == 4096
    chromium.visit("https://a.org", "new")
    read()
    assert store.titles[-1] == "new"


# Live and past


def test_each_visit_is_emitted_once(firefox: Firefox, store: Store, read: Callable[..., None]) -> None:
    firefox.visit("https://a.org", "before")
    read()
    read()
    firefox.visit("https://a.org", "after")
    read()
    read()
    assert ([event.detail for event in store.past], [event.detail for event in store.live]) == (["before"], ["after"])


def test_visits_of_long_ago_that_come_in_are_no_acts_of_now(
    firefox: Firefox, store: Store, reader: VisitReader
) -> None:
    [profile] = find_profiles()
    firefox.visit("https://a.org", "before")
    reader.read_new(profile, is_live=False)
    firefox.visit("https://b.org", "of another machine", at=datetime.now(UTC) - timedelta(days=2))
    firefox.visit("https://c.org", "written late", at=datetime.now(UTC) - timedelta(minutes=1))
    reader.read_new(profile, is_live=True)
    assert [event.detail for event in store.live] == ["written late"]


def test_a_visit_of_a_wrong_clock_hides_no_later_one(firefox: Firefox, store: Store, reader: VisitReader) -> None:
    [profile] = find_profiles()
    firefox.visit("https://a.org", "ahead", at=datetime.now(UTC) + timedelta(days=300))
    reader.read_new(profile, is_live=False)
    firefox.visit("https://b.org", "after it")
    reader.read_new(profile, is_live=True)
    with firefox.database:
        firefox.database.execute("DELETE FROM moz_historyvisits")
    firefox.visit("https://c.org", "after all were deleted")
    reader.read_new(profile, is_live=True)
    assert [event.detail for event in store.live] == ["after it", "after all were deleted"]


def test_first_read_emits_the_days_of_the_settings(
    chromium: Chromium, home: Home, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in (40, 3, 1):
        chromium.visit("https://a.org", f"{days}", NOW - days * DAY)
    monkeypatch.setenv("MEMO_SOURCES__WEB_DAYS", "2")
    reader = VisitReader(Settings.load(), home, store.emit, store.cursors.get)
    [profile] = find_profiles()
    reader.read_new(profile, True)
    assert store.titles == ["1"]
    reader.read_past(profile, 10)
    assert store.titles == ["1", "3"]
    reader.read_past(profile, 10)
    reader.read_past(profile, 1)
    assert store.titles == ["1", "3"]
    reader.read_past(profile, 100)
    assert store.titles == ["1", "3", "40"]
    assert store.live == []


def test_imported_past_is_not_emitted_again_by_the_source(
    chromium: Chromium, store: Store, reader: VisitReader
) -> None:
    chromium.visit("https://a.org", "old", NOW - 50 * DAY)
    [profile] = find_profiles()
    reader.read_past(profile, 100)
    with chromium.database:
        chromium.database.execute("UPDATE urls SET title = 'renamed'")
    chromium.visit("https://a.org", "new")
    reader.read_new(profile, True)
    assert store.titles == ["old", "new"]


def test_import_emits_visits_of_an_interrupted_first_read(
    chromium: Chromium, store: Store, reader: VisitReader
) -> None:
    chromium.visit("https://a.org", "a")
    [profile] = find_profiles()
    reader.read_new(profile, True)
    del store.cursors[f"{profile.key} past"]
    reader.read_past(profile, 1)
    assert store.titles == ["a", "a"], "the store skips the second"


def test_empty_history_is_read_from_its_first_visit(
    chromium: Chromium, store: Store, read: Callable[..., None]
) -> None:
    read()
    chromium.visit("https://a.org", "a", NOW - timedelta(seconds=10))  # a browser writes it later
    read()
    assert [event.detail for event in store.live] == ["a"]


def test_cleared_history_emits_only_new_visits(chromium: Chromium, store: Store, read: Callable[..., None]) -> None:
    for name in "abc":
        chromium.visit("https://a.org", name)
    read()
    with chromium.database:
        chromium.database.execute("DELETE FROM visits WHERE id > 1")
    read()
    chromium.visit("https://a.org", "d")
    read()
    assert store.titles == ["a", "b", "c", "d"]


def test_recreated_history_duplicates_nothing(person: Path, store: Store, read: Callable[..., None]) -> None:
    folder = person / ".mozilla/firefox/a.default"
    for names in ("abc", "de"):
        made = Firefox(folder)
        for name in names:
            made.visit("https://a.org", name)
        read()
        read()
        made.close()
        shutil.rmtree(folder)
    assert store.titles == ["a", "b", "c", "d", "e"]


def test_restored_older_history_duplicates_nothing(person: Path, store: Store, read: Callable[..., None]) -> None:
    made = Chromium(person / ".config/chromium/Default")
    made.visit("https://a.org", "a")
    saved = made.path.read_bytes()
    read()
    for name in "bc":
        made.visit("https://a.org", name)
    read()
    made.close()
    made.path.write_bytes(saved)
    read()
    made = Chromium(person / ".config/chromium/Default")
    made.visit("https://a.org", "d")
    made.close()
    read()
    assert store.titles == ["a", "b", "c", "d"]


# Copies


def test_locked_history_is_read(chromium: Chromium, firefox: Firefox, store: Store, read: Callable[..., None]) -> None:
    for browser in (chromium, firefox):
        browser.visit("https://a.org", "committed")
        browser.database.execute("PRAGMA locking_mode = EXCLUSIVE")
        browser.database.execute("BEGIN EXCLUSIVE")
        if isinstance(browser, Chromium):
            browser.database.execute("UPDATE urls SET title = 'not yet'")
    read()
    assert store.titles == ["committed", "committed"]


def test_copy_is_private_and_removed(firefox: Firefox, home: Home) -> None:
    folder = home.in_memory / "web"
    folder.mkdir(mode=0o700)
    with copy_database(firefox.path, folder) as copy:
        [private] = folder.iterdir()
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert copy.execute("SELECT count(*) FROM moz_places").fetchone() == (0,)
    assert list(folder.iterdir()) == []


def test_history_that_keeps_changing_raises_blocking_error(firefox: Firefox, home: Home, monkeypatch: Any) -> None:
    real = shutil.copyfileobj

    def disturbed(*arguments: Any) -> None:
        real(*arguments)
        firefox.visit("https://a.org")

    monkeypatch.setattr(shutil, "copyfileobj", disturbed)
    (home.in_memory / "web").mkdir()
    with pytest.raises(BlockingIOError), copy_database(firefox.path, home.in_memory / "web", retry_s=0):
        pass
    assert list((home.in_memory / "web").iterdir()) == []


# The source


class Running:
    """The source in a thread."""

    def __init__(self, home: Home, store: Store, timings: WebTimings = TIMINGS) -> None:
        self.source, self.stop = WebSource(Settings.load(), home, timings), Stop()
        self._thread = threading.Thread(target=self.source.run, args=(store.emit, store.cursors.get, self.stop))

    def __enter__(self) -> "Running":
        self._thread.start()
        assert self.source.watching.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The profile of each copy."""
    found, real = list[str](), VisitReader.read_new

    def counted(reader: VisitReader, profile: Profile, live: bool) -> None:
        found.append(profile.key)
        real(reader, profile, live)

    monkeypatch.setattr(VisitReader, "read_new", counted)
    return found


QUICK = WebTimings(settle=0.05, rest=1.0)


def test_visits_are_emitted_as_they_are_written(chromium: Chromium, firefox: Firefox, home: Home, store: Store) -> None:
    chromium.visit("https://a.org", "before")
    with Running(home, store, QUICK) as running:
        until("the visits", lambda: store.titles == ["before"])
        for browser, name in ((chromium, "c"), (firefox, "f"), (chromium, "d"), (firefox, "g")):
            browser.visit("https://a.org", name)
            until_stored(store, name)
        assert not running.stop.is_set()
    assert sorted(event.detail for event in store.live) == ["c", "d", "f", "g"]
    assert list((home.in_memory / "web").iterdir()) == []


def test_what_gave_no_notice_is_read_at_the_next_look(
    firefox: Firefox, home: Home, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "watch", lambda *_, **__: None)
    with Running(home, store, WebTimings(settle=0.05, rest=1.0, scan=0.05)):
        firefox.visit("https://a.org", "first")
        until_stored(store, "first")
        firefox.visit("https://a.org", "second")
        until_stored(store, "second")


def test_own_reading_does_not_wake_the_source(firefox: Firefox, home: Home, store: Store, reads: list[str]) -> None:
    firefox.visit("https://a.org", "before")
    with Running(home, store, WebTimings(settle=0.0, rest=0.0)):
        until("the visits", lambda: store.titles == ["before"])
        time.sleep(1)
        assert len(reads) == 1
        firefox.visit("https://a.org", "after")
        until("the visits", lambda: store.titles[-1] == "after")
        time.sleep(1)
    assert len(reads) < 4, "a write may be noticed more than once, but not for ever"


def test_history_is_not_copied_too_often(firefox: Firefox, home: Home, store: Store) -> None:
    with Running(home, store, WebTimings(settle=0.0, rest=1e9, longest_rest=1_000.0)):
        until("the visits", lambda: store.cursors)
        firefox.visit("https://a.org", "too soon")
        time.sleep(0.5)
    assert store.titles == []


def test_open_transaction_is_not_copied(chromium: Chromium, home: Home, store: Store, reads: list[str]) -> None:
    """A browser keeps a transaction open for seconds; a copy before the commit would only delay the next one."""
    with Running(home, store, QUICK):
        until("the visits", lambda: reads)
        chromium.database.execute("BEGIN IMMEDIATE")
        chromium.database.execute("INSERT INTO urls(url, title, last_visit_time) VALUES ('https://a.org', 'a', 0)")
        until("the visits", lambda: (chromium.path.parent / "History-journal").exists())
        time.sleep(0.5)
        assert len(reads) == 1
        chromium.database.execute("COMMIT")
        until("the visits", lambda: len(reads) > 1)


def test_missing_without_browser_gives_the_reason(person: Path, home: Home) -> None:
    assert "No browser history was found" in WebSource(Settings.load(), home).missing()
    Chromium(person / ".config/chromium/Default").close()
    assert WebSource(Settings.load(), home).missing() == ""


def test_unreadable_histories_are_skipped_and_counted(person: Path, firefox: Firefox, home: Home, store: Store) -> None:
    config = person / ".config"
    for name in ("chromium", "google-chrome", "vivaldi", "microsoft-edge"):
        (config / name / "Default").mkdir(parents=True)
    os.mkfifo(config / "chromium/Default/History")
    (config / "google-chrome/Default/History").write_bytes(os.urandom(50_000))
    sqlite3.connect(config / "vivaldi/Default/History").close()
    whole = Chromium(person / "elsewhere")
    for number in range(300):
        whole.visit("https://a.org", f"{number}" * 50)
    whole.close()
    torn = bytearray(whole.path.read_bytes())
    torn[4096:8192] = os.urandom(4096)
    (config / "microsoft-edge/Default/History").write_bytes(torn[:-5000])
    firefox.visit("https://a.org", "before")
    with Running(home, store, QUICK) as running:
        until("the visits", lambda: store.titles == ["before"])
        firefox.visit("https://a.org", "after")
        until("the visits", lambda: store.titles == ["before", "after"])
    assert len(running.source._failures) == 4
    assert list((home.in_memory / "web").iterdir()) == []


def test_history_that_stays_unreadable_is_told(person: Path, chromium: Chromium, home: Home, store: Store) -> None:
    chromium.visit("https://a.org", "before")
    chromium.close()
    whole, written = chromium.path.read_bytes(), person / "written"

    def write(content: bytes) -> None:
        written.write_bytes(content)
        written.rename(chromium.path)  # in one go

    with Running(home, store, QUICK) as running:
        until("the visits", lambda: store.titles == ["before"])
        for times in range(1, SEVERAL + 1):
            assert store.notes == []
            write(os.urandom(50_000))
            until("the visits", lambda times=times: sum(running.source._failures.values()) >= times)  # type: ignore[misc]
        until("the visits", lambda: store.notes == [UNREAD.format("chromium")])
        write(whole)
        until("the visits", lambda: store.notes == [UNREAD.format("chromium"), ""])


def test_profiles_that_come_and_go_are_noticed(person: Path, firefox: Firefox, home: Home, store: Store) -> None:
    folder = person / ".config/chromium/Default"
    with Running(home, store, WebTimings(settle=0.05, rest=1.0, scan=0.2)):
        for name in "ab":
            made = Chromium(folder)
            made.visit("https://a.org", name)
            until_stored(store, name)
            made.close()
            shutil.rmtree(folder)
        firefox.visit("https://a.org", "c")
        until("the visits", lambda: "c" in store.titles)
    assert sorted(store.titles) == ["a", "b", "c"]


def test_copies_left_by_a_crash_are_removed(firefox: Firefox, home: Home, store: Store) -> None:
    left = home.in_memory / "web" / "left"
    left.mkdir(parents=True)
    (left / "copy").write_text("secret")
    with Running(home, store):
        until("the visits", lambda: store.cursors)
    assert not left.exists()
