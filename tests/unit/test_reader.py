import errno
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from collector.sources.inbox import inbox_reader
from collector.sources.inbox.inbox_reader import MAX_OPEN, SLICE, InboxReader
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import PrivacySettings, Settings
from memo.protocols import Batch, Note


class Emitted:
    """The events that a reader has emitted, and the cursors as a store would keep them."""

    def __init__(self, home: Home, max_open: int = MAX_OPEN, titles: Sequence[str] = ()) -> None:
        self.batches: list[Batch] = []
        self.notes: list[str] = []
        self.transactions = 0
        self._cursors: dict[str, dict[str, Any]] = {}
        settings = Settings(scope="ada@host", timezone="UTC", privacy=PrivacySettings(titles=list(titles)))
        self.reader = InboxReader(settings, home, self._emit, self._cursors.get, max_open)

    def _emit(self, emitted: object) -> None:
        if isinstance(emitted, Note):
            self.notes.append(emitted.text)
            return
        assert isinstance(emitted, list)
        self.transactions += 1
        for batch in emitted:
            self.batches.append(batch)
            self._cursors[batch.cursor_key] = json.loads(json.dumps(batch.cursor))

    def read(self, path: Path) -> None:
        """Read a file to its end, in as many turns as it takes."""
        self.reader.read(path)
        self.reader.go_on()
        while self.reader.is_behind:
            self.reader.go_on()

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
    emitted.read(home.inbox / "file")
    assert emitted.targets == "abc"
    assert [batch.from_start for batch in emitted.batches] == [True, False]


def test_reader_truncated_file_is_read_again_from_its_start(home: Home, emitted: Emitted) -> None:
    path = home.inbox / "file"
    for content in ("ab", "", "a"):
        path.write_text(text(content))
        emitted.read(path)
    assert [batch.from_start for batch in emitted.batches] == [True, True]


def test_reader_file_with_two_names_is_read_once(home: Home, emitted: Emitted) -> None:
    one, other = home.inbox / "one", home.inbox / "other"
    append(one, "a")
    os.link(one, other)
    emitted.reader.scan()
    append(one, "b")
    emitted.read(one)
    append(other, "c")
    emitted.read(other)
    emitted.read(one)
    assert emitted.targets == "abc"


def test_reader_reads_more_files_than_it_keeps_open(home: Home) -> None:
    emitted = Emitted(home, max_open=2)
    paths = [home.inbox / str(number) for number in range(5)]
    for names in ("ab", "cd"):
        for path in paths:
            append(path, names)
            emitted.read(path)
    assert emitted.targets == "ab" * 5 + "cd" * 5
    assert len(opened(home)) == 2
    emitted.reader.close()
    assert opened(home) == []


def test_reader_reads_the_rest_of_a_replaced_file_first(home: Home, emitted: Emitted) -> None:
    path = home.inbox / "file"
    append(path, "a")
    emitted.read(path)
    append(path, "b")
    append(home.inbox / ".new", "c")
    (home.inbox / ".new").rename(path)
    emitted.read(path)
    assert emitted.targets == "abc"


def test_reader_reads_a_large_file_that_is_gone_in_slices(home: Home, emitted: Emitted) -> None:
    large, other = home.inbox / "large", home.inbox / "other"
    append(large, "a")
    emitted.read(large)
    with large.open("a") as file:
        file.truncate(4 * SLICE)
        file.write("\n" + text("b"))
    append(home.inbox / ".new", "c")
    (home.inbox / ".new").rename(large)
    emitted.reader.read(large)
    append(other, "d")
    emitted.read(other)
    assert emitted.targets == "adbc"


def test_reader_reads_the_rest_of_a_deleted_file(home: Home, emitted: Emitted) -> None:
    path = home.inbox / "file"
    append(path, "a")
    emitted.read(path)
    append(path, "b")
    path.unlink()
    emitted.read(path)
    emitted.read(path)
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
        emitted.read(place)
    assert emitted.events == []


def test_reader_accepts_a_name_that_is_not_utf_8(home: Home, emitted: Emitted) -> None:
    path = home.inbox / os.fsdecode(b"caf\xe9")
    path.write_bytes(text("a").encode() + b"nonsense\n")
    emitted.read(path)
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


def test_reader_gives_each_file_a_slice_in_turn(home: Home) -> None:
    for name in ("big", "other"):
        with (home.inbox / name).open("wb") as file:
            file.truncate(1 << 30)  # sparse: one line that never ends
    (home.inbox / "small").write_text(text("a"))
    emitted = Emitted(home)
    emitted.reader.scan()
    assert emitted.targets and emitted.reader.is_behind
    offsets = [batch.cursor["offset"] for batch in emitted.batches]
    assert max(offsets) <= 2 * SLICE


def test_reader_stores_many_small_files_at_once(home: Home) -> None:
    for number in range(450):
        (home.inbox / f"file {number}").write_text(text("a"))
    emitted = Emitted(home)
    emitted.reader.scan()
    assert len(emitted.batches) == 450 and emitted.transactions == 3


@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO, errno.EMFILE])
def test_unreadable_file_is_named_once_and_tried_again(home: Home, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    (home.inbox / "file").write_text(text("a"))
    emitted = Emitted(home)

    def refuse(*_: object) -> int:
        raise OSError(error, os.strerror(error))

    with monkeypatch.context() as patch, capture_logs() as logged:
        patch.setattr(inbox_reader, "open_below", refuse)
        for _ in range(3):
            emitted.reader.scan()
    assert [entry["file"] for entry in logged if entry["event"] == "file_skipped"] == ["file"]
    assert len(emitted.notes) == 1 and emitted.notes[0].startswith(f"1 files are not read ({os.strerror(error)})")
    (home.inbox / "file").chmod(0o640)  # as whoever puts it right
    emitted.reader.scan()
    assert emitted.targets and emitted.notes[1:] == [""]


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_file_in_utf_16_is_named_with_a_remedy(home: Home, order: str) -> None:
    path = home.inbox / "file"
    path.write_bytes(f"\ufeff{text('a')}".encode(order))
    emitted = Emitted(home)
    emitted.reader.scan()
    assert "in UTF-16; save them as UTF-8" in emitted.notes[0] and not emitted.batches
    path.write_text(text("a"))
    emitted.reader.scan()
    assert emitted.targets and emitted.notes[-1] == ""


def test_pipes_and_links_are_counted(home: Home) -> None:
    os.mkfifo(home.inbox / "pipe")
    (home.inbox / "link").symlink_to("/etc/hostname")
    emitted = Emitted(home)
    emitted.reader.scan()
    assert emitted.notes[0].startswith("2 files are not read (not regular files)")


@pytest.mark.parametrize("name", ["Quarterly Acme report.txt", "acme.txt", "acme/file"])
def test_name_that_a_rule_withholds_is_stored_nowhere(home: Home, name: str) -> None:
    path = home.inbox / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{text('a')}no event\n")
    with capture_logs() as logged:
        emitted = Emitted(home, titles=["acme"])
        emitted.reader.scan()
    kept = [event.source_key for event in emitted.events] + [str(logged)]
    kept += [f"{file.name} {file.read_text()}" for file in home.rejects.iterdir()]
    assert len(kept) > 2 and not [text for text in kept if "acme" in text.lower()]
