"""The inbox: a watched folder whose files of event lines or JSON objects are read as they appear and grow."""

import time
from contextlib import closing
from pathlib import Path
from threading import Event as Flag

from watchdog.events import DirCreatedEvent, DirDeletedEvent, DirMovedEvent, FileDeletedEvent, FileModifiedEvent

from collector.sources.files.inotify import SCAN_S, WRITTEN, FileNotice, FileNotices, SameFolder, observe, watch
from collector.sources.inbox.inbox_reader import SOURCE, InboxReader
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Emit, FindCursor, Stop

WATCHED = [*WRITTEN, FileModifiedEvent, FileDeletedEvent, DirCreatedEvent, DirMovedEvent, DirDeletedEvent]


class InboxSource:
    """Implements `memo.protocols.Source` on `home.inbox`."""

    name = SOURCE

    def __init__(self, settings: Settings, home: Home, scan_s: float = SCAN_S) -> None:
        self._settings, self._home, self._scan_s = settings, home, scan_s
        self.watching = Flag()

    def missing(self) -> str:
        """Return an empty string: the folder is created if necessary."""
        return ""

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Watch until `stop` is set. Raises FileNotFoundError if the folder is removed."""
        self._home.inbox.mkdir(mode=0o700, exist_ok=True)
        with (
            closing(InboxReader(self._settings, self._home, emit, cursor)) as reader,
            closing(FileNotices(lambda notice: True)) as notices,
            observe() as observer,
        ):
            folder = SameFolder(self._home.inbox)
            watch(observer, notices, self._home.inbox, WATCHED, recursive=True)
            self.watching.set()
            self._follow(reader, notices, folder, stop)

    def _follow(self, reader: InboxReader, notices: FileNotices, folder: SameFolder, stop: Stop) -> None:
        scan_at = time.monotonic()
        while not stop.is_set():
            if time.monotonic() >= scan_at:
                folder.check()
                reader.scan()
                scan_at = time.monotonic() + self._scan_s
            paths = _paths(notices.wait(stop, 0.0 if reader.is_behind else scan_at - time.monotonic()))
            if self._home.inbox in paths:
                raise FileNotFoundError(f"{self._home.inbox} was removed; it will be created and watched again")
            for path in paths:
                reader.read(path)
            reader.go_on()


def _paths(notices: list[FileNotice]) -> list[Path]:
    """Return each path once, in order; both paths of a move, so that a replaced file is read to its end."""
    paths = (path for notice in notices for path in (notice.source, notice.destination))
    return [Path(path) for path in dict.fromkeys(paths) if path]
