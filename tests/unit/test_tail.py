import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.sources.inbox import tail
from collector.sources.inbox.tail import Line, Place, identity, open_below, read
from memo.core.grammar import MAX_LINE

TEXT = b"first\n\nthird, longer\r\n\xff\xfe\nlast without an end"
LINES = [Line(0, b"first"), Line(6, b""), Line(7, b"third, longer\r"), Line(22, b"\xff\xfe")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def file(path: Path) -> Iterator[int]:
    number = os.open(path, os.O_RDONLY)
    yield number
    os.close(number)


def lines(file: int, place: Place) -> list[Line]:
    return [line for found, _ in read(file, place) for line in found]


def end(file: int, place: Place | None = None) -> Place:
    *_, (_, last) = read(file, place or Place())
    return last


@pytest.mark.parametrize("chunk", [1, 2, 5, 6, 7, 1000])
def test_whole_lines_are_read_and_the_last_one_waits(file: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "CHUNK", chunk)
    assert lines(file, Place()) == LINES
    assert end(file).offset == 25


@pytest.mark.parametrize("mark", [3, 256])
def test_reading_goes_on_from_every_place(file: int, mark: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "CHUNK", 4)
    monkeypatch.setattr(tail, "MARK", mark)
    places = [place for _, place in read(file, Place())]
    assert len(places) > 2
    for place in places:
        assert Place(**place.as_cursor()).holds(file)
        assert lines(file, place) == [line for line in LINES if line.offset >= place.offset]


def test_what_is_appended_ends_the_waiting_line(path: Path, file: int) -> None:
    place = end(file)
    assert lines(file, place) == []
    with path.open("ab") as more:
        more.write(b"!\nnew\n")
    assert place.holds(file)
    assert lines(file, place) == [Line(25, b"last without an end!"), Line(46, b"new")]


def test_nothing_is_read_from_an_empty_file(path: Path, file: int) -> None:
    path.write_bytes(b"")
    assert Place().holds(file)
    assert list(read(file, Place())) == []


@pytest.mark.parametrize("content", [b"", TEXT[:24], TEXT.replace(b"third", b"THIRD")])
def test_a_file_that_was_written_anew_does_not_hold_the_place(path: Path, file: int, content: bytes) -> None:
    place = end(file)
    path.write_bytes(content)
    assert not place.holds(file)


@pytest.mark.parametrize("chunk", [3, 8, 1000])
def test_of_a_line_that_is_too_long_only_the_beginning_is_given(
    path: Path, file: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "CHUNK", chunk)
    monkeypatch.setattr(tail, "MAX_LINE", 10)
    path.write_bytes(b"short\n" + b"x" * 100)
    first, cut = lines(file, Place())
    assert first == Line(0, b"short")
    assert cut.offset == 6
    assert cut.raw == b"x" * len(cut.raw)
    assert len(cut.raw) > 10
    place = end(file)
    assert (place.offset, place.inside) == (106, True)
    with path.open("ab") as more:
        more.write(b"xx\nnext\n")
    assert place.holds(file)
    assert lines(file, place) == [Line(109, b"next")]
    assert end(file, place) == Place(114, end(file).mark, inside=False)


def test_a_file_keeps_its_identity_when_it_is_renamed(path: Path, file: int) -> None:
    path.rename(path.with_name("renamed"))
    path.write_bytes(TEXT)
    other = os.open(path, os.O_RDONLY)
    renamed = os.open(path.with_name("renamed"), os.O_RDONLY)
    assert identity(renamed) == identity(file) != identity(other)
    os.close(other)
    os.close(renamed)


def test_regular_files_are_opened_below_the_root(path: Path) -> None:
    (path.parent / "folder").mkdir()
    (path.parent / "folder" / "inner").write_bytes(b"inner")
    for name, content in (("file", TEXT), ("folder/inner", b"inner")):
        file = open_below(path.parent, Path(name))
        assert file is not None
        assert os.pread(file, 1000, 0) == content
        os.close(file)


def test_nothing_else_is_opened_and_no_descriptor_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = path.parent
    (root / "folder").mkdir()
    (root / "folder" / "inner").write_bytes(b"inner")
    os.mkfifo(root / "pipe")
    (root / "link").symlink_to(path)
    (root / "linked").symlink_to(root / "folder")
    opened: list[int] = []
    real = os.open

    def count(*args: Any, **kwargs: Any) -> int:
        opened.append(real(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(os, "open", count)
    for name in ("missing", "missing/file", "folder", "pipe", "link", "linked/inner", "file/below"):
        assert open_below(root, Path(name)) is None, name
    assert open_below(root / "missing", Path("file")) is None
    assert len(opened) > 7
    for file in opened:
        with pytest.raises(OSError):
            os.fstat(file)


ARRAY = b'\xef\xbb\xbf [\n {"a": 1},\n {"b": "}]"}, 7, {"c": {}}\n]\n'
OBJECTS = [Line(7, b'{"a": 1}'), Line(18, b'{"b": "}]"}'), Line(29, b"7"), Line(34, b'{"c": {}}')]


@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
def test_of_an_array_the_objects_are_read(path: Path, file: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "CHUNK", chunk)
    path.write_bytes(ARRAY)
    found = lines(file, Place())
    assert [(line.offset, line.raw) for line in found] == [(line.offset, line.raw) for line in OBJECTS]
    for _, place in read(file, Place()):
        assert Place(**place.as_cursor()).holds(file)
        assert lines(file, place) == [line for line in found if line.offset >= place.offset]


def test_an_array_that_is_written_anew_with_more_goes_on(path: Path, file: int) -> None:
    path.write_bytes(b'[{"a": 1}, {"b": 2')
    place = end(file)
    for more in (b"}]", b'}, {"c": 3}]'):
        path.write_bytes(b'[{"a": 1}, {"b": 2' + more)
        assert place.holds(file)
        found = lines(file, place)
        place = end(file, place)
    assert [line.raw for line in found] == [b'{"c": 3}']


def test_an_object_without_an_end_is_given_up(path: Path, file: int) -> None:
    path.write_bytes(b'[{"a": "' + b"x" * 2 * MAX_LINE + b'"}, {"b": 2}]')
    assert [len(line.raw) > MAX_LINE for line in lines(file, Place())] == [True]
