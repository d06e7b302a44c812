"""ActivityWatch's events as ours: what a person did, never what a private tab showed, whatever an event holds."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from collector.sources.activitywatch import backfill
from collector.sources.activitywatch.aw_server import Bucket, buckets_of, fault
from collector.sources.activitywatch.aw_timeline import read_observation
from data.importers import Reject
from memo.core.errors import MemoError
from memo.core.events import Event, Operation

ZONE = timezone(timedelta(hours=8))
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
WINDOW, TAB, AFK = (Bucket(f"aw-{kind}_pc", kind, "pc") for kind in ("currentwindow", "web.tab.current", "afkstatus"))

Raw = tuple[Bucket, Any]


def raw(second: float, duration: float = 0, **data: Any) -> dict[str, Any]:
    at = START + timedelta(seconds=second)
    return {"id": 1, "timestamp": at.isoformat(), "duration": duration, "data": data}


def window(second: float, duration: float, app: str, title: str = "", host: str = "pc") -> Raw:
    return Bucket("w", "currentwindow", host), raw(second, duration, app=app, title=title)


def afk(second: float, status: str) -> Raw:
    return AFK, raw(second, 60, status=status)


def told(*given: Raw) -> list[tuple[float, str, str, str]]:
    events, rejects = backfill.everything(given, ZONE)
    assert not rejects
    return [((one.at - START).total_seconds(), one.operation.value, one.target, one.detail) for one in events]


def test_a_window_is_focus_with_app_and_title() -> None:
    one = read_observation(WINDOW, raw(0, 5, app="chrome.exe", title="Inbox\x1b"), ZONE)
    assert one.event == Event(START, Operation.WINDOW_FOCUS, "Inbox ", "chrome.exe")
    assert one.event.at.utcoffset() == timedelta(hours=8)
    assert (one.at, one.end) == (START, START + timedelta(seconds=5))


def test_a_tab_is_a_visit_of_its_domain_and_a_private_one_is_nothing() -> None:
    page: dict[str, Any] = {
        "url": "https://GitHub.com/a?token=secret",
        "title": "Pulls",
        "audible": False,
        "tabCount": 3,
    }
    assert read_observation(TAB, raw(0, **page, incognito=False), ZONE).event == Event(
        START, Operation.WEB_VISIT, "github.com", detail="Pulls"
    )
    for other in ({"incognito": True}, {"url": "chrome://newtab"}, {"url": "about:home"}, {"url": None}, {"url": [1]}):
        one = read_observation(TAB, raw(0, **page | other), ZONE)
        assert (one.event, one.fault) == (None, "")


def test_the_use_of_an_app_goes_from_its_first_window_to_the_next_app() -> None:
    assert told(window(0, 9, "a", "1"), window(10, 9, "a", "2"), window(20, 30, "b", "3")) == [
        (0, "window_focus", "1", ""),
        (10, "window_focus", "2", ""),
        (20, "app_usage", "a", "20"),
        (20, "window_focus", "3", ""),
        (50, "app_usage", "b", "30"),
    ]


def test_absence_ends_the_use_and_the_return_begins_it_anew() -> None:
    assert told(window(0, 300, "a", "1"), afk(100, "afk"), afk(200, "not-afk")) == [
        (0, "window_focus", "1", ""),
        (100, "app_usage", "a", "100"),
        (300, "app_usage", "a", "100"),
    ]


def test_what_changes_by_itself_while_nobody_is_there_is_no_use() -> None:
    assert [one[1:] for one in told(window(0, 10, "a", "1"), afk(5, "afk"), window(10, 90, "b", "2"))] == [
        ("window_focus", "1", ""),
        ("app_usage", "a", "5"),
        ("window_focus", "2", ""),
    ]


def test_a_machine_that_was_asleep_used_nothing() -> None:
    assert told(window(0, 60, "a", "1"), window(4000, 60, "a", "1")) == [
        (0, "window_focus", "1", ""),
        (60, "app_usage", "a", "60"),
        (4000, "window_focus", "1", ""),
        (4060, "app_usage", "a", "60"),
    ]


def test_two_machines_have_a_focus_each() -> None:
    found = told(window(0, 100, "a", "1"), window(10, 10, "b", "2", host="mac"))
    assert [one for one in found if one[1] == "app_usage"] == [
        (100, "app_usage", "a", "100"),
        (20, "app_usage", "b", "10"),
    ]


def test_the_order_of_what_is_given_does_not_matter() -> None:
    given = [window(0, 9, "a", "1"), window(10, 9, "b", "2"), afk(15, "afk")]
    assert told(*given) == told(*reversed(given))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "secret",
        {},
        {"timestamp": "secret", "data": {}},
        {"timestamp": START.isoformat(), "data": "secret"},
        {"timestamp": START.isoformat(), "duration": "secret", "data": {}},
        {"timestamp": START.isoformat(), "duration": 1e300, "data": {}},
        {"timestamp": START.isoformat(), "duration": float("nan"), "data": {}},
        {"timestamp": "1970-01-01T00:00:00+00:00", "data": {"app": "secret"}},
        {"timestamp": START.isoformat(), "data": {"app": ["secret"]}},
        {"timestamp": START.isoformat(), "data": {}},
    ],
)
def test_a_wrong_event_is_rejected_and_the_others_are_told(wrong: Any) -> None:
    good = window(0, 5, "a", "1")
    events, rejects = backfill.everything([(WINDOW, wrong), good], ZONE)
    assert [one.target for one in events] == ["1", "a"]
    [reject] = rejects
    assert isinstance(reject, Reject)
    assert ((reject.unit, reject.place), "secret" in reject.reason) == (("object", 1), False)


@pytest.mark.parametrize(
    "table", [None, [], "x", {"a": 1}, {"a": {"type": "app.editor.activity"}}, {"a": {"type": []}}]
)
def test_other_buckets_are_passed_over(table: Any) -> None:
    assert buckets_of(table) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"buckets": 1}', b'{"events": []}', b"\xff", b"[" * 100_000])
def test_what_is_no_export_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_bytes(content or b" ")
    if content == b'{"buckets": 1}':
        assert list(backfill.of_file(file, lambda *_: None)) == []
        return
    with pytest.raises(MemoError, match="is no export of ActivityWatch; export"):
        list(backfill.of_file(file, lambda *_: None))


def test_an_export_is_read_with_its_progress(tmp_path: Path) -> None:
    file, steps = tmp_path / "export.json", list[tuple[int, int]]()
    events = [raw(second, 1, app="a", title="1") for second in range(250)]
    table = {"w": {"id": "w", "type": "currentwindow", "hostname": "pc", "events": events}, "other": {"type": "x"}}
    file.write_text(json.dumps({"buckets": table}))
    found = list(backfill.of_file(file, lambda done, total: steps.append((done, total))))
    assert [one for _, one in found] == events
    assert steps == [(100, 250), (200, 250), (250, 250)]


@pytest.mark.parametrize(
    "url", ["", "localhost:5600", "ftp://a", "http://", "http://[", "http://a:0", "http://a:x", "/x"]
)
def test_an_address_that_is_none_is_one_sentence(url: str) -> None:
    assert "set sources.activitywatch_url in memo.toml" in fault(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:5600", "https://box.lan/aw", "http://[::1]:5600"])
def test_the_owner_may_name_any_server(url: str) -> None:
    assert fault(url) == ""


@pytest.mark.parametrize(
    ("bucket", "app"), [("aw-watcher-web-firefox_pc", "firefox"), ("aw-watcher-web-chrome", "chrome"), ("tabs", "")]
)
def test_a_visit_keeps_its_browser_by_which_it_may_be_excluded(bucket: str, app: str) -> None:
    found = read_observation(Bucket(bucket, "web.tab.current", "pc"), raw(0, 1, url="https://a.org/x", title="t"), UTC)
    assert found.event is not None and (found.event.app, found.event.target) == (app, "a.org")
