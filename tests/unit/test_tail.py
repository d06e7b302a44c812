import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from collector.sources.inbox import tail
from collector.sources.inbox.tail import Line, Position, identity, open_below, read_from
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


def lines(file: int, position: Position, **sizes: int) -> list[Line]:
    return [line for found, _ in read_from(file, position, **sizes) for line in found]


def end(file: int, position: Position, **sizes: int) -> Position:
    *_, (_, last) = read_from(file, position, **sizes)
    return last


@pytest.mark.parametrize("chunk", [1, 2, 5, 6, 7, 1000])
def test_read_from_leaves_the_incomplete_last_line(file: int, chunk: int) -> None:
    assert lines(file, Position(), chunk=chunk) == LINES
    assert end(file, Position(), chunk=chunk).offset == 25


@pytest.mark.parametrize("mark", [3, 256])
def test_read_from_continues_at_every_position(file: int, mark: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "MARK", mark)
    positions = [position for _, position in read_from(file, Position(), chunk=4)]
    assert len(positions) > 2
    for position in positions:
        assert Position(**asdict(position)).is_valid_in(file)
        assert lines(file, position, chunk=4) == [line for line in LINES if line.offset >= position.offset]


def test_read_from_completes_the_line_after_an_append(path: Path, file: int) -> None:
    position = end(file, Position())
    assert lines(file, position) == []
    with path.open("ab") as more:
        more.write(b"!\nnew\n")
    assert position.is_valid_in(file)
    assert lines(file, position) == [Line(25, b"last without an end!"), Line(46, b"new")]


def test_read_from_empty_file_yields_nothing(path: Path, file: int) -> None:
    path.write_bytes(b"")
    assert Position().is_valid_in(file)
    assert list(read_from(file, Position())) == []


@pytest.mark.parametrize("content", [b"", TEXT[:24], TEXT.replace(b"third", b"THIRD")])
def test_position_is_invalid_in_a_rewritten_file(path: Path, file: int, content: bytes) -> None:
    position = end(file, Position())
    path.write_bytes(content)
    assert not position.is_valid_in(file)


@pytest.mark.parametrize("chunk", [3, 8, 1000])
def test_read_from_cuts_a_line_that_is_too_long(path: Path, file: int, chunk: int) -> None:
    sizes = {"chunk": chunk, "max_line": 10}
    path.write_bytes(b"short\n" + b"x" * 100)
    first, cut = lines(file, Position(), **sizes)
    assert first == Line(0, b"short")
    assert cut.offset == 6
    assert cut.raw == b"x" * len(cut.raw)
    assert len(cut.raw) > 10
    position = end(file, Position(), **sizes)
    assert (position.offset, position.inside) == (106, True)
    with path.open("ab") as more:
        more.write(b"xx\nnext\n")
    assert position.is_valid_in(file)
    assert lines(file, position, **sizes) == [Line(109, b"next")]
    assert end(file, position, **sizes) == Position(114, end(file, Position(), **sizes).mark, inside=False)


def test_identity_survives_a_rename(path: Path, file: int) -> None:
    path.rename(path.with_name("renamed"))
    path.write_bytes(TEXT)
    other = os.open(path, os.O_RDONLY)
    renamed = os.open(path.with_name("renamed"), os.O_RDONLY)
    assert identity(renamed) == identity(file) != identity(other)
    os.close(other)
    os.close(renamed)


def test_open_below_opens_regular_files(path: Path) -> None:
    (path.parent / "folder").mkdir()
    (path.parent / "folder" / "inner").write_bytes(b"inner")
    for name, content in (("file", TEXT), ("folder/inner", b"inner")):
        file = open_below(path.parent, Path(name))
        assert os.pread(file, 1000, 0) == content
        os.close(file)


def test_open_below_opens_nothing_else_and_leaks_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
        with pytest.raises(OSError):
            open_below(root, Path(name))
    with pytest.raises(FileNotFoundError):
        open_below(root / "missing", Path("file"))
    assert len(opened) > 7
    for file in opened:
        with pytest.raises(OSError):
            os.fstat(file)


ARRAY = b'\xef\xbb\xbf [\n {"a": 1},\n {"b": "}]"}, 7, {"c": {}}\n]\n'
OBJECTS = [Line(7, b'{"a": 1}'), Line(18, b'{"b": "}]"}'), Line(29, b"7"), Line(34, b'{"c": {}}')]


@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
def test_read_from_array_yields_its_objects(path: Path, file: int, chunk: int) -> None:
    path.write_bytes(ARRAY)
    found = lines(file, Position(), chunk=chunk)
    assert [(line.offset, line.raw) for line in found] == [(line.offset, line.raw) for line in OBJECTS]
    for _, position in read_from(file, Position(), chunk=chunk):
        assert Position(**asdict(position)).is_valid_in(file)
        assert lines(file, position, chunk=chunk) == [line for line in found if line.offset >= position.offset]


def test_read_from_extended_array_continues(path: Path, file: int) -> None:
    path.write_bytes(b'[{"a": 1}, {"b": 2')
    position = end(file, Position())
    for more in (b"}]", b'}, {"c": 3}]'):
        path.write_bytes(b'[{"a": 1}, {"b": 2' + more)
        assert position.is_valid_in(file)
        found = lines(file, position)
        position = end(file, position)
    assert [line.raw for line in found] == [b'{"c": 3}']


def test_read_from_cuts_an_object_without_an_end(path: Path, file: int) -> None:
    path.write_bytes(b'[{"a": "' + b"x" * 2 * MAX_LINE + b'"}, {"b": 2}]')
    assert [len(line.raw) > MAX_LINE for line in lines(file, Position())] == [True]
