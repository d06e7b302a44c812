"""Read event files of every form: JSON windows, a JSON array of objects, CSV, event lines, JSON objects."""

import csv
import json
import os
import re
import stat
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import tzinfo
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from data.importers.cells import original
from data.importers.line import TIMES, EventReader, Reject
from data.importers.objects import raw_objects
from data.windows import WindowedPair, stream
from memo.core.errors import GrammarError, MemoError, UsageError
from memo.core.events import Event
from memo.core.grammar import MAX_LINE, Language, write

BOM = b"\xef\xbb\xbf"
DELIMITERS = ",;\t"
HEAD = 4096  # bytes by which the form of a file is recognised
_HINT = re.compile(rb"sep=.", re.I)


def open_file(path: Path) -> BinaryIO:
    """Open a regular file for reading, in UTF-8 if it is UTF-16. Raises UsageError if there is none or it can't be."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # opening a pipe would block
    except OSError as error:
        raise UsageError(
            f"{path} can't be read ({error.strerror}); name an existing file that you may read."
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{path} is not a regular file; name files of windows, event lines or event objects.")
    file = os.fdopen(descriptor, "rb")
    if os.pread(descriptor, len(BOM_UTF16_LE), 0) not in (BOM_UTF16_LE, BOM_UTF16_BE):
        return file
    with file:
        return BytesIO(file.read().decode("utf-16", errors="replace").encode())


def form(path: Path) -> str:
    """Return `json` (windows), `objects`, `csv` or `lines`, by name and content. Raises MemoError for an empty file."""
    with open_file(path) as file:
        head = file.read(HEAD).removeprefix(BOM).lstrip()
    if not head:
        raise MemoError(f"{path} is empty; there is nothing to read.")
    if head.startswith(b"[") and (path.suffix == ".json" or head[1:].lstrip()[:1] in (b"{", b"]", b"")):
        return "objects" if _holds_objects(path) else "json"
    if delimiter(head):
        return "csv"
    if path.suffix == ".csv":
        raise MemoError(
            f"{path} has no header line with `at` (or `timestamp`) and `operation`, separated by commas, semicolons "
            "or tabs; add one."
        )
    if path.suffix == ".json" and not head.startswith(b"{"):
        raise _not_windows(path)
    return "lines"


def _holds_objects(path: Path) -> bool:
    with open_file(path) as file:
        first = next(raw_objects(file), b"")
    return first.endswith(b"}") and b'"input"' not in first


def read(path: Path, file: BinaryIO, zone: tzinfo, **fields: str) -> Iterator[Event | Reject]:
    """Yield each event, with these `fields`, and each reject of an open file, in order."""
    reader, chosen = EventReader(zone), form(path)
    if chosen == "csv":
        return _csv(file, partial(reader.read_fields, **fields))
    return _lines(path, file, chosen, partial(reader.read_line, **fields))


def _lines(path: Path, file: BinaryIO, chosen: str, read_line: Callable[[bytes], Event]) -> Iterator[Event | Reject]:
    for number, line in enumerate(_raw(path, file, chosen), 1):
        if not line.strip():
            continue
        try:
            yield read_line(line)
        except GrammarError as error:
            yield Reject.of("object" if chosen == "objects" else "line", number, str(error), line)


def _raw(path: Path, file: BinaryIO, chosen: str) -> Iterator[bytes]:
    if chosen == "json":
        return (line.encode(errors="surrogatepass") for line in stream(read_windows(path)) if line)
    return raw_objects(file) if chosen == "objects" else raw_lines(file)


def raw_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file without their ends; of a line over the limit, its beginning."""
    start = True
    while line := file.readline(MAX_LINE + len(BOM) + 2):
        kept = line
        while not line.endswith(b"\n") and (line := file.readline(MAX_LINE)):
            pass
        yield (kept.removeprefix(BOM) if start else kept).rstrip(b"\r\n")
        start = False


def read_windows(path: Path) -> list[WindowedPair]:
    """Return the windows of a JSON file: their lines without the header, and the line that came next."""
    with open_file(path) as file:
        try:
            rows = json.loads(file.read().removeprefix(BOM))
        except (ValueError, RecursionError) as error:
            raise MemoError(f"{path} is not valid JSON ({_where(error)}); correct the file or leave it out.") from error
    if not isinstance(rows, list) or not all(_is_window(row) for row in rows):
        raise _not_windows(path)
    return [(row["input"].split("\n")[1:], row.get("output") or "") for row in rows]


def _where(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}: {error.msg}"
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else "nested too deeply"


def _is_window(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("input"), str) and isinstance(row.get("output", ""), str | None)


def _not_windows(path: Path) -> MemoError:
    return MemoError(
        f"{path} is not a JSON list of windows, each with the text `input`, or of events; see docs/events.md."
    )


def delimiter(head: bytes) -> str:
    """Return what separates the columns of a CSV that begins like this, or an empty text if it is none."""
    for separator in DELIMITERS:
        columns = set(_columns(_header(head).decode(errors="replace").split(separator)))
        if "operation" in columns and not columns.isdisjoint(TIMES):
            return separator
    return ""


def _header(head: bytes) -> bytes:
    """Return the first line with text but the hint `sep=;`, which spreadsheets write and read."""
    lines = [line for line in head.removeprefix(BOM).splitlines() if line.strip()]
    return lines[bool(_HINT.fullmatch(lines[0])) :][0] if len(lines) > 1 else b"".join(lines)


def _columns(names: Iterable[str]) -> list[str]:
    return [name.strip(' "').lower() for name in names]


def _csv(file: BinaryIO, read_row: Callable[[Mapping[str, str]], Event]) -> Iterator[Event | Reject]:
    separator = delimiter(file.read(HEAD))
    file.seek(0)
    text = TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    rows = csv.reader(text, skipinitialspace=True, delimiter=separator)
    header = next(columns for row in rows if "operation" in (columns := _columns(row)))
    while True:
        raw = b""
        try:
            if (row := next(rows, None)) is None:
                break
            raw = "\x1f".join(row).encode(errors="surrogateescape")
            if any(row):
                _check_encoding(raw)
                yield read_row(dict(zip(header, map(original, row), strict=False)))
        except (GrammarError, csv.Error) as error:
            yield Reject.of("line", rows.line_num, str(error), raw)
    text.detach()


def _check_encoding(raw: bytes) -> None:
    """Raise GrammarError for a row that is not UTF-8."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise GrammarError("the row is not UTF-8") from error


def events(path: Path, zone: tzinfo) -> list[Event]:
    """Return all events of a file, in its order, skipping what is unreadable. Raises MemoError for a missing file."""
    with open_file(path) as file:
        return [event for event in read(path, file, zone) if isinstance(event, Event)]


def look_through(path: Path, zone: tzinfo) -> None:
    """Raise MemoError if a file has no event, with the reason why its first line is none."""
    why = ""
    with open_file(path) as file:
        for found in read(path, file, zone):
            if isinstance(found, Event):
                return
            why = why or f" ({found.unit} {found.place}: {found.reason})"
    raise MemoError(f"{path} holds no event{why}; name a file of windows or of event lines.")


def lines(path: Path, zone: tzinfo, language: Language) -> list[str]:
    """Return all lines of a file as they are, unreadable ones too; events without a line are written in `language`."""
    chosen = form(path)
    if chosen in ("csv", "objects"):
        return [write(event, language) for event in events(path, zone)]
    with open_file(path) as file:
        raw = _raw(path, file, chosen)
        return [line for one in raw if (line := one.decode(errors="surrogateescape")).strip()]
