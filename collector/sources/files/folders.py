"""Files written in the folders that the person has chosen, and below them."""

import errno
import os
import stat
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from datetime import datetime
from threading import Event as Flag

from watchdog.events import FileDeletedEvent, FileSystemEventHandler
from watchdog.observers.api import BaseObserver, ObservedWatch

from collector.sources.files.debounce import MINUTE_S, Debouncer, is_ignored
from collector.sources.files.file_event import file_event, find_watched, is_below
from collector.sources.files.inotify import (
    WATCHES,
    WRITTEN,
    FileNotice,
    FileNotices,
    identity,
    mounts_below,
    observe,
    watch,
)
from memo.core.events import Event, Operation
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Emit, FindCursor, Note, Stop

WATCHED = [*WRITTEN, FileDeletedEvent]
RENEW_S = 60.0  # between two checks for folders that have come, gone or been replaced, and for a raised limit

log = get_logger(__name__)


class FoldersSource:
    """Implements `memo.protocols.Source` on `sources.folders`."""

    name = "folders"

    def __init__(self, settings: Settings, home: Home, renew_s: float = RENEW_S, minute_s: float = MINUTE_S) -> None:
        self._settings, self._is_ours = settings, is_below(str(home.root))
        self._renew_s, self._minute_s = renew_s, minute_s
        chosen = sorted(find_watched(settings))
        self._written = {os.path.realpath(folder): folder for folder in chosen}  # real path -> as chosen
        self._folders = [
            folder for folder in self._written if not any(folder.startswith(f"{other}/") for other in self._written)
        ]
        self.watching = Flag()

    def missing(self) -> str:
        """Return that no chosen folder exists, and the remedy; empty if one does."""
        if not self._folders:
            return "No folder is chosen; name those whose files you work on in sources.folders of memo.toml."
        if not any(map(identity, self._folders)):
            return "No folder in sources.folders of memo.toml exists and can be read; correct their names."
        return ""

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Watch until `stop` is set. There is no cursor: files changed while nothing watches give no event."""
        debouncers = {folder: Debouncer(self._settings.sources.noise_per_minute) for folder in self._folders}
        with closing(FileNotices(self._is_wanted)) as notices, observe() as observer:
            watches = _Watches(observer, notices, self._folders)
            watches.renew(emit)
            self.watching.set()
            renew_at = time.monotonic() + self._renew_s
            while not stop.is_set():
                dues = [due for debouncer in debouncers.values() if (due := debouncer.due) is not None]
                for notice in notices.wait(stop, min([renew_at, *dues]) - time.monotonic()):
                    self._handle(notice, debouncers)
                if events := self._pop_events(debouncers):
                    emit(Batch(events, self.name, {}))
                if time.monotonic() >= renew_at:
                    watches.renew(emit)
                    _log_dropped(debouncers.values())
                    renew_at = time.monotonic() + self._renew_s

    def _folder_of(self, path: str) -> str | None:
        return next((folder for folder in self._folders if path.startswith(f"{folder}/")), None)

    def _is_candidate(self, path: str) -> bool:
        """Return whether a path may be a person's file."""
        folder = self._folder_of(path)
        return folder is not None and not self._is_ours(path) and not is_ignored(path[len(folder) + 1 :])

    def _is_wanted(self, notice: FileNotice) -> bool:
        """Return whether a notice is of a person's file; files inside a moved folder were not touched."""
        paths = (notice.source, notice.destination)
        return not notice.change.is_synthetic and any(map(self._is_candidate, paths))

    def _handle(self, notice: FileNotice, debouncers: dict[str, Debouncer]) -> None:
        is_deletion = isinstance(notice.change, FileDeletedEvent)
        if (folder := self._folder_of(notice.source)) and (is_deletion or notice.destination):
            debouncers[folder].drop(notice.source)
        path = notice.destination or notice.source
        if not is_deletion and self._is_candidate(path) and (folder := self._folder_of(path)):
            debouncers[folder].add(path, notice.at)

    def _pop_events(self, debouncers: dict[str, Debouncer]) -> list[Event]:
        now, zone, start = time.monotonic(), self._settings.zone, time.time() - time.monotonic()
        settled = [
            (folder, path, start + at)
            for folder, debouncer in debouncers.items()
            for path, at in debouncer.pop_settled(now)
        ]
        return [
            file_event(
                Operation.FILE_SAVE, self._written[folder] + path[len(folder) :], datetime.fromtimestamp(at, zone)
            )
            for folder, path, at in settled
            if _was_written(path, at, self._minute_s)
        ]


class _Watches:
    """The watched folders; a folder that is replaced is watched again."""

    def __init__(self, observer: BaseObserver, handler: FileSystemEventHandler, folders: Iterable[str]) -> None:
        self._observer, self._handler = observer, handler
        self._identities: dict[str, object] = dict.fromkeys(folders)
        self._watches: dict[str, ObservedWatch] = {}
        self._is_full = False

    def renew(self, emit: Emit) -> None:
        """Watch new folders, stop watching those gone; note once that the system's limit is or is no longer reached."""
        was_full = self._is_full
        if self._is_full and not self._has_no_watches_left():  # the limit was raised: watch what had no room
            self._identities, self._is_full = dict.fromkeys(self._identities), False
        alive = {emitter.watch for emitter in self._observer.emitters if emitter.is_alive()}
        for folder, before in self._identities.items():
            now = _identity(folder)  # an inode number may be reused, so a dead watch counts as a change, too
            if now != before or (now and self._watches.get(folder) not in alive):
                self._identities[folder] = now
                self._replace_watch(folder, exists=now is not None)
        self._is_full = self._is_full or self._has_no_watches_left()
        if self._is_full != was_full:
            emit(Note(WATCHES if self._is_full else ""))

    def _replace_watch(self, folder: str, exists: bool) -> None:
        if old := self._watches.pop(folder, None):
            self._observer.unschedule(old)
        if exists:
            with suppress(OSError):  # the folder is gone again, or the limit is reached
                self._watches[folder] = watch(self._observer, self._handler, folder, WATCHED, recursive=True)

    def _has_no_watches_left(self) -> bool:
        """Try one more watch: watchdog skips folders silently when there are no watches left."""
        try:
            self._observer.unschedule(self._observer.schedule(self._handler, "/proc", event_filter=WATCHED))
        except OSError as error:
            return error.errno == errno.ENOSPC
        return False


def _identity(folder: str) -> object:
    """Return what changes when a folder is replaced or something is mounted in it; None if it can't be read."""
    found = identity(folder)
    return found and (found, mounts_below(folder))


def _was_written(path: str, at: float, within_s: float) -> bool:
    """Return whether a file has changed or come lately; a program may open one for writing and only read it."""
    with suppress(OSError, ValueError):
        found = os.lstat(path)
        return stat.S_ISREG(found.st_mode) and found.st_ctime >= at - within_s
    return False


def _log_dropped(debouncers: Iterable[Debouncer]) -> None:
    for debouncer in debouncers:
        if debouncer.dropped:
            log.info("changes_dropped", changes=debouncer.dropped, reason="too many for a person")
            debouncer.dropped = 0
