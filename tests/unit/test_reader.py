import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.sources.inbox.inbox_reader import MAX_OPEN, InboxReader
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch


class Emitted:
    """The events that a reader has emitted, and the cursors as a store would keep them."""

    def __init__(self, home: Home, max_open: int = MAX_OPEN) -> None:
        self.batches: list[Batch] = []
        self._cursors: dict[str, dict[str, Any]] = {}
        settings = Settings(scope="ada@host", timezone="UTC")
        self.reader = InboxReader(settings, home, self._emit, self._cursors.get, max_open)

    def _emit(self, batch: Batch) -> None:
        self.batches.append(batch)
        self._cursors[batch.cursor_key] = json.loads(json.dumps(batch.cursor))

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches for event in batch.events]

    @property
    def targets(self) -> str:
        return "".join(event.target for event in self.events)


def opened(home: Home) -> list[Path]:
    """The inbox files that this process has open."""
    links = [Path(entry) for entry in os.scandir("/proc/self/fd")]
    return [link for link in links if os.path.islink(link) and link.readlink().is_relative_to(home.inbox)]


@pytest.fixture
def emitted(home: Home) -> Iterator[Emitted]:
    emitted = Emitted(home)
    yield emitted
    emitted.reader.close()


def text(names: str) -> str:
    return "".join(f"2026-03-02 09:00:00 - Started app: {name}\n" for name in names)


def append(path: Path, names: str) -> None:
    with path.open("a") as file:
        file.write(text(names))


def test_reader_scan_reads_oldest_files_first(home: Home, emitted: Emitted) -> None:
    (home.inbox / "bob@host").mkdir()
    for age, (name, letter) in enumerate([("first", "c"), ("bob@host/second", "b"), ("third", "a")]):
        path = home.inbox / name
        append(path, letter)
        os.utime(path, ns=(age, age))
    emitted.reader.scan()
    assert [(event.target, event.scope) for event in emitted.events] == [
        ("c", "ada@host"),
        ("b", "bob@host"),
        ("a", "ada@host"),
    ]
    assert [(event.source, event.source_key) for event in emitted.events][1] == ("inbox", "bob@host/second")


def test_reader_second_scan_reads_only_new_lines(home: Home, emitted: Emitted) -> None:
    append(home.inbox / "file", "ab")
    emitted.reader.scan()
    emitted.reader.scan()
    append(home.inbox / "file", "c")
    emitted.reader.read(home.inbox / "file")
    assert emitted.targets == "abc"
    assert [batch.from_start for batch in emitted.batches] == [True, False]


def test_reader_truncated_file_is_read_again_from_its_start(home: Home, emitted: Emitted) -> None:
    path = home.inbox / "file"
    for content in ("ab", "", "a"):
        path.write_text(text(content))
        emitted.reader.read(path)
    assert [batch.from_start for batch in emitted.batches] == [True, True]


def test_reader_file_with_two_names_is_read_once(home: Home, emitted: Emitted) -> None:
    one, other = home.inbox / "one", home.inbox / "other"
    append(one, "a")
    os.link(one, other)
    emitted.reader.scan()
    append(one, "b")
    emitted.reader.read(one)
    append(other, "c")
    emitted.reader.read(other)
    emitted.reader.read(one)
    assert emitted.targets == "abc"


def test_reader_reads_more_files_than_it_keeps_open(home: Home) -> None:
    emitted = Emitted(home, max_open=2)
    paths = [home.inbox / str(number) for number in range(5)]
    for names in ("ab", "cd"):
        for path in paths:
            append(path, names)
            emitted.reader.read(path)
    assert emitted.targets == "ab" * 5 + "cd" * 5
    assert len(opened(home)) == 2
    emitted.reader.close()
    assert opened(home) == []


def test_reader_reads_the_rest_of_a_replaced_file_first(home: Home, emitted: Emitted) -> None:
    path = home.inbox / "file"
    append(path, "a")
    emitted.reader.read(path)
    append(path, "b")
    append(home.inbox / ".new", "c")
    (home.inbox / ".new").rename(path)
    emitted.reader.read(path)
    assert emitted.targets == "abc"


def test_reader_reads_the_rest_of_a_deleted_file(home: Home, emitted: Emitted) -> None:
    path = home.inbox / "file"
    append(path, "a")
    emitted.reader.read(path)
    append(path, "b")
    path.unlink()
    emitted.reader.read(path)
    emitted.reader.read(path)
    assert emitted.targets == "ab"


@pytest.mark.parametrize(
    "name", [".hidden", "half.tmp", ".hidden/file", "half.tmp/file", "one/two/file", "a\\b/file", "a\x01b/file"]
)
def test_reader_skips_hidden_temporary_and_deep_files(home: Home, emitted: Emitted, name: str) -> None:
    path = home.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    append(path, "a")
    emitted.reader.scan()
    for place in (path, path.parent):
        emitted.reader.read(place)
    assert emitted.events == []


def test_reader_accepts_a_name_that_is_not_utf_8(home: Home, emitted: Emitted) -> None:
    path = home.inbox / os.fsdecode(b"caf\xe9")
    path.write_bytes(text("a").encode() + b"nonsense\n")
    emitted.reader.read(path)
    assert emitted.targets == "a"
    assert emitted.events[0].source_key == "caf "
    assert len(list(home.rejects.iterdir())) == 1


def test_reader_accepts_windows_line_ends_and_bom(home: Home, emitted: Emitted) -> None:
    (home.inbox / "file").write_bytes(b"\xef\xbb\xbf" + text("ab").replace("\n", "\r\n").encode() + b"\r\n \n")
    emitted.reader.scan()
    assert emitted.targets == "ab"
    assert list(home.rejects.iterdir()) == []


def test_reader_reads_exports_as_lines_and_arrays(home: Home, emitted: Emitted) -> None:
    one = {"timestamp": "2026-03-02T09:00:00", "type": "process_start"}
    objects = [json.dumps(one | {"application": name}) for name in "ab"]
    (home.inbox / "export.jsonl").write_text("\n".join(objects) + "\n")
    (home.inbox / "export.json").write_text(f"[{', '.join(objects)}, {{}}]")
    emitted.reader.scan()
    assert sorted(emitted.targets) == ["a", "a", "b", "b"]
    assert json.loads((home.rejects / "export.json.jsonl").read_text())["offset"] > 1


def test_batch_takes_the_earlier_name_of_from_start() -> None:
    assert Batch([], "key", {}, anew=True) == Batch([], "key", {}, from_start=True)
    assert Batch([], "key", {}) != Batch([], "key", {}, anew=True)
