"""Reads the inbox's files, each part exactly once, however a file appears, grows, moves or goes."""

import codecs
import errno
import os
import re
from collections import Counter, OrderedDict
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from collector.privacy.rules import WITHHELD, make_rules, redact_text
from collector.privacy.titles import INBOX
from collector.sources.inbox.tail import Line, Position, identity, open_below, read_from
from data.importers import rejects
from data.importers.event_files import BOM
from data.importers.line import EventReader, Reject
from memo.config.live import Derived
from memo.core.errors import GrammarError
from memo.core.events import Event
from memo.core.grammar import clean
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import SCOPE_PATTERN, Settings
from memo.protocols import Batch, Emit, FindCursor, Note

MAX_OPEN = 64  # files kept open, so that the rest of a renamed or deleted file is still read
SLICE = 1 << 20  # bytes of a file in one turn; then others have theirs
MAX_BATCHES = 200  # files in one transaction
MAX_EVENTS = 2_000  # events in one transaction, about a hundred milliseconds
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
NO_FILE = dict.fromkeys((errno.ELOOP, errno.ENXIO, errno.EINVAL), "not regular files")
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
    events: EventReader


class InboxReader:
    """Emits what is new in the files below `home.inbox`. Close it at the end."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        emit: Emit,
        cursor: FindCursor,
        max_open: int = MAX_OPEN,
    ) -> None:
        self._rules = Derived(settings, home, lambda now: make_rules(now.privacy, home))
        self._settings, self._home, self._emit, self._cursor = settings, home, emit, cursor
        self._zone, self._max_open = settings.zone, max_open
        self._open: OrderedDict[Path, OpenFile] = OrderedDict()
        self._scanned: dict[Path, Stamp] = {}
        self._unfinished: dict[Path, None] = {}
        self._gathered: dict[str, Batch] = {}  # by cursor key
        self._skipped: dict[Path, str] = {}  # files and folders, and why
        self._reported = Counter[str]()

    @property
    def is_behind(self) -> bool:
        """Whether a file has more to read now."""
        return bool(self._unfinished)

    def scan(self) -> None:
        """Read a slice of each file that has changed since the last scan, oldest first, and of unfinished ones."""
        files = [entry for folder in (self._home.inbox, *_folders(self._home.inbox)) for entry in self._files(folder)]
        scanned = {path: stamp for stamp, path in files}
        for path in [path for path in self._skipped if path not in scanned and not path.is_dir()]:
            self._skip(path, "")  # it is gone
        for stamp, path in sorted(files):
            if self._scanned.get(path) != stamp:
                self.read(path)
        self._scanned = scanned
        self.go_on()

    def go_on(self) -> None:
        """Read a slice of each unfinished file, and pass on everything that was read."""
        for path in list(self._unfinished):
            self.read(path)
        self._flush()
        self._report_skipped()

    def read(self, path: Path) -> None:
        """Read a slice of what is new at a path, once the rest of a file that it has replaced is read."""
        self._unfinished.pop(path, None)
        relative = path.relative_to(self._home.inbox)
        scope = self._scope(relative)
        if scope is None:
            return
        if path.is_dir() and len(relative.parts) == 1:
            for _, inner in sorted(self._files(path)):
                self.read(inner)
            return
        descriptor, file = self._open_file(path, relative), self._open.get(path)
        is_gone = file is not None and (descriptor is None or identity(descriptor) != file.identity)
        if file is None and descriptor is not None:
            file = self._keep_open(path, descriptor, scope)
        elif descriptor is not None:
            os.close(descriptor)
        if file is not None:
            self._open.move_to_end(path)
            if self._read(relative, file):
                self._unfinished[path] = None
            elif is_gone:
                self._close(path)
                self.read(path)  # what has replaced it

    def _open_file(self, path: Path, relative: Path) -> int | None:
        """Return a descriptor of a file that can be read; None, and note why, for another one."""
        descriptor, reason = None, ""
        try:
            descriptor = open_below(self._home.inbox, relative)
        except FileNotFoundError:
            pass
        except OSError as error:
            reason = NO_FILE.get(error.errno or 0) or error.strerror or str(error)
        if descriptor is not None and os.pread(descriptor, 2, 0) in UTF_16:
            os.close(descriptor)
            descriptor, reason = None, "in UTF-16; save them as UTF-8, or use `memo import`"
        self._skip(path, reason)
        return descriptor

    def _skip(self, path: Path, reason: str) -> None:
        """Note why a file is passed over, or that it no longer is; its name is logged once for each reason."""
        if reason and self._skipped.get(path) != reason:
            log.warning("file_skipped", file=self._name(path.relative_to(self._home.inbox), "file"), reason=reason)
        if reason:
            self._skipped[path] = reason
        else:
            self._skipped.pop(path, None)

    def _report_skipped(self) -> None:
        reasons = Counter(self._skipped.values())
        if reasons != self._reported:
            counts = "; ".join(f"{count} files are not read ({reason})" for reason, count in sorted(reasons.items()))
            self._emit(Note(counts and f"{counts}; {self._home.logs / 'collector.log'} names them"))
            self._reported = reasons

    def _scope(self, relative: Path) -> str | None:
        """Return a file's scope; None for one that is not read: hidden, temporary or too deep."""
        if not 1 <= len(relative.parts) <= 2 or any(part[0] == "." or part.endswith(".tmp") for part in relative.parts):
            return None
        if len(relative.parts) == 1:
            return self._settings.scope
        folder = relative.parts[0]
        return folder if re.fullmatch(SCOPE_PATTERN, folder) and clean(folder) == folder else None

    def _name(self, relative: Path, instead: str) -> str:
        """Return the name of a file as it may be stored and logged; one that a privacy rule withholds is replaced."""
        shown = redact_text(str(relative), self._rules.now())
        return f"{WITHHELD} {instead}" if shown == WITHHELD else shown

    def _keep_open(self, path: Path, descriptor: int, scope: str) -> OpenFile:
        if len(self._open) >= self._max_open:
            self._close(next(iter(self._open)))
        file = OpenFile(descriptor, identity(descriptor), scope, EventReader(self._zone))
        self._open[path] = file
        return file

    def _close(self, path: Path) -> None:
        os.close(self._open.pop(path).descriptor)

    def _read(self, relative: Path, file: OpenFile) -> bool:
        """Read the next slice of a file; return whether there may be more."""
        if file.identity in self._gathered:
            self._flush()
        stored = self._cursor(file.identity)  # read each time: a file may be open under two names
        start = Position(**stored) if stored else Position()
        if not start.is_valid_in(file.descriptor):
            start = Position()
        from_start, passed = start == Position(), None
        for lines, position in read_from(file.descriptor, start):
            is_full = position.offset - start.offset >= SLICE
            passed = Batch(self._parse(relative, file, lines), file.identity, asdict(position), from_start)
            if lines or is_full:
                self._gather(passed)
                from_start, passed = False, None
            if is_full:
                return True
        if passed:  # within a line that is too long
            self._gather(passed)
        return False

    def _gather(self, batch: Batch) -> None:
        """Keep a batch for the next transaction, which takes many small files at once."""
        if batch.cursor_key in self._gathered:
            self._flush()
        self._gathered[batch.cursor_key] = batch
        if len(self._gathered) >= MAX_BATCHES or sum(len(one.events) for one in self._gathered.values()) >= MAX_EVENTS:
            self._flush()

    def _flush(self) -> None:
        """Store what was gathered."""
        batches = list(self._gathered.values())
        self._gathered.clear()
        if batches:
            self._emit(batches)

    def _parse(self, relative: Path, file: OpenFile, lines: list[Line]) -> list[Event]:
        """Return the lines' events; record the others as rejects."""
        name = self._name(relative, file.identity)
        events, bad, key = [], [], clean(name)
        fields = {"scope": file.scope, "source": SOURCE, "source_key": key}
        for line in lines:
            raw = (line.raw if line.offset else line.raw.removeprefix(BOM)).rstrip(b"\r")
            if not raw.strip():
                continue
            try:
                events.append(file.events.read_line(raw, **fields))
            except GrammarError as error:
                bad.append(Reject.of("offset", line.offset, str(error), raw))
        if bad:
            rejects.write(self._home.rejects, name, bad)
            log.warning("lines_rejected", file=key, lines=len(bad))
        return events

    def _files(self, folder: Path) -> list[tuple[Stamp, Path]]:
        """Return the entries of a folder that are not folders, each with its stamp."""
        files = list[tuple[Stamp, Path]]()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    with suppress(OSError):  # it is gone already
                        status = entry.stat(follow_symlinks=False)
                        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
                        if not entry.is_dir(follow_symlinks=False):
                            files.append((stamp, Path(entry)))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._skip(folder, error.strerror or str(error))
            return []
        self._skip(folder, "")
        return files

    def close(self) -> None:
        """Close all files."""
        for path in list(self._open):
            self._close(path)


def _folders(folder: Path) -> list[Path]:
    return [Path(entry) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
