"""ActivityWatch's events converted: what a person did, never a private tab, whatever an event contains."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from collector.sources.activitywatch import backfill
from collector.sources.activitywatch.aw_server import Bucket, check_url, select_buckets
from collector.sources.activitywatch.aw_timeline import MAX_GAP, Timeline, read_observation
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


def convert(*given: Raw) -> list[tuple[float, str, str, str]]:
    events, rejects = backfill.to_events(given, ZONE)
    assert not rejects
    return [((one.at - START).total_seconds(), one.operation.value, one.target, one.detail) for one in events]


def test_window_is_focus_with_app_and_title() -> None:
    one = read_observation(WINDOW, raw(0, 5, app="chrome.exe", title="Inbox\x1b"), ZONE)
    assert one.event == Event(START, Operation.WINDOW_FOCUS, "Inbox ", "chrome.exe")
    assert one.event.at.utcoffset() == timedelta(hours=8)
    assert (one.at, one.end) == (START, START + timedelta(seconds=5))


def test_tab_is_a_visit_unless_private() -> None:
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


def test_usage_lasts_from_first_window_to_next_app() -> None:
    assert convert(window(0, 9, "a", "1"), window(10, 9, "a", "2"), window(20, 30, "b", "3")) == [
        (0, "window_focus", "1", ""),
        (10, "window_focus", "2", ""),
        (20, "app_usage", "a", "20"),
        (20, "window_focus", "3", ""),
        (50, "app_usage", "b", "30"),
    ]


def test_usage_that_may_go_on_is_not_told_yet() -> None:
    timeline, last = Timeline(), read_observation(*window(0, 9, "a", "1"), ZONE)
    assert len(list(timeline.to_events([last]))) == 1
    assert list(timeline.close(last.end + MAX_GAP)) == []
    [usage] = timeline.close(last.end + MAX_GAP + timedelta(seconds=1))
    assert (usage.target, usage.detail) == ("a", "9")


def test_usage_ends_on_absence_and_restarts_on_return() -> None:
    assert convert(window(0, 300, "a", "1"), afk(100, "afk"), afk(200, "not-afk")) == [
        (0, "window_focus", "1", ""),
        (100, "app_usage", "a", "100"),
        (300, "app_usage", "a", "100"),
    ]


def test_focus_change_during_absence_is_no_usage() -> None:
    assert [one[1:] for one in convert(window(0, 10, "a", "1"), afk(5, "afk"), window(10, 90, "b", "2"))] == [
        ("window_focus", "1", ""),
        ("app_usage", "a", "5"),
        ("window_focus", "2", ""),
    ]


def test_sleep_is_no_usage() -> None:
    assert convert(window(0, 60, "a", "1"), window(4000, 60, "a", "1")) == [
        (0, "window_focus", "1", ""),
        (60, "app_usage", "a", "60"),
        (4000, "window_focus", "1", ""),
        (4060, "app_usage", "a", "60"),
    ]


def test_two_machines_have_a_focus_each() -> None:
    found = convert(window(0, 100, "a", "1"), window(10, 10, "b", "2", host="mac"))
    assert [one for one in found if one[1] == "app_usage"] == [
        (100, "app_usage", "a", "100"),
        (20, "app_usage", "b", "10"),
    ]


def test_order_of_observations_does_not_matter() -> None:
    given = [window(0, 9, "a", "1"), window(10, 9, "b", "2"), afk(15, "afk")]
    assert convert(*given) == convert(*reversed(given))


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
def test_invalid_event_is_rejected_and_others_are_kept(wrong: Any) -> None:
    good = window(0, 5, "a", "1")
    events, rejects = backfill.to_events([(WINDOW, wrong), good], ZONE)
    assert [one.target for one in events] == ["1", "a"]
    [reject] = rejects
    assert isinstance(reject, Reject)
    assert ((reject.unit, reject.place), "secret" in reject.reason) == (("object", 1), False)


@pytest.mark.parametrize(
    "table", [None, [], "x", {"a": 1}, {"a": {"type": "app.editor.activity"}}, {"a": {"type": []}}]
)
def test_select_buckets_skips_other_types(table: Any) -> None:
    assert select_buckets(table) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"buckets": 1}', b'{"events": []}', b"\xff", b"[" * 100_000])
def test_read_export_other_file_raises_one_sentence(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    file.write_bytes(content or b" ")
    if content == b'{"buckets": 1}':
        assert list(backfill.read_export(file, lambda *_: None)) == []
        return
    with pytest.raises(MemoError, match="is not an ActivityWatch export; export"):
        list(backfill.read_export(file, lambda *_: None))


def test_read_export_reports_progress(tmp_path: Path) -> None:
    file, steps = tmp_path / "export.json", list[tuple[int, int]]()
    events = [raw(second, 1, app="a", title="1") for second in range(250)]
    table = {"w": {"id": "w", "type": "currentwindow", "hostname": "pc", "events": events}, "other": {"type": "x"}}
    file.write_text(json.dumps({"buckets": table}))
    found = list(backfill.read_export(file, lambda done, total: steps.append((done, total))))
    assert [one for _, one in found] == events
    assert steps == [(100, 250), (200, 250), (250, 250)]


@pytest.mark.parametrize("url", ["localhost:5600", "ftp://a", "http://", "http://[", "http://a:0", "http://a:x", "/x"])
def test_check_url_invalid_names_it_and_the_remedy(url: str) -> None:
    assert check_url(url).startswith(f"{url} is not the address of a server; correct sources.activitywatch_url")


def test_check_url_empty_says_that_none_is_named() -> None:
    assert check_url("").startswith("No ActivityWatch server is named; set sources.activitywatch_url in memo.toml")


@pytest.mark.parametrize("url", ["http://127.0.0.1:5600", "https://box.lan/aw", "http://[::1]:5600"])
def test_check_url_valid_returns_nothing(url: str) -> None:
    assert check_url(url) == ""


@pytest.mark.parametrize(
    ("bucket", "app"), [("aw-watcher-web-firefox_pc", "firefox"), ("aw-watcher-web-chrome", "chrome"), ("tabs", "")]
)
def test_visit_has_the_browser_of_its_bucket(bucket: str, app: str) -> None:
    found = read_observation(Bucket(bucket, "web.tab.current", "pc"), raw(0, 1, url="https://a.org/x", title="t"), UTC)
    assert found.event is not None and (found.event.app, found.event.target) == (app, "a.org")
