"""FileNotices of changed files: watchdog's threads bring them, a source waits for them, and its stop ends the wait."""

import errno
import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from memo.protocols import Stop

INSTANCES = (
    "the system's limit of inotify instances is reached, so files are not watched; "
    "raise it: sudo sysctl fs.inotify.max_user_instances=1024"
)
WATCHES = (
    "the system's limit of inotify watches is reached, so some folders are not watched; "
    "raise it: sudo sysctl fs.inotify.max_user_watches=524288"
)


@dataclass(frozen=True, slots=True)
class FileNotice:
    """One change, and when it came, on the clock of time.monotonic()."""

    at: float
    change: FileSystemEvent

    @property
    def source(self) -> str:
        """The path that it is about."""
        return os.fsdecode(self.change.src_path)

    @property
    def destination(self) -> str:
        """Where that was moved to; empty for another kind of change."""
        return os.fsdecode(self.change.dest_path)


class FileNotices(FileSystemEventHandler):
    """Those that are wanted. Close it when no observer brings any more."""

    def __init__(self, wanted: Callable[[FileNotice], bool]) -> None:
        self._wanted = wanted
        self._found: SimpleQueue[FileNotice] = SimpleQueue()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Take in a change, in a thread of watchdog's."""
        notice = FileNotice(time.monotonic(), event)
        if self._wanted(notice):
            self._found.put(notice)
            os.eventfd_write(self._bell, 1)

    def wait(self, stop: Stop, timeout_s: float) -> list[FileNotice]:
        """What has come, in order; empty after the time, or at the stop."""
        select.select([stop.fileno(), self._bell], [], [], max(0.0, timeout_s))
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        found = []
        with suppress(Empty):
            while True:
                found.append(self._found.get_nowait())
        return found

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._bell)


def watch(
    observer: BaseObserver,
    handler: FileSystemEventHandler,
    folder: str | Path,
    changes: list[type[FileSystemEvent]],
    recursive: bool = False,
) -> ObservedWatch:
    """Have these changes in a folder brought. Raises OSError; at the system's limit, with the remedy."""
    try:
        return observer.schedule(handler, str(folder), recursive=recursive, event_filter=changes)
    except OSError as error:
        raise OSError(error.errno, WATCHES if error.errno == errno.ENOSPC else error.strerror) from error


@contextmanager
def observing() -> Iterator[BaseObserver]:
    """An observer that runs: what can't be watched is then said by `watch`. Raises OSError at the system's limit."""
    try:
        observer = Observer()
    except OSError as error:
        raise OSError(error.errno, INSTANCES if error.errno == errno.EMFILE else error.strerror) from error
    observer.start()
    try:
        yield observer
    finally:
        observer.stop()
        observer.join()
