"""Web visits: browsers' histories, read soon after a browser has written to one."""

import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

from watchdog.events import (
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
)

from collector.sources.files.inotify import FileNotice, FileNotices, observing, watch
from collector.sources.web.web_history import JOURNAL, WAL
from collector.sources.web.web_profiles import Profile, profiles
from collector.sources.web.web_reader import SOURCE, VisitReader
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Emit, Stop

WATCHED: list[type[FileSystemEvent]] = [FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileDeletedEvent]
"""Never `opened`: our own reading would wake us."""
QUIET_S = 1.0
"""A browser writes a visit, then its title, and more; so long after the first of it we read."""
PAUSE_S = 30.0
"""Between two copies of one history, which may be large."""
SCAN_S = 600.0
"""Profiles that come and go are noticed so often."""

log = get_logger(__name__)


class WatchedProfile:
    """A profile whose folder is watched."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.live = False
        """Whether what was before is told."""
        self.touched: float | None = time.monotonic() - QUIET_S  # it is read at once
        """When its history first changed since it was copied."""
        self.copied = -PAUSE_S
        history = str(profile.database)
        self._written, self._journal = {history, history + WAL}, history + JOURNAL

    @property
    def due(self) -> float | None:
        """When it is to be read; None while nothing has changed."""
        return None if self.touched is None else max(self.touched + QUIET_S, self.copied + PAUSE_S)

    def is_new(self, notice: FileNotice) -> bool:
        """Whether this is its first change: what a journal belongs to is written once that goes."""
        paths = {notice.source, notice.destination}
        ended = isinstance(notice.change, FileDeletedEvent) and self._journal in paths
        return self.touched is None and (ended or not self._written.isdisjoint(paths))


class WebSource:
    """Implements `memo.protocols.Source` on the histories of this user's browsers."""

    name = SOURCE

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._home = settings, home
        self._skipped = Counter[str]()
        self.watching = threading.Event()

    def missing(self) -> str:
        """A browser's history is all it needs."""
        return "" if profiles() else "No browser has a history here; visit a page with Chromium, Firefox or their kin."

    def run(self, emit: Emit, cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Watch until `stop` is set."""
        shutil.rmtree(self._home.in_memory / SOURCE, ignore_errors=True)  # what a crash has left
        reader = VisitReader(self._settings, self._home, emit, cursor)
        while not stop.is_set():
            self._follow(reader, profiles(), stop)

    def _follow(self, reader: VisitReader, found: list[Profile], stop: Stop) -> None:
        """Follow these profiles until there are others."""
        watched = list(map(WatchedProfile, found))
        with (
            closing(FileNotices(lambda notice: any(one.is_new(notice) for one in watched))) as notices,
            observing() as observer,
        ):
            for one in watched:
                watch(observer, notices, one.profile.folder, WATCHED)
            self.watching.set()
            self._read_on(reader, watched, notices, stop)

    def _read_on(self, reader: VisitReader, watched: list[WatchedProfile], notices: FileNotices, stop: Stop) -> None:
        scan = time.monotonic() + SCAN_S
        while not stop.is_set():
            for one in watched:
                if one.due is not None and one.due <= time.monotonic() and not stop.is_set():
                    self._read(reader, one)
            dues = [due for one in watched if (due := one.due) is not None]
            for notice in notices.wait(stop, min([scan, *dues]) - time.monotonic()):
                for one in watched:
                    one.touched = notice.at if one.is_new(notice) else one.touched
            if time.monotonic() >= scan:
                if set(profiles()) != {one.profile for one in watched}:
                    return
                scan = time.monotonic() + SCAN_S

    def _read(self, reader: VisitReader, one: WatchedProfile) -> None:
        one.touched, one.copied = None, time.monotonic()
        try:
            reader.new(one.profile, one.live)
            one.live = True
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, BlockingIOError):  # it was being written all the time
                one.touched = time.monotonic()
            self._skipped[one.profile.key] += 1
            times = self._skipped[one.profile.key]
            log.warning("a history was passed over", profile=one.profile.key, reason=str(error), times=times)
