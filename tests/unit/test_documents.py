"""docs/events.md shows what MEMO reads: each of its examples is read by the real code."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from data.importers import events
from data.importers.line import from_fields, read_line
from memo.core.events import CONTEXT, Event, Operation
from memo.core.grammar import FORMS, Language, language_of, parse

ROOT = Path(__file__).resolve().parents[2]
ZONE = timezone(timedelta(hours=1))
CLOCK = "2026-03-02 09:15:04"
COLUMNS = ("operation", "target", "app", "detail")
LANGUAGES: tuple[Language, ...] = ("en", "zh")
TEXT = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
ROWS = [
    tuple(cell.strip().strip("`") for cell in line.strip("|").split("|"))
    for line in re.findall(r"^\| `.+ \| `[a-z]+_[a-z]+` \|.*\|$", TEXT, re.M)
]


def block(kind: str) -> str:
    shown = re.search(rf"```{kind}\n(.+?)```", TEXT, re.S)
    assert shown, kind
    return shown[1]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_events_table_row_is_one_event_in_three_forms(row: tuple[str, ...]) -> None:
    by_language = dict(zip(LANGUAGES, (f"{CLOCK} - {words}" for words in row[:2]), strict=True))
    event = from_fields({"at": CLOCK, **dict(zip(COLUMNS, row[2:], strict=True))}, ZONE)
    for language, line in by_language.items():
        assert language_of(line) == language
        assert parse(line, ZONE) == event


@pytest.mark.parametrize("language", LANGUAGES)
def test_events_table_shows_each_form_of_the_grammar(language: Language) -> None:
    words = [row[LANGUAGES.index(language)] for row in ROWS]
    shown = [next(form.template for form in FORMS[language] if form.pattern.fullmatch(line)) for line in words]
    assert shown == [form.template for form in FORMS[language]]


def test_events_names_the_context_marks() -> None:
    named = re.search(r"`(\w+)` and `(\w+)` are context marks", TEXT)
    assert named and {Operation(name) for name in named.groups()} == CONTEXT


def test_events_example_objects_are_read() -> None:
    found = [read_line(line.encode(), ZONE) for line in block("jsonl").splitlines()]
    assert [event.operation.value for event in found] == ["window_focus", "web_visit", "process_start", "process_start"]
    assert found[0] == Event(datetime(2026, 3, 2, 8, 15, 4, tzinfo=UTC), Operation.WINDOW_FOCUS, "Inbox", "Thunderbird")
    assert found[2].executable == "/usr/bin/code"


def test_events_example_exports_are_read() -> None:
    found = [read_line(line.encode(), ZONE) for line in block("json lines").splitlines()]
    assert [event.target for event in found] == ["Inbox", "github.com", "plan.md"]


def test_events_example_csv_is_read(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text(block("csv"), encoding="utf-8")
    assert [event.target for event in events(file, ZONE)] == ["Inbox, 3 unread", "github.com", ""]


def test_events_example_windows_are_read(tmp_path: Path) -> None:
    file = tmp_path / "windows.json"
    file.write_text(json.dumps(json.loads(block("json"))), encoding="utf-8")
    assert [event.target for event in events(file, ZONE)] == ["Firefox", "github.com", "Code", "Firefox"]
