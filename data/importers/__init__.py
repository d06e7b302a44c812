"""Files of outside data: a JSON list of windows or of objects, event lines, JSON objects a line, or a CSV of events."""

from datetime import tzinfo
from pathlib import Path

from data.importers import rejects
from data.importers.files import form, open_file, raw_lines, read, read_windows
from data.importers.line import Reject
from data.windows import WindowedPair, stream
from memo.core.errors import MemoError
from memo.core.events import Event
from memo.core.grammar import Language, write

__all__ = ["Reject", "events", "form", "lines", "look_through", "open_file", "read", "rejects", "windows"]

WINDOW = 5
"""Lines of a window, where a file has none of its own."""


def events(path: Path, zone: tzinfo) -> list[Event]:
    """All events of a file, in its order; what can't be read is passed over. Raises MemoError for no such file."""
    with open_file(path) as file:
        return [event for event in read(path, file, zone) if isinstance(event, Event)]


def look_through(path: Path, zone: tzinfo) -> None:
    """Raises MemoError for a file without any event, with what is wrong with its first line."""
    why = ""
    with open_file(path) as file:
        for found in read(path, file, zone):
            if isinstance(found, Event):
                return
            why = why or f" ({found.unit} {found.place}: {found.reason})"
    raise MemoError(f"No event stands in {path}{why}; name a file of windows or of event lines.")


def lines(path: Path, zone: tzinfo, language: Language) -> list[str]:
    """All lines of a file as they stand, or as they are written in `language` where it has none; bad ones too."""
    chosen = form(path)
    if chosen == "json":
        return [_escaped(line) for line in stream(read_windows(path)) if line]
    if chosen in ("csv", "objects"):
        return [write(event, language) for event in events(path, zone)]
    with open_file(path) as file:
        return [text for raw in raw_lines(file) if (text := raw.decode(errors="surrogateescape")).strip()]


def _escaped(line: str) -> str:
    """The line with unpaired surrogates as in a file that is not UTF-8."""
    return line.encode(errors="surrogatepass").decode(errors="surrogateescape")


def windows(path: Path, zone: tzinfo, language: Language = "en") -> list[WindowedPair]:
    """The windows of a file: its own, or each `WINDOW` lines with the line after them."""
    if form(path) == "json":
        return read_windows(path)
    found = lines(path, zone, language)
    return [(found[end - WINDOW : end], found[end]) for end in range(WINDOW, len(found))]
