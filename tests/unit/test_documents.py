"""Documents stay true: examples are read by the real code, and paths and the tree of the README exist."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from data.importers import events
from data.importers.line import EventReader, read_line
from memo.core.events import CONTEXT, Event, Operation
from memo.core.grammar import FORMS, Language, language_of, parse

ROOT = Path(__file__).resolve().parents[2]
ZONE = timezone(timedelta(hours=1))
CLOCK = "2026-03-02 09:15:04"
COLUMNS = ("operation", "target", "app", "detail")
READMES = ("README.md", "README.zh-CN.md")
DOCUMENTS = [ROOT / name for name in (*READMES, "CONTRIBUTING.md")] + sorted((ROOT / "docs").rglob("*.md"))
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
    event = EventReader(ZONE).read_fields({"at": CLOCK, **dict(zip(COLUMNS, row[2:], strict=True))})
    for language, line in by_language.items():
        assert language_of(line) == language
        assert parse(line, ZONE) == event


@pytest.mark.parametrize("language", LANGUAGES)
def test_events_table_shows_each_form_of_the_grammar(language: Language) -> None:
    words = [row[LANGUAGES.index(language)] for row in ROWS]
    shown = [next(form.template for form in FORMS[language] if form.pattern.fullmatch(line)) for line in words]
    assert shown == [form.template for form in FORMS[language]]


def test_events_names_the_context_marks() -> None:
    named = re.search(r"`(\w+)`\s+and\s+`(\w+)`\s+are\s+context\s+marks", TEXT)
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_row_of_a_table_is_one_line(document: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    assert [line for line in prose.splitlines() if line.startswith("| ") and not line.endswith(" |")] == []


def _shown_tree(name: str) -> set[str]:
    """Return the folders in the tree of a README, such as `memo/core`."""
    tree = re.search(r"```tree\n(.+?)```", (ROOT / name).read_text(encoding="utf-8"), re.S)
    assert tree, name
    folders, room = set(), ""
    for line in tree[1].splitlines():
        indent, folder = re.match(r"( *)(\w+)/ ", line).groups()  # type: ignore[union-attr]
        room = room if indent else folder
        folders.add(f"{room}/{folder}" if indent else room)
    return folders


@pytest.mark.parametrize("name", READMES)
def test_readme_tree_shows_every_room_and_folder(name: str) -> None:
    rooms = {path.split("/")[0] for path in _shown_tree(name)}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert rooms == packages | {"tests", "bench", "docs"}
    deeper = {room for room in rooms if room not in ("docs", "bench")}
    folders = {
        f"{room}/{folder.name}"
        for room in deeper
        for folder in (ROOT / room).iterdir()
        if folder.is_dir() and not folder.name.startswith(("_", "."))
    }
    assert _shown_tree(name) == rooms | folders


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_document_names_only_paths_that_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    links = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target]
    rooms = "|".join(sorted({path.split("/")[0] for path in _shown_tree("README.md")}))
    named = re.findall(rf"(?<![\w/.~-])((?:{rooms})/[\w./@-]*\w)", re.sub(r"\]\([^)]*\)", "]", text))
    missing = [target for target in links if not (document.parent / target).exists()]
    installed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")  # it places some folders elsewhere
    missing += [path for path in named if not list(ROOT.glob(f"{path}*")) and f'"{path}"' not in installed]
    assert missing == []
