"""Reads the inbox's files, each part exactly once, however a file appears, grows, moves or goes."""

import os
import re
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from collector.privacy.secrets import hide_secrets
from collector.privacy.titles import INBOX
from collector.sources.inbox.tail import Line, Position, identity, open_below, read_from
from data.importers import rejects
from data.importers.event_files import BOM
from data.importers.line import HourTwice, Reject, read_line
from memo.core.errors import GrammarError
from memo.core.events import Event
from memo.core.grammar import clean
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import SCOPE_PATTERN, Settings
from memo.protocols import Batch, FindCursor

MAX_OPEN = 64  # files kept open, so that the rest of a renamed or deleted file is still read
SOURCE = INBOX

Stamp = tuple[int, ...]
"""What changes whenever a file does, its time first."""

log = get_logger(__name__)


@dataclass(slots=True)
class OpenFile:
    """An open file of the inbox."""

    descriptor: int
    identity: str
    scope: str
    hours: HourTwice = field(default_factory=HourTwice)


class InboxReader:
    """Emits what is new in the files below `home.inbox`. Close it at the end."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        emit: Callable[[Batch], None],
        cursor: FindCursor,
        max_open: int = MAX_OPEN,
    ) -> None:
        self._settings, self._home, self._emit, self._cursor = settings, home, emit, cursor
        self._zone, self._max_open = settings.zone, max_open
        self._open: OrderedDict[Path, OpenFile] = OrderedDict()
        self._scanned: dict[Path, Stamp] = {}

    def scan(self) -> None:
        """Read all files that have changed since the last scan, oldest first."""
        files = [entry for folder in (self._home.inbox, *_folders(self._home.inbox)) for entry in _files(folder)]
        scanned = {path: stamp for stamp, path in files}
        for stamp, path in sorted(files):
            if self._scanned.get(path) != stamp:
                self.read(path)
        self._scanned = scanned

    def read(self, path: Path) -> None:
        """Read what is new at a path, after the rest of a file that it has replaced."""
        relative = path.relative_to(self._home.inbox)
        scope = self._scope(relative)
        if scope is None:
            return
        if path.is_dir() and len(relative.parts) == 1:
            for _, inner in sorted(_files(path)):
                self.read(inner)
            return
        descriptor, file = open_below(self._home.inbox, relative), self._open.get(path)
        if file is not None and (descriptor is None or identity(descriptor) != file.identity):
            self._read(relative, file)
            self._close(path)
            file = None
        if file is None and descriptor is not None:
            file = self._keep_open(path, descriptor, scope)
        elif descriptor is not None:
            os.close(descriptor)
        if file is not None:
            self._open.move_to_end(path)
            self._read(relative, file)

    def _scope(self, relative: Path) -> str | None:
        """Return a file's scope; None for one that is not read: hidden, temporary or too deep."""
        if not 1 <= len(relative.parts) <= 2 or any(part[0] == "." or part.endswith(".tmp") for part in relative.parts):
            return None
        if len(relative.parts) == 1:
            return self._settings.scope
        folder = relative.parts[0]
        return folder if re.fullmatch(SCOPE_PATTERN, folder) and clean(folder) == folder else None

    def _keep_open(self, path: Path, descriptor: int, scope: str) -> OpenFile:
        if len(self._open) >= self._max_open:
            self._close(next(iter(self._open)))
        file = OpenFile(descriptor, identity(descriptor), scope)
        self._open[path] = file
        return file

    def _close(self, path: Path) -> None:
        os.close(self._open.pop(path).descriptor)

    def _read(self, relative: Path, file: OpenFile) -> None:
        stored = self._cursor(file.identity)  # read each time: a file may be open under two names
        start = Position(**stored) if stored else Position()
        if not start.is_valid_in(file.descriptor):
            start = Position()
        from_start = start == Position()
        for lines, position in read_from(file.descriptor, start):
            events = self._parse(relative, file, lines)
            self._emit(Batch(events, file.identity, asdict(position), from_start=from_start))
            from_start = False

    def _parse(self, relative: Path, file: OpenFile, lines: list[Line]) -> list[Event]:
        """Return the lines' events; record the others as rejects."""
        name = str(relative.with_name(hide_secrets(relative.name)))
        events, bad, key = [], [], clean(name)
        for line in lines:
            raw = (line.raw if line.offset else line.raw.removeprefix(BOM)).rstrip(b"\r")
            if not raw.strip():
                continue
            try:
                event = file.hours.placed(read_line(raw, self._zone))
            except GrammarError as error:
                bad.append(Reject.of("offset", line.offset, str(error), raw))
            else:
                events.append(replace(event, scope=file.scope, source=SOURCE, source_key=key))
        if bad:
            rejects.write(self._home.rejects, name, bad)
            log.warning("lines_rejected", file=key, lines=len(bad))
        return events

    def close(self) -> None:
        """Close all files."""
        for path in list(self._open):
            self._close(path)


def _folders(folder: Path) -> list[Path]:
    return [Path(entry) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]


def _files(folder: Path) -> list[tuple[Stamp, Path]]:
    """Return the regular files in a folder, each with its stamp."""
    files = list[tuple[Stamp, Path]]()
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):  # it is gone already
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    files.append(((status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size), Path(entry)))
    return files
