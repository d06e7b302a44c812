"""Real browsers: what is visited is told with its title, while they run; what is visited in private never."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from browsers import Pages, chromium, firefox, pages
from waiting import until

from collector.sources.web.web import WebSource, WebTimings
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Past, Stop

Browser = Callable[..., AbstractContextManager[Callable[[str], None]]]
BROWSERS = pytest.mark.parametrize(
    ("browser", "app", "private"),
    [(chromium, "chromium", "--incognito"), (firefox, "firefox-esr", "-private-window")],
    ids=["chromium", "firefox"],
)


class Store:
    """In the intake's place."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.cursors: dict[str, dict[str, Any]] = {}

    def emit(self, given: Batch | Past) -> None:
        self.events += given.events
        self.cursors[given.cursor_key] = given.cursor


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


@pytest.fixture
def served() -> Iterator[Pages]:
    with pages() as found:
        yield found


class Running:
    """The source in a thread; `titles` are those of the visits so far."""

    def __init__(self, home: Home) -> None:
        self.store, self._stop = Store(), Stop()
        source = WebSource(Settings.load(), home, WebTimings())
        self._thread = threading.Thread(target=source.run, args=(self.store.emit, self.store.cursors.get, self._stop))

    @property
    def titles(self) -> list[str]:
        return [event.detail for event in self.store.events]

    def __enter__(self) -> "Running":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


@BROWSERS
def test_visits_are_told_while_the_browser_runs(
    browser: Browser, app: str, private: str, person: Path, home: Home, served: Pages
) -> None:
    with browser(person) as visit:
        for path, host, page in (
            ("first?token=secret#secret", "localhost", "first"),
            ("to/reached", "127.0.0.1", "reached"),
            ("frame/outside", "localhost", "outside"),
        ):
            visit(served(path, host))
            served.until_shown(page)
        until("a history", lambda: WebSource(Settings.load(), home).missing() == "")
        with Running(home) as running:
            until("the visits", lambda: len(running.titles) >= 3)
            visit(served("later"))
            until("the visit", lambda: "later" in running.titles)
    assert running.titles == ["first", "reached", "outside", "later"]
    assert [event.target for event in running.store.events] == ["localhost", "127.0.0.1", "localhost", "localhost"]
    assert {event.app for event in running.store.events} == {app}
    assert "secret" not in repr(running.store.events)


@BROWSERS
def test_what_is_visited_in_private_is_never_told(
    browser: Browser, app: str, private: str, person: Path, home: Home, served: Pages
) -> None:
    with browser(person) as visit:  # a history that is there, so that the private visits have one to miss
        visit(served("before"))
        with Running(home) as running:
            until("the visit", lambda: running.titles == ["before"])
    with browser(person, private, served("hidden")), Running(home) as running:
        served.until_shown("hidden")
        until("the past", lambda: "before" in running.titles)
    with browser(person) as visit, Running(home) as running:
        visit(served("after"))
        until("the visit", lambda: "after" in running.titles)
    assert running.titles == ["before", "after"]
    assert "hidden" not in repr(running.store.events)
