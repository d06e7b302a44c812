"""A real ActivityWatch server: followed as its watchers write to it, through its end and return; and read whole."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from activitywatch import Served, event, free_port, serving

from collector.collector import keep_running
from collector.intake import Intake
from collector.source_status import SourceStates
from collector.sources.activitywatch import activitywatch, aw_server, backfill
from collector.sources.activitywatch.activitywatch import ActivityWatchSource
from db import migrate
from db.engine import open_store
from memo.core.errors import MemoError
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Past, Stop

DEADLINE_S = 60.0
SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.timeout(600)  # the first time, the server is installed


class Taking(Intake):
    """An intake that says what it has taken."""

    live: list[Event]
    past: list[Event]

    def store_batch(self, source: str, batch: Batch) -> int:
        new = super().store_batch(source, batch)
        self.live += batch.events
        return new

    def store_past(self, source: str, past: Past) -> tuple[int, int]:
        told = list(past.events)
        counts = super().store_past(source, replace(past, events=told))
        self.past += told
        return counts


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[Served]:
    with serving(tmp_path, port) as served:
        for name, kind in (("w", "currentwindow"), ("t", "web.tab.current"), ("a", "afkstatus"), ("x", "other")):
            served.make(name, kind)
        yield served


@pytest.fixture
def taking(home: Home) -> Iterator[Taking]:
    settings = Settings.load()
    migrate.upgrade(settings, home)
    store = open_store(settings, home)
    made = Taking(store, settings, home, lambda scope: None)
    made.live, made.past = [], []
    yield made
    store.close()


class Following:
    """The source as the collector runs it."""

    def __init__(self, home: Home, taking: Taking) -> None:
        self.states, self.stop = SourceStates(home), Stop()
        source = ActivityWatchSource(Settings.load(), home)
        self._watching = source.watching
        self._thread = threading.Thread(target=keep_running, args=(source, taking, self.states, self.stop))

    def __enter__(self) -> "Following":
        self._thread.start()
        assert self._watching.wait(DEADLINE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()


@pytest.fixture(autouse=True)
def quick(port: int, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activitywatch, "POLL_S", 0.1)
    monkeypatch.setattr(activitywatch, "BUCKETS_EVERY", 3)
    monkeypatch.setenv("MEMO_SOURCES__ACTIVITYWATCH_URL", f"http://127.0.0.1:{port}/")


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def words(events: list[Event]) -> list[str]:
    return [f"{one.operation} {one.target} {one.detail}".strip() for one in events]


def until_told(taking: Taking, words_of_one: str) -> None:
    until(lambda: words_of_one in words(taking.live + taking.past))


def test_what_watchers_tell_is_an_event_once(server: Served, home: Home, taking: Taking) -> None:
    begin = datetime.now(UTC) + SECOND
    server.insert("w", begin - timedelta(days=1), 10, app="Old.exe", title="before it was followed")
    with Following(home, taking):
        for second in range(5):
            server.beat("w", begin + second * SECOND, app="Code.exe", title="plan.md")
        server.beat("t", begin + 2 * SECOND, url="https://github.com/x?token=secret", title="Pulls", incognito=False)
        server.beat("t", begin + 3 * SECOND, url="https://secret.org/", title="secret", incognito=True)
        until(lambda: len(taking.live) == 2)
        server.beat("w", begin + 5 * SECOND, app="mail.exe", title="Inbox")
        until(lambda: len(taking.live) == 4)
        server.make("later", "currentwindow", host="mac")
        server.beat("later", begin + 6 * SECOND, app="Safari", title="News")
        until(lambda: len(taking.live) == 5)
        server.insert("a", begin + 9 * SECOND, 5, status="afk")
        until(lambda: len(taking.live) == 6)
    assert sorted(words(taking.live)) == [
        "app_usage Code.exe 5",
        "app_usage mail.exe 4",
        "web_visit github.com Pulls",
        "window_focus Inbox",
        "window_focus News",
        "window_focus plan.md",
    ]
    assert taking.past == []


def test_what_happened_meanwhile_is_past_and_told_once(server: Served, home: Home, taking: Taking) -> None:
    begin = datetime.now(UTC)
    with Following(home, taking):
        server.beat("w", begin + SECOND, app="a", title="1")
        until(lambda: words(taking.live) == ["window_focus 1"])
    server.beat("w", begin + 2 * SECOND, app="a", title="2")
    with Following(home, taking):
        until(lambda: words(taking.past) == ["window_focus 2"])
    assert len(taking.live) == 1


def test_a_server_that_goes_is_waited_for(
    tmp_path: Path, port: int, home: Home, taking: Taking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collector.collector.BACK_OFF_S", (0.1, 0.2))
    url = Settings.load().sources.activitywatch_url
    with Following(home, taking):
        until(lambda: '"failed"' in home.sources.read_text())
        assert f"The ActivityWatch server at http://127.0.0.1:{port} does not answer" in home.sources.read_text()
        for second in (1, 2):
            with serving(tmp_path, port) as server:
                server.make("w", "currentwindow")
                until(lambda: '"watching"' in home.sources.read_text() and taking.cursor("activitywatch", url))
                server.beat("w", datetime.now(UTC), app="a", title=f"{second}")  # it is followed from now on
                until_told(taking, f"window_focus {second}")
    assert sorted(words(taking.live + taking.past)) == ["window_focus 1", "window_focus 2"]


def test_another_server_that_answers_otherwise_is_one_sentence(server: Served) -> None:
    with pytest.raises(MemoError, match="does not answer"):
        aw_server.Server(f"{server.url}/elsewhere").buckets()


def test_all_of_a_server_is_read_page_by_page(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aw_server, "PAGE", 7)
    begin, steps = datetime.now(UTC) - timedelta(days=3), list[tuple[int, int]]()
    given = [event(begin + second * SECOND, 1, app="a", title=f"{second}") for second in range(50)]
    server.post("buckets/w/events", given)
    server.insert("x", begin, 1, other="secret")
    found, rejects = backfill.everything(
        backfill.of_server(server.url, lambda done, total: steps.append((done, total))), UTC
    )
    assert words(found) == [*(f"window_focus {second}" for second in range(50)), "app_usage a 50"]
    assert (rejects, steps[-1]) == ([], (50, 50))


def test_an_export_of_the_server_is_the_same(server: Served, tmp_path: Path) -> None:
    begin = datetime.now(UTC) - timedelta(days=3)
    server.insert("w", begin, 20, app="a", title="1")
    server.insert("t", begin + SECOND, 2, url="https://a.org", title="A", incognito=False)
    server.insert("a", begin + 10 * SECOND, 60, status="afk")
    exported = tmp_path / "export.json"
    exported.write_text(json.dumps(server.get("export")))

    def quiet(done: int, total: int) -> None:
        pass

    assert words(backfill.everything(backfill.of_file(exported, quiet), UTC)[0]) == [
        "window_focus 1",
        "web_visit a.org A",
        "app_usage a 10",
    ]
    assert backfill.everything(backfill.of_file(exported, quiet), UTC) == backfill.everything(
        backfill.of_server(server.url, quiet), UTC
    )
