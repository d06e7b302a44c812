"""Exports of desktop collectors: their field names, Windows paths, arrays, and every fault."""

import json
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from data.importers import Reject, events, form, lines, open_file, read
from data.importers.line import EXPORTED, read_line
from data.importers.objects import raw_objects
from memo.core.errors import GrammarError
from memo.core.events import CONTEXT, Event, Operation
from memo.core.grammar import MAX_LINE

ZONE = timezone(timedelta(hours=8))
AT = datetime(2026, 3, 2, 9, 15, 4, tzinfo=ZONE)
STAMP = {"timestamp": "2026-03-02T09:15:04"}
GIVEN: list[tuple[dict[str, Any], Event]] = [
    ({"type": "process_start", "application": "Code.exe"}, Event(AT, Operation.PROCESS_START, "Code.exe")),
    ({"operation": "process_end", "application": "Code.exe"}, Event(AT, Operation.PROCESS_END, "Code.exe")),
    (
        {"type": "window_focus", "application": "chrome.exe", "window_title": "Inbox", "title": "other"},
        Event(AT, Operation.WINDOW_FOCUS, "Inbox", "chrome.exe"),
    ),
    (
        {"type": "window_focus", "application": "chrome.exe", "window_title": ""},
        Event(AT, Operation.WINDOW_FOCUS, "chrome.exe", "chrome.exe"),
    ),
    (
        {"type": "browser_history", "url": "https://GitHub.com/a?token=secret#secret", "title": "Pulls"},
        Event(AT, Operation.WEB_VISIT, "github.com", detail="Pulls"),
    ),
    ({"type": "web_visit", "url": "github.com/a", "title": None}, Event(AT, Operation.WEB_VISIT, "github.com")),
    (
        {"type": "browser_history", "url": "github.com", "application": "chrome.exe"},
        Event(AT, Operation.WEB_VISIT, "github.com", "chrome.exe"),
    ),
    (
        {"type": "file_access", "file_path": r"C:\Users\Ada\notes\plan.md", "application": "Code.exe"},
        Event(AT, Operation.FILE_ACCESS, "plan.md", "Code.exe", r"C:\Users\Ada\notes"),
    ),
    ({"type": "file_access", "file_path": "C:\\plan.md"}, Event(AT, Operation.FILE_ACCESS, "plan.md", detail="C:\\")),
    (
        {"type": "file_access", "file_path": r"\\nas\share\x\plan.md"},
        Event(AT, Operation.FILE_ACCESS, "plan.md", detail=r"\\nas\share\x"),
    ),
    (
        {"type": "file_access", "file_path": r"/home/ada/a\b.md"},
        Event(AT, Operation.FILE_ACCESS, r"a\b.md", detail="/home/ada"),
    ),
    ({"type": "file_access", "file_path": "/plan.md"}, Event(AT, Operation.FILE_ACCESS, "plan.md", detail="/")),
    (
        {"type": "file_save", "file_path": "/home/ada/plan.md"},
        Event(AT, Operation.FILE_SAVE, "plan.md", detail="/home/ada"),
    ),
    ({"type": "file_access", "file_path": "plan.md"}, Event(AT, Operation.FILE_ACCESS, "plan.md")),
    (
        {"type": "app_usage", "application": "Code.exe", "duration": 95},
        Event(AT, Operation.APP_USAGE, "Code.exe", detail="95"),
    ),
    (
        {"type": "app_usage", "application": "Code.exe", "duration": "95.5"},
        Event(AT, Operation.APP_USAGE, "Code.exe", detail="95.5"),
    ),
    (
        {"type": "app_usage", "application": "Code.exe", "duration": 95.25},
        Event(AT, Operation.APP_USAGE, "Code.exe", detail="95.250000"),
    ),
    ({"type": "session_start", "application": "explorer.exe"}, Event(AT, Operation.SESSION_START)),
    ({"type": "time_context"}, Event(AT, Operation.TIME_CONTEXT, "1", detail="9")),
]


def as_object(fields: dict[str, Any]) -> dict[str, Any]:
    return STAMP | {"duration": 0} | fields if fields.get("type") != "app_usage" else STAMP | fields


def written(tmp_path: Path, content: str | bytes, name: str = "export.json") -> Path:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def found(path: Path) -> list[Event | Reject]:
    with open_file(path) as file:
        return list(read(path, file, ZONE))


@pytest.mark.parametrize(("fields", "expected"), GIVEN)
def test_read_line_of_an_export_gives_an_event(fields: dict[str, Any], expected: Event) -> None:
    assert read_line(json.dumps(as_object(fields)).encode(), ZONE) == expected


