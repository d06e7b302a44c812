"""Web visits: browser histories, read soon after a browser has written to one."""

import shutil
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from math import inf

from watchdog.events import FileCreatedEvent, FileDeletedEvent, FileModifiedEvent, FileMovedEvent

from collector.sources.files.inotify import Changes, FileNotice, FileNotices, observe, watch
from collector.sources.web.web_history import JOURNAL, WAL, stamps
from collector.sources.web.web_profiles import Profile, find_profiles
from collector.sources.web.web_reader import SOURCE, VisitReader
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Emit, FindCursor, Note, Stop

UNREAD = "The history of {} can't be read; logs/collector.log has the reason. Restart the browser, or update MEMO."
SEVERAL = 3  # failures in a row; one may be a browser that kept writing
WATCHED: Changes = [FileCreatedEvent, FileModifiedEvent, FileMovedEvent, FileDeletedEvent]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WebTimings:
    """Delays in seconds, but for `rest`."""

    settle: float = 1.0  # from the first change to reading: a browser writes a visit, then its title, and more
    rest: float = 50.0  # between two readings of one history, as a multiple of how long the last one took
    longest_rest: float = 30.0
    scan: float = 60.0  # between two looks for profiles, and for changes whose notices were lost


TIMINGS = WebTimings()


class WatchedProfile:
    """A profile whose folder is watched."""

    def __init__(self, profile: Profile, timings: WebTimings) -> None:
        self.profile = profile
        self._timings = timings
        self.is_live = False  # whether its past has been reported
        self.changed_at = time.monotonic() - timings.settle  # due at once; infinite while it is unchanged
        self._rests_until = 0.0
        self._stamps = stamps(profile.database)
        history = str(profile.database)
        self._written, self._journal = {history, history + WAL}, history + JOURNAL

    @property
    def due(self) -> float:
        """When its history is to be read; never while it is unchanged since it was copied."""
        return max(self.changed_at + self._timings.settle, self._rests_until)

    def rest_after(self, took_s: float) -> None:
        """Postpone the next reading by a multiple of the time that this one took, as a history may be large."""
        rest_s = min(self._timings.rest * took_s, self._timings.longest_rest)
        self._rests_until = time.monotonic() + rest_s

    def look(self) -> None:
        """Detect a change of the history by its files' stamps: the system may have lost the notice of it."""
        before, self._stamps = self._stamps, stamps(self.profile.database)
        if self.changed_at == inf and self._stamps != before:
            self.changed_at = time.monotonic()

    def is_first_change(self, notice: FileNotice) -> bool:
        """Return whether this is the history's first change since it was copied."""
        paths = {notice.source, notice.destination}
        is_commit = isinstance(notice.change, FileDeletedEvent) and self._journal in paths
        return self.changed_at == inf and (is_commit or not self._written.isdisjoint(paths))

    def concerns(self, notice: FileNotice) -> bool:
        """Return whether to do anything about a notice."""
        return self.is_first_change(notice) or self.is_deletion(notice)

    def is_deletion(self, notice: FileNotice) -> bool:
        """Return whether the history itself was deleted: if it comes back, it may be in a new folder."""
        return isinstance(notice.change, FileDeletedEvent) and notice.source == str(self.profile.database)


class WebSource:
    """Implements `memo.protocols.Source` on the histories of this user's browsers."""

    name = SOURCE

    def __init__(self, settings: Settings, home: Home, timings: WebTimings = TIMINGS) -> None:
        self._settings, self._home = settings, home
        self._timings = timings
        self._failures = Counter[Profile]()  # in a row
        self._reported = list[str]()  # browsers whose histories can't be read
        self.watching = threading.Event()

    def missing(self) -> str:
        """Return that no browser history was found, and the remedy; empty if there is one."""
        if find_profiles():
            return ""
        return "No browser history was found; visit a page with Firefox, Chromium or a browser based on them."

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Watch until `stop` is set."""
        shutil.rmtree(self._home.in_memory / SOURCE, ignore_errors=True)  # copies left by a crash
        reader, self._reported = VisitReader(self._settings, self._home, emit, cursor), []
        while not stop.is_set():
            self._follow(reader, emit, find_profiles(), stop)

    def _follow(self, reader: VisitReader, emit: Emit, profiles: list[Profile], stop: Stop) -> None:
        """Follow these profiles until the set of profiles changes, or one of them is deleted."""
        watched = [WatchedProfile(profile, self._timings) for profile in profiles]
        with (
            closing(FileNotices(lambda notice: any(one.concerns(notice) for one in watched))) as notices,
            observe() as observer,
        ):
            for one in watched:
                watch(observer, notices, one.profile.folder, WATCHED)
            self.watching.set()
            self._read_changes(reader, emit, watched, notices, stop)

    def _read_changes(
        self, reader: VisitReader, emit: Emit, watched: list[WatchedProfile], notices: FileNotices, stop: Stop
    ) -> None:
        scan_at = time.monotonic() + self._timings.scan
        while not stop.is_set():
            for one in watched:
                if one.due <= time.monotonic() and not stop.is_set():
                    self._read(reader, one)
                    self._report_failures(emit)
            due = min([scan_at, *(one.due for one in watched)])
            for notice in notices.wait(stop, due - time.monotonic()):
                if any(one.is_deletion(notice) for one in watched):
                    return
                for one in watched:
                    if one.is_first_change(notice):
                        one.changed_at = notice.at
            if time.monotonic() >= scan_at:
                if set(find_profiles()) != {one.profile for one in watched}:
                    return
                for one in watched:
                    one.look()
                scan_at = time.monotonic() + self._timings.scan

    def _read(self, reader: VisitReader, one: WatchedProfile) -> None:
        one.look()  # what is read now needs no other reading
        one.changed_at, began = inf, time.monotonic()
        try:
            reader.read_new(one.profile, one.is_live)
            one.is_live = True
            self._failures.pop(one.profile, None)
        except (OSError, sqlite3.Error) as error:
            if isinstance(error, BlockingIOError):  # the browser kept writing to it: try again
                one.changed_at = time.monotonic()
            self._failures[one.profile] += 1
            times = self._failures[one.profile]
            log.warning("history_skipped", profile=one.profile.key, reason=str(error), times=times)
        one.rest_after(time.monotonic() - began)

    def _report_failures(self, emit: Emit) -> None:
        """Emit a note that names the browsers whose histories can't be read, if they are not those named last."""
        unread = sorted({one.windows[-1] for one, times in self._failures.items() if times >= SEVERAL})
        if unread != self._reported:
            self._reported = unread
            emit(Note(UNREAD.format(", ".join(unread)) if unread else ""))
