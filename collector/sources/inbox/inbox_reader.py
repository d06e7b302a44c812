"""The files of the inbox: each is read once and only once, however it comes, grows, moves or goes."""

import os
import re
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from collector.privacy.secrets import hide_secrets
from collector.privacy.titles import INBOX
from collector.sources.inbox.tail import Line, Place, identity, open_below, read
from data.importers import rejects
from data.importers.files import BOM
from data.importers.line import Reject, read_line
from memo.core.errors import GrammarError
from memo.core.events import Event
from memo.core.grammar import clean
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import SCOPE_PATTERN, Settings
from memo.protocols import Batch

HELD = 64
"""Files kept open, so that the rest of one that is renamed or deleted is still read."""
SOURCE = INBOX

log = get_logger(__name__)


@dataclass(slots=True)
class Held:
    """A file that is open."""

    file: int
    identity: str
    scope: str


class InboxReader:
    """Reads what is new in files below `home.inbox` and emits it. Close it at the end."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        emit: Callable[[Batch], None],
        cursor: Callable[[str], dict[str, Any] | None],
    ) -> None:
        self._settings, self._home, self._emit, self._cursor = settings, home, emit, cursor
        self._zone = settings.zone
        self._held: OrderedDict[Path, Held] = OrderedDict()

    def scan(self) -> None:
        """Read all files, oldest first."""
        files = [entry for folder in (self._home.inbox, *_folders(self._home.inbox)) for entry in _files(folder)]
        for _, path in sorted(files):
            self.visit(path)

    def visit(self, path: Path) -> None:
        """Read what is new at a path; first the rest of a file that stood there before."""
        relative = path.relative_to(self._home.inbox)
        scope = self._scope(relative)
        if scope is None:
            return
        if path.is_dir() and len(relative.parts) == 1:
            for _, inner in sorted(_files(path)):
                self.visit(inner)
            return
        file, held = open_below(self._home.inbox, relative), self._held.get(path)
        if held is not None and (file is None or identity(file) != held.identity):
            self._read(relative, held)
            self._drop(path)
            held = None
        if held is None and file is not None:
            held = self._hold(path, file, scope)
        elif file is not None:
            os.close(file)
        if held is not None:
            self._held.move_to_end(path)
            self._read(relative, held)

    def _scope(self, relative: Path) -> str | None:
        """Whose a file is; None for one that is not read: hidden, temporary, or too deep."""
        if not 1 <= len(relative.parts) <= 2 or any(part[0] == "." or part.endswith(".tmp") for part in relative.parts):
            return None
        if len(relative.parts) == 1:
            return self._settings.scope
        folder = relative.parts[0]
        return folder if re.fullmatch(SCOPE_PATTERN, folder) and clean(folder) == folder else None

    def _hold(self, path: Path, file: int, scope: str) -> Held:
        if len(self._held) >= HELD:
            self._drop(next(iter(self._held)))
        held = Held(file, identity(file), scope)
        self._held[path] = held
        return held

    def _drop(self, path: Path) -> None:
        os.close(self._held.pop(path).file)

    def _read(self, relative: Path, held: Held) -> None:
        stored = self._cursor(held.identity)  # asked each time: a file may be held under two names
        start = Place(**stored) if stored else Place()
        if not start.holds(held.file):
            start = Place()
        anew = start == Place()
        for lines, place in read(held.file, start):
            events = self._events(relative, held.scope, lines)
            self._emit(Batch(events, held.identity, place.as_cursor(), anew=anew))
            anew = False

    def _events(self, relative: Path, scope: str, lines: list[Line]) -> list[Event]:
        name = str(relative.with_name(hide_secrets(relative.name)))
        events, bad, key = [], [], clean(name)
        for line in lines:
            raw = (line.raw if line.offset else line.raw.removeprefix(BOM)).rstrip(b"\r")
            if not raw.strip():
                continue
            try:
                event = read_line(raw, self._zone)
            except GrammarError as error:
                bad.append(Reject.of("offset", line.offset, str(error), raw))
            else:
                events.append(replace(event, scope=scope, source=SOURCE, source_key=key))
        if bad:
            rejects.write(self._home.rejects, name, bad)
            log.warning("lines were rejected", file=key, lines=len(bad))
        return events

    def close(self) -> None:
        """Close all files."""
        for path in list(self._held):
            self._drop(path)


def _folders(folder: Path) -> list[Path]:
    return [Path(entry) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]


def _files(folder: Path) -> list[tuple[float, Path]]:
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):  # it went meanwhile
                if entry.is_file(follow_symlinks=False):
                    found.append((entry.stat(follow_symlinks=False).st_mtime, Path(entry)))
    return found
