"""Web visits, from histories as browsers write them: each once, live and past, whatever state a history is in."""

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

from collector.sources.web import web
from collector.sources.web.web import WebSource
from collector.sources.web.web_history import copied
from collector.sources.web.web_profiles import Profile, profiles
from collector.sources.web.web_reader import VisitReader
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Past, Stop

DEADLINE_S = 60.0
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)


class Store:
    """Takes what is emitted and keeps the cursors, as the intake does."""

    def __init__(self) -> None:
        self.live: list[Event] = []
        self.past: list[Event] = []
        self.cursors: dict[str, dict[str, Any]] = {}

        self.hints: list[int] = []

    def emit(self, given: Batch | Past) -> None:
        self.hints.append(length_hint(given.events))
        (self.past if isinstance(given, Past) else self.live).extend(given.events)
        self.cursors[given.cursor_key] = given.cursor

    @property
    def told(self) -> list[str]:
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
        for profile in profiles():
            reader.new(profile, live)

    return once


@pytest.fixture
def reader(home: Home, store: Store) -> VisitReader:
    return VisitReader(Settings.load(), home, store.emit, store.cursors.get)


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def until_told(store: Store, name: str) -> None:
    until(lambda: name in store.told)


# What is told


def test_a_visit_is_its_time_domain_title_and_browser(
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


def test_it_says_how_much_there_is_to_read(
    chromium: Chromium, firefox: Firefox, store: Store, reader: VisitReader
) -> None:
    for number in range(5):
        chromium.visit("https://a.org", str(number), NOW - number * DAY)
    firefox.visit("https://a.org", "only one", NOW)
    for profile in profiles():
        reader.past(profile, 3)
    assert store.hints == [3, 0, 1, 0]


@pytest.mark.parametrize("core", [0, 1, 2, 5, 6, 7, 9])
def test_what_a_person_sees_in_chromium_is_told(
    core: int, chromium: Chromium, store: Store, read: Callable[..., None]
) -> None:
    chromium.visit("https://a.org", "a", transition=SEEN | core)
    read()
    assert store.told == ["a"]


def test_frames_reloads_and_passing_redirects_of_chromium_are_not_told(
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
    assert store.told == ["to", "here"]


def test_an_older_chromium_knows_no_other_machines(person: Path, store: Store, read: Callable[..., None]) -> None:
    old = Chromium(person / ".config/chromium/Default", without=",\n    originator_cache_guid TEXT")
    old.visit("https://a.org", "a")
    old.close()
    read()
    assert store.told == ["a"]


def test_frames_downloads_reloads_and_passing_redirects_of_firefox_are_not_told(
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
    assert store.told == ["seen 1", "seen 2", "seen 3", "to"]


@pytest.mark.parametrize(
    "url",
    ["chrome://settings", "about:home", "file:///a", "moz-extension://a/", "chrome-extension://a/", "data:,a", None],
)
def test_what_is_no_site_is_not_told(url: object, chromium: Chromium, store: Store, read: Callable[..., None]) -> None:
    chromium.visit(url, "secret")
    chromium.visit("https://a.org", "a")
    read()
    assert store.told == ["a"]


def test_whatever_stands_in_a_column_stops_nothing(chromium: Chromium, store: Store, read: Callable[..., None]) -> None:
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
    assert max(map(len, store.told)) == 4096
    chromium.visit("https://a.org", "new")
    read()
    assert store.told[-1] == "new"


# Live, and past


def test_each_visit_is_told_once(firefox: Firefox, store: Store, read: Callable[..., None]) -> None:
    firefox.visit("https://a.org", "before")
    read()
    read()
    firefox.visit("https://a.org", "after")
    read()
    read()
    assert ([event.detail for event in store.past], [event.detail for event in store.live]) == (["before"], ["after"])


def test_the_first_time_so_many_days_are_told(
    chromium: Chromium, home: Home, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for days in (40, 3, 1):
        chromium.visit("https://a.org", f"{days}", NOW - days * DAY)
    monkeypatch.setenv("MEMO_SOURCES__WEB_DAYS", "2")
    reader = VisitReader(Settings.load(), home, store.emit, store.cursors.get)
    [profile] = profiles()
    reader.new(profile, True)
    assert store.told == ["1"]
    reader.past(profile, 10)
    assert store.told == ["1", "3"]
    reader.past(profile, 10)
    reader.past(profile, 1)
    assert store.told == ["1", "3"]
    reader.past(profile, 100)
    assert store.told == ["1", "3", "40"]
    assert store.live == []


def test_an_import_of_the_past_is_not_told_again_when_the_source_first_runs(
    chromium: Chromium, store: Store, reader: VisitReader
) -> None:
    chromium.visit("https://a.org", "old", NOW - 50 * DAY)
    [profile] = profiles()
    reader.past(profile, 100)
    with chromium.database:
        chromium.database.execute("UPDATE urls SET title = 'renamed'")
    chromium.visit("https://a.org", "new")
    reader.new(profile, True)
    assert store.told == ["old", "new"]


def test_an_import_reaches_the_visits_of_a_source_that_was_broken_off(
    chromium: Chromium, store: Store, reader: VisitReader
) -> None:
    chromium.visit("https://a.org", "a")
    [profile] = profiles()
    reader.new(profile, True)
    del store.cursors[f"{profile.key} past"]
    reader.past(profile, 1)
    assert store.told == ["a", "a"], "the store passes over the second"


def test_a_history_without_visits_is_read_from_its_first_one(
    chromium: Chromium, store: Store, read: Callable[..., None]
) -> None:
    read()
    chromium.visit("https://a.org", "a", NOW - timedelta(seconds=10))  # a browser writes it later
    read()
    assert [event.detail for event in store.live] == ["a"]


def test_after_the_history_was_cleared_only_what_is_new_is_told(
    chromium: Chromium, store: Store, read: Callable[..., None]
) -> None:
    for name in "abc":
        chromium.visit("https://a.org", name)
    read()
    with chromium.database:
        chromium.database.execute("DELETE FROM visits WHERE id > 1")
    read()
    chromium.visit("https://a.org", "d")
    read()
    assert store.told == ["a", "b", "c", "d"]


def test_a_history_that_begins_anew_doubles_nothing(person: Path, store: Store, read: Callable[..., None]) -> None:
    folder = person / ".mozilla/firefox/a.default"
    for names in ("abc", "de"):
        made = Firefox(folder)
        for name in names:
            made.visit("https://a.org", name)
        read()
        read()
        made.close()
        shutil.rmtree(folder)
    assert store.told == ["a", "b", "c", "d", "e"]


def test_an_older_history_put_back_doubles_nothing(person: Path, store: Store, read: Callable[..., None]) -> None:
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
    assert store.told == ["a", "b", "c", "d"]


# Copies


def test_a_browser_that_holds_its_history_locked_is_read_all_the_same(
    chromium: Chromium, firefox: Firefox, store: Store, read: Callable[..., None]
) -> None:
    for browser in (chromium, firefox):
        browser.visit("https://a.org", "committed")
        browser.database.execute("PRAGMA locking_mode = EXCLUSIVE")
        browser.database.execute("BEGIN EXCLUSIVE")
        if isinstance(browser, Chromium):
            browser.database.execute("UPDATE urls SET title = 'not yet'")
    read()
    assert store.told == ["committed", "committed"]


def test_a_copy_is_private_and_goes(firefox: Firefox, home: Home) -> None:
    folder = home.in_memory / "web"
    folder.mkdir(mode=0o700)
    with copied(firefox.path, folder) as copy:
        [private] = folder.iterdir()
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert copy.execute("SELECT count(*) FROM moz_places").fetchone() == (0,)
    assert list(folder.iterdir()) == []


def test_a_history_that_changes_all_the_time_is_read_later(firefox: Firefox, home: Home, monkeypatch: Any) -> None:
    monkeypatch.setattr("collector.sources.web.web_history.AGAIN_S", 0)
    real = shutil.copyfileobj

    def disturbed(*arguments: Any) -> None:
        real(*arguments)
        firefox.visit("https://a.org")

    monkeypatch.setattr(shutil, "copyfileobj", disturbed)
    (home.in_memory / "web").mkdir()
    with pytest.raises(BlockingIOError), copied(firefox.path, home.in_memory / "web"):
        pass
    assert list((home.in_memory / "web").iterdir()) == []


# The source


class Running:
    """The source in a thread."""

    def __init__(self, home: Home, store: Store) -> None:
        self.source, self.stop = WebSource(Settings.load(), home), Stop()
        self._thread = threading.Thread(target=self.source.run, args=(store.emit, store.cursors.get, self.stop))

    def __enter__(self) -> "Running":
        self._thread.start()
        assert self.source.watching.wait(DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of which profile each copy was."""
    found, real = list[str](), VisitReader.new

    def counted(reader: VisitReader, profile: Profile, live: bool) -> None:
        found.append(profile.key)
        real(reader, profile, live)

    monkeypatch.setattr(VisitReader, "new", counted)
    return found


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "QUIET_S", 0.05)
    monkeypatch.setattr(web, "PAUSE_S", 0.1)


@pytest.mark.usefixtures("quick")
def test_visits_are_told_as_they_are_written(chromium: Chromium, firefox: Firefox, home: Home, store: Store) -> None:
    chromium.visit("https://a.org", "before")
    with Running(home, store) as running:
        until(lambda: store.told == ["before"])
        for browser, name in ((chromium, "c"), (firefox, "f"), (chromium, "d"), (firefox, "g")):
            browser.visit("https://a.org", name)
            until_told(store, name)
        assert not running.stop.is_set()
    assert sorted(event.detail for event in store.live) == ["c", "d", "f", "g"]
    assert list((home.in_memory / "web").iterdir()) == []


def test_our_own_reading_wakes_nobody(
    firefox: Firefox, home: Home, store: Store, reads: list[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(web, "QUIET_S", 0.0)
    monkeypatch.setattr(web, "PAUSE_S", 0.0)
    firefox.visit("https://a.org", "before")
    with Running(home, store):
        until(lambda: store.told == ["before"])
        time.sleep(1)
        assert len(reads) == 1
        firefox.visit("https://a.org", "after")
        until(lambda: store.told[-1] == "after")
        time.sleep(1)
    assert len(reads) < 4, "a write may be noticed more than once, not again and again"


def test_a_history_is_copied_once_in_a_while(firefox: Firefox, home: Home, store: Store, monkeypatch: Any) -> None:
    monkeypatch.setattr(web, "QUIET_S", 0.0)
    monkeypatch.setattr(web, "PAUSE_S", 1_000.0)
    with Running(home, store):
        until(lambda: store.cursors)
        firefox.visit("https://a.org", "too soon")
        time.sleep(0.5)
    assert store.told == []


@pytest.mark.usefixtures("quick")
def test_a_journal_alone_is_no_visit_yet(chromium: Chromium, home: Home, store: Store, reads: list[str]) -> None:
    """A browser keeps a transaction open for seconds; a copy meanwhile would only delay the one that counts."""
    with Running(home, store):
        until(lambda: reads)
        chromium.database.execute("BEGIN IMMEDIATE")
        chromium.database.execute("INSERT INTO urls(url, title, last_visit_time) VALUES ('https://a.org', 'a', 0)")
        until(lambda: (chromium.path.parent / "History-journal").exists())
        time.sleep(0.5)
        assert len(reads) == 1
        chromium.database.execute("COMMIT")
        until(lambda: len(reads) > 1)


def test_a_source_without_a_browser_says_so(person: Path, home: Home) -> None:
    assert "No browser has a history here" in WebSource(Settings.load(), home).missing()
    Chromium(person / ".config/chromium/Default").close()
    assert WebSource(Settings.load(), home).missing() == ""


@pytest.mark.usefixtures("quick")
def test_what_can_not_be_read_is_passed_over_with_a_count_and_the_others_go_on(
    person: Path, firefox: Firefox, home: Home, store: Store
) -> None:
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
    with Running(home, store) as running:
        until(lambda: store.told == ["before"])
        firefox.visit("https://a.org", "after")
        until(lambda: store.told == ["before", "after"])
    assert len(running.source._skipped) == 4
    assert list((home.in_memory / "web").iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_profiles_come_and_go(person: Path, firefox: Firefox, home: Home, store: Store, monkeypatch: Any) -> None:
    monkeypatch.setattr(web, "SCAN_S", 0.2)
    folder = person / ".config/chromium/Default"
    with Running(home, store):
        for name in "ab":
            made = Chromium(folder)
            made.visit("https://a.org", name)
            until_told(store, name)
            made.close()
            shutil.rmtree(folder)
        firefox.visit("https://a.org", "c")
        until(lambda: "c" in store.told)
    assert sorted(store.told) == ["a", "b", "c"]


def test_what_a_crash_left_is_removed_at_the_start(firefox: Firefox, home: Home, store: Store) -> None:
    left = home.in_memory / "web" / "left"
    left.mkdir(parents=True)
    (left / "copy").write_text("secret")
    with Running(home, store):
        until(lambda: store.cursors)
    assert not left.exists()
