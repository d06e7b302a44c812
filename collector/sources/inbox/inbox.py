"""The inbox: a watched folder, whose files of event lines or JSON objects are read as they come and grow."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event as Flag
from typing import Any

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
)

from collector.sources.files.inotify import FileNotice, FileNotices, observing, watch
from collector.sources.inbox.inbox_reader import SOURCE, InboxReader
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Stop

WATCHED: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
"""Never `opened`: our own reading would wake us."""
SCAN_S = 3600.0
"""The system may lose notices of changes, so everything is looked at once an hour."""


class InboxSource:
    """Implements `memo.protocols.Source` on `home.inbox`."""

    name = SOURCE

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._home = settings, home
        self.watching = Flag()

    def missing(self) -> str:
        """A folder is all it needs."""
        return ""

    def run(
        self,
        emit: Callable[[Batch], None],
        cursor: Callable[[str], dict[str, Any] | None],
        stop: Stop,
    ) -> None:
        """Watch until `stop` is set."""
        self._home.inbox.mkdir(mode=0o700, exist_ok=True)
        with (
            closing(InboxReader(self._settings, self._home, emit, cursor)) as reader,
            closing(FileNotices(lambda notice: True)) as notices,
            observing() as observer,
        ):
            watch(observer, notices, self._home.inbox, WATCHED, recursive=True)
            self.watching.set()
            self._follow(reader, notices, stop)

    def _follow(self, reader: InboxReader, notices: FileNotices, stop: Stop) -> None:
        due = time.monotonic()
        while not stop.is_set():
            if time.monotonic() >= due:
                reader.scan()
                due = time.monotonic() + SCAN_S
            paths = _paths(notices.wait(stop, due - time.monotonic()))
            if self._home.inbox in paths:
                raise FileNotFoundError(f"{self._home.inbox} was removed; it is made and watched anew")
            for path in paths:
                reader.visit(path)


def _paths(notices: list[FileNotice]) -> list[Path]:
    """Each once, in order; both of a move: the file that stood at the first one is read to its end."""
    return [Path(path) for path in dict.fromkeys(p for one in notices for p in (one.source, one.destination)) if path]
