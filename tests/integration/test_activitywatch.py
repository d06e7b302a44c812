"""A real ActivityWatch server: followed as its watchers write to it, through its end and return; and read whole."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from activitywatch import Served, event, serving
from ports import free_port
from stores import make_store
from waiting import WAIT_S, until

from collector.collector import SourceRunner
from collector.intake import Intake
from collector.source_status import SourceStates
from collector.sources.activitywatch import aw_server, backfill
from collector.sources.activitywatch.activitywatch import ActivityWatchSource
from db.engine import open_store
from memo.core.errors import MemoError
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Past, Stop

SECOND = timedelta(seconds=1)


class RecordingIntake(Intake):
    """An intake that records what it has stored."""

    live: list[Event]
    past: list[Event]

    def store_batches(self, source: str, *batches: Batch) -> int:
        new = super().store_batches(source, *batches)
        self.live += [event for batch in batches for event in batch.events]
        return new

    def store_past(self, source: str, past: Past, with_cursor: bool = True) -> tuple[int, int]:
        events = list(past.events)
        counts = super().store_past(source, replace(past, events=events), with_cursor)
        self.past += events
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
def intake(home: Home) -> Iterator[RecordingIntake]:
    settings = Settings.load()
    make_store(settings, home)
    store = open_store(settings, home)
    made = RecordingIntake(store, settings, home, lambda scope: None)
    made.live, made.past = [], []
    yield made
    store.close()


class Following:
    """The source as the collector runs it."""

    def __init__(self, home: Home, intake: RecordingIntake) -> None:
        self.states, self.stop = SourceStates(home), Stop()
        source = ActivityWatchSource(Settings.load(), home, poll_s=0.1, buckets_every=3)
        self._watching = source.watching
        runner = SourceRunner(intake, self.states, self.stop, (0.1, 0.2))
        self._thread = threading.Thread(target=runner.keep_running, args=(source,))

    def __enter__(self) -> "Following":
        self._thread.start()
        assert self._watching.wait(WAIT_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


@pytest.fixture(autouse=True)
def server_setting(port: int, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_SOURCES__ACTIVITYWATCH_URL", f"http://127.0.0.1:{port}/")


def words(events: list[Event]) -> list[str]:
    return [f"{one.operation} {one.target} {one.detail}".strip() for one in events]


def until_stored(intake: RecordingIntake, line: str) -> None:
    until("the events", lambda: line in words(intake.live + intake.past))


def test_each_observation_is_stored_once(server: Served, home: Home, intake: RecordingIntake) -> None:
    begin = datetime.now(UTC) + SECOND
    server.insert("w", begin - timedelta(days=1), 10, app="Old.exe", title="before it was followed")
    with Following(home, intake):
        for second in range(5):
            server.beat("w", begin + second * SECOND, app="Code.exe", title="plan.md")
        server.beat("t", begin + 2 * SECOND, url="https://github.com/x?token=secret", title="Pulls", incognito=False)
        server.beat("t", begin + 3 * SECOND, url="https://secret.org/", title="secret", incognito=True)
        until("the events", lambda: len(intake.live) == 2)
        server.beat("w", begin + 5 * SECOND, app="mail.exe", title="Inbox")
        until("the events", lambda: len(intake.live) == 4)
        server.make("later", "currentwindow", host="mac")
        server.beat("later", begin + 6 * SECOND, app="Safari", title="News")
        until("the events", lambda: len(intake.live) == 5)
        server.insert("a", begin + 9 * SECOND, 5, status="afk")
        until("the events", lambda: len(intake.live) == 6)
    assert sorted(words(intake.live)) == [
        "app_usage Code.exe 5",
        "app_usage mail.exe 4",
        "web_visit github.com Pulls",
        "window_focus Inbox",
        "window_focus News",
        "window_focus plan.md",
    ]
    assert intake.past == []


def test_an_event_of_a_wrong_clock_hides_no_later_one(server: Served, home: Home, intake: RecordingIntake) -> None:
    with Following(home, intake):
        for ahead in (timedelta(days=4_000), timedelta(hours=2)):
            server.insert("w", datetime.now(UTC) + ahead, 0, app="far", title="far")
        server.insert("w", datetime.now(UTC), 0, app="near", title="near")
        until_stored(intake, "window_focus near")
        server.insert("w", datetime.now(UTC) + 30 * SECOND, 0, app="soon", title="soon")
        until_stored(intake, "window_focus soon")
        server.insert("w", datetime.now(UTC), 0, app="next", title="next")
        until_stored(intake, "window_focus next")
    assert words(intake.live) == ["window_focus near", "window_focus soon", "window_focus next"]


def test_events_between_two_runs_are_stored_as_past_once(server: Served, home: Home, intake: RecordingIntake) -> None:
    begin = datetime.now(UTC)
    with Following(home, intake):
        until("the events", lambda: datetime.now(UTC) > begin + SECOND)
        server.beat("w", begin + SECOND, app="a", title="1")
        until("the events", lambda: words(intake.live) == ["window_focus 1"])
    server.beat("w", begin + 2 * SECOND, app="a", title="2")
    until("the events", lambda: datetime.now(UTC) > begin + 2 * SECOND)
    with Following(home, intake):
        until("the events", lambda: words(intake.past) == ["window_focus 2"])
    assert len(intake.live) == 1


def test_unreachable_server_is_polled_again(tmp_path: Path, port: int, home: Home, intake: RecordingIntake) -> None:
    url = Settings.load().sources.activitywatch_url
    with Following(home, intake):
        until("the events", lambda: '"failed"' in home.sources.read_text())
        assert f"The ActivityWatch server at http://127.0.0.1:{port} does not answer" in home.sources.read_text()
        for second in (1, 2):
            with serving(tmp_path, port) as server:
                server.make("w", "currentwindow")
                until(
                    "what is waited for",
                    lambda: '"watching"' in home.sources.read_text() and intake.cursor("activitywatch", url),
                )
                server.beat("w", datetime.now(UTC), app="a", title=f"{second}")  # it is followed from now on
                until_stored(intake, f"window_focus {second}")
    assert sorted(words(intake.live + intake.past)) == ["window_focus 1", "window_focus 2"]


def test_other_server_raises_one_sentence(server: Served) -> None:
    with pytest.raises(MemoError, match="does not answer"):
        aw_server.Server(f"{server.url}/elsewhere").buckets()


def test_read_server_reads_page_by_page(server: Served) -> None:
    begin, steps = datetime.now(UTC) - timedelta(days=3), list[tuple[int, int]]()
    given = [event(begin + second * SECOND, 1, app="a", title=f"{second}") for second in range(50)]
    server.post("buckets/w/events", given)
    server.insert("x", begin, 1, other="secret")
    found, rejects = backfill.to_events(
        backfill.read_server(server.url, lambda done, total: steps.append((done, total)), page=7), UTC
    )
    assert words(found) == [*(f"window_focus {second}" for second in range(50)), "app_usage a 50"]
    assert (rejects, steps[-1]) == ([], (50, 50))


def test_read_export_equals_read_server(server: Served, tmp_path: Path) -> None:
    begin = datetime.now(UTC) - timedelta(days=3)
    server.insert("w", begin, 20, app="a", title="1")
    server.insert("t", begin + SECOND, 2, url="https://a.org", title="A", incognito=False)
    server.insert("a", begin + 10 * SECOND, 60, status="afk")
    exported = tmp_path / "export.json"
    exported.write_text(json.dumps(server.get("export")))

    def quiet(done: int, total: int) -> None:
        pass

    assert words(backfill.to_events(backfill.read_export(exported, quiet), UTC)[0]) == [
        "window_focus 1",
        "web_visit a.org A",
        "app_usage a 10",
    ]
    assert backfill.to_events(backfill.read_export(exported, quiet), UTC) == backfill.to_events(
        backfill.read_server(server.url, quiet), UTC
    )
