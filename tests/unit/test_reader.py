import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.sources.inbox import inbox_reader
from collector.sources.inbox.inbox_reader import InboxReader
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch


class Kept:
    """What a reader emitted: the events, and the cursors as a store would keep them."""

    def __init__(self, home: Home) -> None:
        self.batches: list[Batch] = []
        self._cursors: dict[str, dict[str, Any]] = {}
        self.reader = InboxReader(Settings(scope="ada@host", timezone="UTC"), home, self._emit, self._cursors.get)

    def _emit(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._cursors[batch.cursor_key] = json.loads(json.dumps(batch.cursor))

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch.events]

    @property
    def targets(self) -> str:
        return "".join(event.target for event in self.events)


def held(home: Home) -> list[Path]:
    """The files of the inbox that this process has open."""
    links = [Path(entry) for entry in os.scandir("/proc/self/fd")]
    return [link for link in links if os.path.islink(link) and link.readlink().is_relative_to(home.inbox)]


@pytest.fixture
def kept(home: Home) -> Iterator[Kept]:
    kept = Kept(home)
    yield kept
    kept.reader.close()


def text(names: str) -> str:
    return "".join(f"2026-03-02 09:00:00 - Started app: {name}\n" for name in names)


def append(path: Path, names: str) -> None:
    with path.open("a") as file:
        file.write(text(names))


def test_all_files_are_read_oldest_first(home: Home, kept: Kept) -> None:
    (home.inbox / "bob@host").mkdir()
    for age, (name, letter) in enumerate([("first", "c"), ("bob@host/second", "b"), ("third", "a")]):
        path = home.inbox / name
        append(path, letter)
        os.utime(path, ns=(age, age))
    kept.reader.scan()
    assert [(event.target, event.scope) for event in kept.events] == [
        ("c", "ada@host"),
        ("b", "bob@host"),
        ("a", "ada@host"),
    ]
    assert [(event.source, event.source_key) for event in kept.events][1] == ("inbox", "bob@host/second")


def test_a_second_look_reads_only_what_is_new(home: Home, kept: Kept) -> None:
    append(home.inbox / "file", "ab")
    kept.reader.scan()
    kept.reader.scan()
    append(home.inbox / "file", "c")
    kept.reader.visit(home.inbox / "file")
    assert kept.targets == "abc"
    assert [batch.anew for batch in kept.batches] == [True, False]


def test_a_file_that_was_cut_begins_anew_even_when_it_was_seen_empty(home: Home, kept: Kept) -> None:
    path = home.inbox / "file"
    for content in ("ab", "", "a"):
        path.write_text(text(content))
        kept.reader.visit(path)
    assert [batch.anew for batch in kept.batches] == [True, True]


def test_a_file_with_two_names_is_read_once(home: Home, kept: Kept) -> None:
    one, other = home.inbox / "one", home.inbox / "other"
    append(one, "a")
    os.link(one, other)
    kept.reader.scan()
    append(one, "b")
    kept.reader.visit(one)
    append(other, "c")
    kept.reader.visit(other)
    kept.reader.visit(one)
    assert kept.targets == "abc"


def test_more_files_than_are_held_open_are_read_once(home: Home, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_reader, "HELD", 2)
    paths = [home.inbox / str(number) for number in range(5)]
    for names in ("ab", "cd"):
        for path in paths:
            append(path, names)
            kept.reader.visit(path)
    assert kept.targets == "ab" * 5 + "cd" * 5
    assert len(held(home)) == 2
    kept.reader.close()
    assert held(home) == []


def test_the_rest_of_a_file_that_was_replaced_comes_first(home: Home, kept: Kept) -> None:
    path = home.inbox / "file"
    append(path, "a")
    kept.reader.visit(path)
    append(path, "b")
    append(home.inbox / ".new", "c")
    (home.inbox / ".new").rename(path)
    kept.reader.visit(path)
    assert kept.targets == "abc"


def test_the_rest_of_a_file_that_is_gone_is_read(home: Home, kept: Kept) -> None:
    path = home.inbox / "file"
    append(path, "a")
    kept.reader.visit(path)
    append(path, "b")
    path.unlink()
    kept.reader.visit(path)
    kept.reader.visit(path)
    assert kept.targets == "ab"


@pytest.mark.parametrize(
    "name", [".hidden", "half.tmp", ".hidden/file", "half.tmp/file", "one/two/file", "a\\b/file", "a\x01b/file"]
)
def test_what_is_hidden_temporary_too_deep_or_no_scope_is_not_read(home: Home, kept: Kept, name: str) -> None:
    path = home.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    append(path, "a")
    kept.reader.scan()
    for place in (path, path.parent):
        kept.reader.visit(place)
    assert kept.events == []


def test_a_name_that_is_not_utf_8_is_no_obstacle(home: Home, kept: Kept) -> None:
    path = home.inbox / os.fsdecode(b"caf\xe9")
    path.write_bytes(text("a").encode() + b"nonsense\n")
    kept.reader.visit(path)
    assert kept.targets == "a"
    assert kept.events[0].source_key == "caf "
    assert len(list(home.rejects.iterdir())) == 1


def test_line_ends_and_byte_order_mark_of_windows(home: Home, kept: Kept) -> None:
    (home.inbox / "file").write_bytes(b"\xef\xbb\xbf" + text("ab").replace("\n", "\r\n").encode() + b"\r\n \n")
    kept.reader.scan()
    assert kept.targets == "ab"
    assert list(home.rejects.iterdir()) == []


def test_exports_are_read_as_lines_and_as_arrays(home: Home, kept: Kept) -> None:
    one = {"timestamp": "2026-03-02T09:00:00", "type": "process_start"}
    objects = [json.dumps(one | {"application": name}) for name in "ab"]
    (home.inbox / "export.jsonl").write_text("\n".join(objects) + "\n")
    (home.inbox / "export.json").write_text(f"[{', '.join(objects)}, {{}}]")
    kept.reader.scan()
    assert sorted(kept.targets) == ["a", "a", "b", "b"]
    assert json.loads((home.rejects / "export.json.jsonl").read_text())["offset"] > 1
