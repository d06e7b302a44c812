"""The intake on real stores: privacy and pauses before anything is stored, deduplication, and many threads."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Any

import pytest

from collector.focus.tracker import NEW_S, FocusTracker, Window
from collector.intake import Intake
from collector.sources.activitywatch import backfill
from collector.sources.activitywatch.aw_server import Bucket
from db.engine import Store
from db.intake import events, redactions
from memo.clock import pauses
from memo.core import bounded
from memo.core.errors import UsageError
from memo.core.events import Event, Operation
from memo.core.grammar import parse
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Past

SCOPE = "ada@host"
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def store(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    return store


@pytest.fixture
def intake(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> Intake:
    monkeypatch.setenv("MEMO_PRIVACY__APPS", '["vault"]')
    return Intake(store, Settings.load(), home, lambda scope: None)


def focus(seconds: float, title: str = "a", app: str = "editor") -> Event:
    return Event(AT + timedelta(seconds=seconds), Operation.WINDOW_FOCUS, title, app)


def store_events(intake: Intake, source: str, *given: Event) -> int:
    return intake.store_batches(source, Batch(given, "key", {}))


def stored(store: Store) -> list[Event]:
    with store.read() as session:
        return events.find_newest_events(session, SCOPE)


def test_same_action_by_two_sources_is_one_event(intake: Intake, store: Store) -> None:
    assert store_events(intake, "x11", focus(0.9), focus(5, "b")) == 2
    assert store_events(intake, "desktop", focus(0), focus(1.8), focus(5.5, "b"), focus(4.1, "b")) == 0
    assert [event.source for event in stored(store)] == ["x11", "x11"]


def test_other_or_later_action_is_another_event(intake: Intake) -> None:
    assert store_events(intake, "x11", focus(0)) == 1
    visit = Event(AT, Operation.WEB_VISIT, "a.example", detail="a")
    others = [focus(1.1), focus(0, "other"), focus(0, app="other"), visit]
    assert store_events(intake, "desktop", *others) == len(others)


def test_same_action_by_one_source_is_another_event(intake: Intake) -> None:
    assert store_events(intake, "inbox", focus(0), focus(0), focus(0.5)) == 3


def test_a_focus_that_rules_made_equal_to_the_one_before_is_none(intake: Intake, store: Store) -> None:
    pages = [focus(n, f"page {n}", "chromium") for n in (0, 10, 20, 30, 40)]
    assert store_events(intake, "x11", pages[0]) == 1
    assert store_events(intake, "x11", pages[1], focus(12), pages[2]) == 2
    assert store_events(intake, "x11", focus(25, "b", "vault"), pages[3], pages[4]) == 1, "back from what is left out"
    assert [(event.app, event.target) for event in stored(store)] == [
        ("chromium", "chromium"),
        ("editor", "a"),
        ("chromium", "chromium"),
        ("chromium", "chromium"),
    ]
    with store.read() as session:
        [counted] = [one["events"] for one in redactions.count_by_rule(session) if one["rule"] == "chromium_titles"]
    assert counted == len(pages)


def test_an_event_that_cannot_be_stored_is_set_aside_and_counted(intake: Intake, store: Store) -> None:
    bad = replace(focus(1, "bad"), source_key="\ud800")
    assert store_events(intake, "x11", focus(0, "first"), bad, focus(2, "last")) == 2
    assert intake.store_past("web", Past([focus(-9, "old"), bad, focus(-8, "older")], "past", {})) == (2, 2)
    assert [event.target for event in stored(store)] == ["old", "older", "first", "last"]
    with store.read() as session:
        assert redactions.count_by_source(session) == {"x11": {"unstorable": 1}, "web": {"unstorable": 1}}


def test_import_deduplicates_by_number_of_equal_lines(intake: Intake, store: Store) -> None:
    assert intake.store_past("web", Past([focus(0)], "past", {})) == (1, 1)
    assert store_events(intake, "inbox", focus(0), focus(0)) == 1
    assert len(stored(store)) == 2


def test_same_action_in_another_scope_is_another_event(intake: Intake) -> None:
    assert store_events(intake, "x11", focus(0)) == 1
    assert store_events(intake, "inbox", Event(AT, Operation.WINDOW_FOCUS, "a", "editor", scope="bob@host")) == 1


def test_rules_apply_to_batches_and_pasts_and_are_counted(intake: Intake, store: Store) -> None:
    given = [focus(0, "plans", "vault"), focus(1, "ada@example.com"), focus(2)]
    assert store_events(intake, "x11", *given) == 2
    assert intake.store_past("web", Past(given[:1], "past", {})) == (0, 0)
    assert [event.target for event in stored(store)] == ["[redacted]", "a"]
    with store.read() as session:
        assert redactions.count_by_source(session) == {"web": {"apps": 1}, "x11": {"apps": 1, "secrets": 1}}
        assert [(one["rule"], one["events"]) for one in redactions.count_by_rule(session)] == [
            ("apps", 2),
            ("secrets", 1),
        ]


def test_events_of_an_ended_pause_are_not_stored(intake: Intake, store: Store, home: Home) -> None:
    now = datetime.now(UTC)
    home.paused.write_text(f"{(now - timedelta(hours=2)).isoformat()} {(now - timedelta(hours=1)).isoformat()}\n")
    assert pauses.current(home) is None
    hours = [
        Event(now - timedelta(hours=hour), Operation.WINDOW_FOCUS, str(hour), "editor") for hour in (3.0, 1.5, 0.5)
    ]
    assert store_events(intake, "web", *hours) == 2
    assert intake.store_past("web", Past(hours, "past", {})) == (2, 0)
    assert [event.target for event in stored(store)] == ["3.0", "0.5"]


def test_an_exclusion_applies_to_the_next_batch(store: Store, home: Home) -> None:
    intake = Intake(store, Settings.load(), home, lambda scope: None)
    assert store_events(intake, "x11", focus(0, app="Vault")) == 1
    home.config.write_text("[privacy]\napps = ['vault']\n")
    assert store_events(intake, "x11", focus(9, app="Vault"), focus(10, app="Other")) == 1
    intake.store_past("web", Past([focus(11, app="Vault"), focus(12, app="Third")], "k", {}))
    assert sorted(event.app for event in stored(store)) == ["Other", "Third", "Vault"]


def test_nothing_is_stored_while_settings_are_wrong(store: Store, home: Home) -> None:
    intake = Intake(store, Settings.load(), home, lambda scope: None)
    home.config.write_text("[privacy]\napps = ['vault']\n[windo]\n")
    with pytest.raises(UsageError, match="windo"):
        store_events(intake, "x11", focus(0, app="Vault"))
    assert stored(store) == []


def test_the_window_that_stood_before_a_start_is_no_switch(store: Store, home: Home) -> None:
    for number, given in enumerate(([focus(0, "a"), focus(1, "b")], [focus(2, "b"), focus(3, "b")], [focus(4, "a")])):
        started = Intake(store, Settings(), home, lambda scope: None)
        stored_now = [started.store_batches("x11", Batch([one], "x11", {})) for one in given]
        assert stored_now == ([1, 1], [0, 1], [1])[number]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([("a", True), ("b", False), ("a", False)], "ba"),
        ([("a", True), ("a", True)], ""),
        ([("a", False), ("b", True)], "ab"),
        ([("a", False), ("a", True), ("b", False)], "ab"),
    ],
)
def test_what_stood_is_stored_where_another_window_stood(
    store: Store, home: Home, given: list[tuple[str, bool]], kept: str
) -> None:
    intake = Intake(store, Settings(), home, lambda scope: None)
    for number, (title, stood) in enumerate(given):
        if stood:  # the source begins with it, and so does its process
            intake = Intake(store, Settings(), home, lambda scope: None)
        intake.store_batches("x11", Batch([focus(number, title)], "x11", {}, stood=stood))
    assert "".join(event.target for event in stored(store)) == kept


def test_what_came_before_a_pause_is_stored_in_it(intake: Intake, store: Store, home: Home) -> None:
    before = datetime.now(UTC) - timedelta(seconds=8)
    pauses.begin(home, None)
    visit = Event(before, Operation.WEB_VISIT, "example.org", detail="Late")
    assert store_events(intake, "web", visit, replace(visit, at=datetime.now(UTC), detail="Now")) == 1
    assert [event.detail for event in stored(store)] == ["Late"]


@pytest.mark.parametrize(
    ("until_s", "used_s", "left"), [(-10, 5, (-10, 5)), (20, 40, (0, 20)), (45, 10, (45, 5)), (50, 100, (50, 60))]
)
def test_a_usage_is_cut_by_a_pause(
    intake: Intake, store: Store, home: Home, until_s: int, used_s: int, left: tuple[int, int]
) -> None:
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    at = {seconds: since + timedelta(seconds=seconds) for seconds in (0, 40, until_s, left[0])}
    home.paused.write_text(f"{at[0].isoformat()} {at[40].isoformat()}\n")
    assert store_events(intake, "x11", Event(at[until_s], Operation.APP_USAGE, "editor", detail=str(used_s))) == 1
    [event] = stored(store)
    assert (event.at, event.detail) == (at[left[0]], str(left[1]))


@pytest.mark.parametrize(("until_s", "used_s"), [(0.5, 0.4), (30, 20), (40.5, 10)])
def test_a_usage_within_a_pause_is_dropped(intake: Intake, home: Home, until_s: float, used_s: float) -> None:
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    home.paused.write_text(f"{since.isoformat()} {(since + timedelta(seconds=40)).isoformat()}\n")
    usage = Event(since + timedelta(seconds=until_s), Operation.APP_USAGE, "editor", detail=str(used_s))
    assert store_events(intake, "x11", usage) == 0


def _of_a_screen(since: datetime, until: datetime) -> list[Event]:
    tracker = FocusTracker()
    tracker.set_window(Window("1", "a", "editor"), 0.0)
    told = tracker.take_events(NEW_S, since)
    tracker.set_away("idle", until)
    return told + tracker.take_events(NEW_S, until)


def _of_activitywatch(since: datetime, until: datetime) -> list[Event]:
    data = {"app": "editor", "title": "a"}
    raw = {"timestamp": since.isoformat(), "duration": (until - since).total_seconds(), "data": data}
    return backfill.to_events([(Bucket("w", "currentwindow", "pc"), raw)], UTC)[0]


def _of_lines(since: datetime, until: datetime) -> list[Event]:
    lines = (
        f"{since:%F %T} - Switched to window: a (app: editor)",
        f"{until:%F %T} - Used app: editor (for {(until - since).total_seconds():.0f} s)",
    )
    return [parse(line, UTC) for line in lines]


@pytest.mark.parametrize("source", [_of_a_screen, _of_activitywatch, _of_lines])
@pytest.mark.parametrize(
    ("since_s", "until_s", "left"),
    [
        (-30, 20, [("window_focus", -30, ""), ("app_usage", 0, "30")]),
        (10, 70, [("app_usage", 70, "30")]),
        (-30, 70, [("window_focus", -30, ""), ("app_usage", 70, "60")]),
        (-30, -10, [("window_focus", -30, ""), ("app_usage", -10, "20")]),
        (5, 35, []),
    ],
)
def test_a_pause_cuts_what_each_source_tells(
    intake: Intake,
    store: Store,
    home: Home,
    source: Callable[[datetime, datetime], list[Event]],
    since_s: int,
    until_s: int,
    left: list[tuple[str, int, str]],
) -> None:
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    home.paused.write_text(f"{begin.isoformat()} {(begin + timedelta(seconds=40)).isoformat()}\n")
    told = source(begin + timedelta(seconds=since_s), begin + timedelta(seconds=until_s))
    assert {one.operation for one in told} == {Operation.WINDOW_FOCUS, Operation.APP_USAGE}
    store_events(intake, "source", *told)
    found = [(one.operation.value, (one.at - begin).total_seconds(), one.detail) for one in stored(store)]
    assert sorted(found, reverse=True) == sorted(left, reverse=True)


def _yield_in_bounded_dict(frame: FrameType, event: str, argument: object) -> Any:
    """Let other threads run before each bytecode of a `BoundedDict`, so that none of them is left to chance."""
    if frame.f_code.co_filename != bounded.__file__:
        return None
    frame.f_trace_opcodes = True
    if event == "opcode":
        time.sleep(1e-4)
    return _yield_in_bounded_dict


def test_intake_in_many_threads_stores_every_batch(intake: Intake) -> None:
    sources, batches = [f"source {number}" for number in range(4)], range(20)

    def hammer(source: str) -> None:
        for number in batches:
            intake.store_batches(source, Batch([], f"file {number}", {"read": number}))

    tracer = threading.gettrace()
    threading.settrace(_yield_in_bounded_dict)
    try:
        with ThreadPoolExecutor(len(sources)) as threads:
            for finished in [threads.submit(hammer, source) for source in sources]:
                finished.result()
    finally:
        threading.settrace(tracer)
    for source in sources:
        assert [intake.cursor(source, f"file {number}") for number in batches] == [{"read": n} for n in batches]
