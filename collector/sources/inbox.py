"""The inbox: a watched folder, whose files of event lines or JSON objects are read as they come and grow."""

import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
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
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from collector.sources.reader import SOURCE, Reader
from memo.paths import Home
from memo.protocols import Batch, Stop
from memo.settings import Settings

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


class _Notices(FileSystemEventHandler):
    """Passes on the paths of what changed; None ends it."""

    def __init__(self) -> None:
        self.paths: queue.SimpleQueue[Path | None] = queue.SimpleQueue()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Take both paths of a move: the file that stood at the first one is read to its end."""
        for path in (event.src_path, event.dest_path):
            if path:
                self.paths.put(Path(os.fsdecode(path)))

    def take(self, timeout_s: float) -> list[Path] | None:
        """Wait for paths; each once, in order. Empty after the time, None at the end."""
        found: dict[Path | None, None] = {}
        try:
            found[self.paths.get(timeout=max(0.0, timeout_s))] = None
            while True:
                found[self.paths.get_nowait()] = None
        except queue.Empty:
            return None if None in found else [path for path in found if path]


class InboxSource:
    """Implements `memo.protocols.Source` on `home.inbox`."""

    name = SOURCE

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._home = settings, home
        self._notices = _Notices()
        self._waiter: threading.Thread | None = None
        self.watching = threading.Event()

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
        self._wake_at(stop)
        reader = Reader(self._settings, self._home, emit, cursor)
        observer = Observer()
        observer.schedule(self._notices, str(self._home.inbox), recursive=True, event_filter=WATCHED)
        observer.start()
        self.watching.set()
        try:
            self._follow(reader)
        finally:
            reader.close()
            observer.stop()
            observer.join()

    def _wake_at(self, stop: Stop) -> None:
        """Let `stop` end the wait for notices; run may be called again after a failure."""

        def end() -> None:
            stop.wait()
            self._notices.paths.put(None)

        if self._waiter is None:
            self._waiter = threading.Thread(target=end, daemon=True)
            self._waiter.start()

    def _follow(self, reader: Reader) -> None:
        due = time.monotonic()
        while True:
            if time.monotonic() >= due:
                reader.scan()
                due = time.monotonic() + SCAN_S
            paths = self._notices.take(due - time.monotonic())
            if paths is None:
                return
            if self._home.inbox in paths:
                raise FileNotFoundError(f"{self._home.inbox} was removed; it is made and watched anew")
            for path in paths:
                reader.visit(path)