def test_exported_covers_each_operation_but_context() -> None:
    assert set(Operation) == set(EXPORTED) | CONTEXT


def test_time_context_uses_its_own_offset() -> None:
    event = read_line(b'{"timestamp": "2026-03-01T23:30:00-05:00", "type": "time_context"}', ZONE)
    assert (event.target, event.detail) == ("7", "23")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "process_start", "application": ""}, "`application` names nothing"),
        ({"type": "process_start", "application": ["secret"]}, "`application` is not a text"),
        ({"type": "process_start"}, "`target` is empty"),
        ({"type": "window_focus", "window_title": "", "application": ""}, "`window_title` names nothing"),
        ({"type": "browser_history", "url": "file:///secret"}, "`url` names nothing"),
        ({"type": "browser_history", "url": "about:secret"}, "`url` names nothing"),
        ({"type": "browser_history", "url": "http://[secret"}, "`url` names nothing"),
        ({"type": "browser_history", "url": "https://a.org", "title": 1}, "`title` is not a text"),
        ({"type": "file_access", "file_path": "C:\\"}, "`file_path` names nothing"),
        ({"type": "file_access", "file_path": "/"}, "`file_path` names nothing"),
        ({"type": "file_access", "file_path": {"secret": 1}}, "`file_path` is not a text"),
        ({"type": "app_usage", "application": "secret", "duration": -1}, "`duration` is not a number"),
        ({"type": "app_usage", "application": "secret", "duration": True}, "`duration` is not a number"),
        ({"type": "app_usage", "application": "secret", "duration": 1e300}, "`duration` is not a number"),
        ({"type": "app_usage", "application": "secret", "duration": float("nan")}, "`duration` is not a number"),
        ({"type": "app_usage", "application": "secret", "duration": "secret"}, "`duration` is not a number"),
        ({"type": "app_usage", "application": "secret", "duration": ["secret"]}, "`duration` is not a number"),
        ({"type": "secret"}, "`operation` is none of .*browser_history"),
        ({"type": {}}, "`operation` is none of"),
    ],
)
def test_read_line_bad_export_raises_with_the_reason(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(GrammarError, match=reason) as raised:
        read_line(json.dumps(STAMP | fields).encode(), ZONE)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_read_array_and_lines_give_the_same_events(indent: int | None, mark: str, tmp_path: Path) -> None:
    objects = [as_object(fields) for fields, _ in GIVEN]
    array = written(tmp_path, mark + json.dumps(objects, indent=indent))
    one_a_line = written(tmp_path, mark + "\n".join(json.dumps(one) for one in objects), "export.jsonl")
    assert (form(array), form(one_a_line)) == ("objects", "lines")
    assert found(array) == found(one_a_line) == [event for _, event in GIVEN]
    assert lines(array, ZONE, "en")[0] == "2026-03-02 09:15:04 - Started app: Code.exe"


def test_read_array_with_bad_objects_keeps_the_others(tmp_path: Path) -> None:
    good = json.dumps(as_object(GIVEN[0][0])).encode()
    bad = [b'{"secret" 1}', b'{"type": "x\xff"}', b'"secret {"', b'{"timestamp": {"a": "}"}}', b"7"]
    event, *refused, last = found(written(tmp_path, b"[" + b",\n".join([good, *bad, good]) + b"]"))
    assert event == last == GIVEN[0][1]
    places = [(one.unit, one.place) for one in refused if isinstance(one, Reject)]
    assert places == [("object", 2), ("object", 3), ("object", 4), ("object", 5), ("object", 6)]
    assert "secret" not in str(refused)


def test_events_of_a_cut_array_are_its_complete_objects(tmp_path: Path) -> None:
    whole = json.dumps([as_object(fields) for fields, _ in GIVEN])
    found_events = events(written(tmp_path, whole[:-30]), ZONE)
    assert found_events == [event for _, event in GIVEN[:-1]]


def test_read_object_over_limit_is_rejected(tmp_path: Path) -> None:
    good = json.dumps(as_object(GIVEN[0][0]))
    huge = json.dumps(as_object(GIVEN[0][0]) | {"more": "x" * 3 * MAX_LINE})
    results = found(written(tmp_path, f"[{good},{huge},{good}]"))
    assert results[0] == GIVEN[0][1]
    assert isinstance(results[1], Reject) and "longer than" in results[1].reason


@pytest.mark.parametrize("hostile", [b'["' + b"\\" * 200_000, b"[" + b"{" * 200_000, b"[" + b'"{' * 100_000])
def test_raw_objects_of_hostile_arrays_end_soon(hostile: bytes) -> None:
    assert len(list(raw_objects(BytesIO(hostile)))) < 9
