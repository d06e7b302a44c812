"""Event files: a JSON list of windows or of objects, event lines, JSON objects one a line, or CSV."""

from datetime import tzinfo
from pathlib import Path

from data.importers import rejects
from data.importers.files import form, open_file, raw_lines, read, read_windows
from data.importers.line import Reject
from data.windows import stream
from memo.core.errors import MemoError
from memo.core.events import Event
from memo.core.grammar import Language, write

__all__ = ["Reject", "events", "form", "lines", "look_through", "open_file", "read", "read_windows", "rejects"]


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
    if chosen == "json":
        return [_escape_surrogates(line) for line in stream(read_windows(path)) if line]
    if chosen in ("csv", "objects"):
        return [write(event, language) for event in events(path, zone)]
    with open_file(path) as file:
        return [text for raw in raw_lines(file) if (text := raw.decode(errors="surrogateescape")).strip()]


def _escape_surrogates(line: str) -> str:
    """Return the line with unpaired surrogates decoded as in a file that is not UTF-8."""
    return line.encode(errors="surrogatepass").decode(errors="surrogateescape")
