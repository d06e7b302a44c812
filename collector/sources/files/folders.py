"""Files that are written in the folders which the person has chosen, with all folders below them."""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from datetime import datetime
from threading import Event as Flag
from typing import Any

from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver, ObservedWatch

from collector.sources.files.debounce import Debouncer, ignored
from collector.sources.files.file_event import accessed, ours
from collector.sources.files.inotify import WATCHES, FileNotice, FileNotices, observing, watch
from memo.core.events import Event
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Emit, Note, Stop

WATCHED: list[type[FileSystemEvent]] = [FileCreatedEvent, FileClosedEvent, FileMovedEvent, FileDeletedEvent]
"""Never `opened`, and never without a filter: above some 4,000 folders watchdog 7.1 would then spin for ever."""
RENEW_S = 60.0
"""So often a folder that has come, gone or been replaced is noticed, and a limit that was raised."""

log = get_logger(__name__)


class FoldersSource:
    """Implements `memo.protocols.Source` on `sources.folders`."""

    name = "folders"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._is_ours = settings, ours(home)
        chosen = {os.path.abspath(os.path.expanduser(folder)) for folder in settings.sources.folders}
        self._shown = {os.path.realpath(folder): folder for folder in sorted(chosen)}
        self._folders = [one for one in self._shown if not any(one.startswith(f"{up}/") for up in self._shown)]
        self.watching = Flag()

    def missing(self) -> str:
        """A folder that is chosen and there."""
        if not self._folders:
            return "No folder is chosen; name those whose files you work on in sources.folders of memo.toml."
        if not any(map(_identity, self._folders)):
            return "None of the folders in sources.folders of memo.toml is there and can be read; mend their names."
        return ""

    def run(self, emit: Emit, cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Watch until `stop` is set. There is no cursor: what is changed meanwhile is not told."""
        changes = {folder: Debouncer(self._settings.sources.noise_per_minute) for folder in self._folders}
        with closing(FileNotices(self._is_wanted)) as notices, observing() as observer:
            watches = _Watches(observer, notices, self._folders)
            watches.renew(emit)
            self.watching.set()
            renew = time.monotonic() + RENEW_S
            while not stop.is_set():
                dues = [due for one in changes.values() if (due := one.due) is not None]
                for notice in notices.wait(stop, min([renew, *dues]) - time.monotonic()):
                    self._take(notice, changes)
                if events := self._events(changes):
                    emit(Batch(events, self.name, {}))
                if time.monotonic() >= renew:
                    watches.renew(emit)
                    _count(changes.values())
                    renew = time.monotonic() + RENEW_S

    def _folder_of(self, path: str) -> str | None:
        return next((folder for folder in self._folders if path.startswith(f"{folder}/")), None)

    def _is_file(self, path: str) -> bool:
        """Whether it may be a person's."""
        folder = self._folder_of(path)
        return folder is not None and not self._is_ours(path) and not ignored(path[len(folder) + 1 :])

    def _is_wanted(self, notice: FileNotice) -> bool:
        """Not what a folder holds that was moved: nobody looked at those files."""
        return not notice.change.is_synthetic and (self._is_file(notice.source) or self._is_file(notice.destination))

    def _take(self, notice: FileNotice, changes: dict[str, Debouncer]) -> None:
        gone = isinstance(notice.change, FileDeletedEvent)
        if (folder := self._folder_of(notice.source)) and (gone or notice.destination):
            changes[folder].drop(notice.source)
        path = notice.destination or notice.source
        if not gone and self._is_file(path) and (folder := self._folder_of(path)):
            changes[folder].put(path, notice.at)

    def _events(self, changes: dict[str, Debouncer]) -> list[Event]:
        now, zone, start = time.monotonic(), self._settings.zone, time.time() - time.monotonic()
        return [
            accessed(self._shown[folder] + path[len(folder) :], datetime.fromtimestamp(start + at, zone))
            for folder, one in changes.items()
            for path, at in one.settled(now)
            if _is_regular(path)
        ]


class _Watches:
    """The folders that are watched, each as long as it is the same one."""

    def __init__(self, observer: BaseObserver, handler: FileSystemEventHandler, folders: Iterable[str]) -> None:
        self._observer, self._handler = observer, handler
        self._found: dict[str, tuple[int, int] | None] = dict.fromkeys(folders)
        self._watches: dict[str, ObservedWatch] = {}
        self._full = False

    def renew(self, emit: Emit) -> None:
        """Watch what has come, let go of what is gone; say once that the system's limit is reached, or no more."""
        was_full = self._full
        if self._full and not self._is_full():  # it was raised: what had no room has it now
            self._found, self._full = dict.fromkeys(self._found), False
        alive = {emitter.watch for emitter in self._observer.emitters if emitter.is_alive()}
        for folder, before in self._found.items():
            identity = _identity(folder)
            if identity != before or (identity and self._watches.get(folder) not in alive):  # a number is used again
                self._found[folder] = identity
                self._watch(folder, anew=identity is not None)
        self._full = self._full or self._is_full()
        if self._full != was_full:
            emit(Note(WATCHES if self._full else ""))

    def _watch(self, folder: str, anew: bool) -> None:
        if old := self._watches.pop(folder, None):
            self._observer.unschedule(old)
        if anew:
            with suppress(OSError):  # it went this moment, or the limit is reached
                self._watches[folder] = watch(self._observer, self._handler, folder, WATCHED, recursive=True)

    def _is_full(self) -> bool:
        """Watchdog passes over the folders for which there is no watch left; so one more is tried."""
        try:
            self._observer.unschedule(self._observer.schedule(self._handler, "/proc", event_filter=WATCHED))
        except OSError as error:
            return error.errno == errno.ENOSPC
        return False


def _identity(folder: str) -> tuple[int, int] | None:
    """Device and inode of a folder that can be read."""
    with suppress(OSError):
        found = os.stat(folder)
        if stat.S_ISDIR(found.st_mode) and os.access(folder, os.R_OK | os.X_OK):
            return found.st_dev, found.st_ino
    return None


def _is_regular(path: str) -> bool:
    with suppress(OSError, ValueError):
        return stat.S_ISREG(os.lstat(path).st_mode)
    return False


def _count(changes: Iterable[Debouncer]) -> None:
    for one in changes:
        if one.dropped:
            log.info("changes were dropped: too many for a person", changes=one.dropped)
            one.dropped = 0
