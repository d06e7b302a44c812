"""Notices of changed files: watchdog's threads deliver them, and a source waits for them or for its stop."""

import errno
import os
import re
import select
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent, FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from memo.protocols import Stop

# Without FileOpenedEvent, as our own reading would wake us; and never unfiltered: above some 4,000 folders watchdog 7.1
# would then spin for ever.
Changes = list[type[FileSystemEvent]]
WRITTEN: Changes = [FileCreatedEvent, FileClosedEvent, FileMovedEvent]

SCAN_S = 30.0  # between two looks without a notice: the system may lose notices, and some file systems give none

_OCTAL = re.compile(rb"\\([0-7]{3})")  # a space or the like in the table of mounts

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
    """A change and its time on the monotonic clock."""

    at: float
    change: FileSystemEvent

    @property
    def source(self) -> str:
        """The path that has changed."""
        return os.fsdecode(self.change.src_path)

    @property
    def destination(self) -> str:
        """The path that it was moved to; empty for another kind of change."""
        return os.fsdecode(self.change.dest_path)


class FileNotices(FileSystemEventHandler):
    """A queue of the notices that pass a filter. Close it once no observer delivers to it."""

    def __init__(self, is_wanted: Callable[[FileNotice], bool]) -> None:
        self._is_wanted = is_wanted
        self._queue: SimpleQueue[FileNotice] = SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Enqueue a change, in a thread of watchdog's."""
        notice = FileNotice(time.monotonic(), event)
        if self._is_wanted(notice):
            self._queue.put(notice)
            os.eventfd_write(self._wake, 1)

    def wait(self, stop: Stop, timeout_s: float) -> list[FileNotice]:
        """Return the next notices in order; none after the timeout or at the stop."""
        select.select([stop.fileno(), self._wake], [], [], max(0.0, timeout_s))
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._wake)


def watch(
    observer: BaseObserver,
    handler: FileSystemEventHandler,
    folder: str | Path,
    changes: Changes,
    recursive: bool = False,
) -> ObservedWatch:
    """Watch a folder for these changes. Raises OSError, with the remedy at the system's limit."""
    try:
        return observer.schedule(handler, str(folder), recursive=recursive, event_filter=changes)
    except OSError as error:
        raise OSError(error.errno, WATCHES if error.errno == errno.ENOSPC else error.strerror) from error


@contextmanager
def observe() -> Iterator[BaseObserver]:
    """Run an observer, started before any watch so that `watch` raises errors. Raises OSError at the system's limit."""
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


def identity(folder: str | Path) -> tuple[int, int] | None:
    """Return device and inode of a readable folder, or None."""
    with suppress(OSError):
        status = os.stat(folder)
        if stat.S_ISDIR(status.st_mode) and os.access(folder, os.R_OK | os.X_OK):
            return status.st_dev, status.st_ino
    return None


class SameFolder:
    """A folder that has to stay the one that is watched."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._identity = folder, identity(folder)

    def check(self) -> None:
        """Raise FileNotFoundError if the folder is gone, or another one or a drive has taken its place."""
        if identity(self._folder) != self._identity:
            raise FileNotFoundError(f"{self._folder} was removed or replaced; it will be watched again")


def mounts_below(folder: str) -> list[tuple[str, str]]:
    """Return device and path of what is mounted inside a folder. Source: proc_pid_mountinfo(5)."""
    with open("/proc/self/mountinfo", "rb") as table:
        entries = [line.split(b" ") for line in table]
    mounts = [(os.fsdecode(entry[2]), os.fsdecode(_OCTAL.sub(_unescape, entry[4]))) for entry in entries]
    return sorted((device, point) for device, point in mounts if point.startswith(f"{folder}/"))


def _unescape(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8)])
