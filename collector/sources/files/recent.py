"""Files that a person opened or saved, from the list of recently used files that desktop programs keep."""

import os
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from typing import Any

from collector.focus.hold_back import HoldBack, told_s
from collector.launch import proc
from collector.sources.files import xbel
from collector.sources.files.file_event import file_event, find_watched, is_below
from collector.sources.files.folders import FoldersSource
from collector.sources.files.inotify import SCAN_S, WRITTEN, FileNotice, FileNotices, SameFolder, observe, watch
from collector.sources.files.xbel import NEVER, Bookmark
from collector.sources.inbox.tail import open_below
from memo.core.bounded import BoundedDict
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.protocols import Batch, Emit, FindCursor, Note, Past, Stop

LIST = "recently-used.xbel"
UNREAD = f"{LIST} can't be read ({{}}); delete it, and desktop programs begin a new one."
MOST_USED = 1_000  # files, each with its app
MAX_BYTES = 20_000_000  # a list of 1,000 files has half a megabyte
ROUNDED_S = 1.0  # some programs write whole seconds
SAVED_S = 10.0  # from the time in the list until the file is written: a file dialog lists it before
AGAIN_S = 10.0  # a program may list one use twice, and after a save under another name the old name again


class RecentSource:
    """Implements `memo.protocols.Source` on `recently-used.xbel`. The cursor is the time of the last use.

    It also has the days of the past that were read.
    """

    name = "recent"

    def __init__(
        self,
        settings: Settings,
        home: Home,
        scan_s: float = SCAN_S,
        saved_s: float = SAVED_S,
        again_s: float = AGAIN_S,
    ) -> None:
        self._scan_s, self._saved_s, self.again_s = scan_s, saved_s, again_s
        self._settings, self._is_ours = settings, is_below(str(home.root))
        self._is_watched = is_below(*(find_watched(settings) if FoldersSource.name in settings.sources.on else ()))
        self._days = settings.sources.recent_days
        self._folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
        self._apps = Apps()
        self._used: BoundedDict[tuple[str, str], float] = BoundedDict(MOST_USED)  # when, on the clock of `proc`
        self._saved: BoundedDict[str, datetime] = BoundedDict(MOST_USED)  # when an app saved a file
        self._unread = self._reported = ""  # why the list can't be read, now and as reported
        self.watching = Flag()

    def missing(self) -> str:
        """Return that the folder of the list does not exist, and the remedy; empty if it does."""
        if self._folder.is_dir():
            return ""
        return f"{self._folder}, where programs list recently used files, does not exist; open a file in one of them."

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Watch until `stop` is set. On the first run, files of the last `sources.recent_days` are past."""
        self._reported = ""
        with closing(FileNotices(_is_list)) as notices, observe() as observer:
            folder = SameFolder(self._folder)
            watch(observer, notices, self._folder, WRITTEN)
            seen = self._read()
            newest = self._catch_up(seen, emit, cursor)
            self._report(emit)
            self.watching.set()
            held = HoldBack(told_s(self._settings))
            while not stop.is_set():
                due_s = held.due_in()
                if not notices.wait(stop, self._scan_s if due_s is None else min(self._scan_s, due_s)):
                    folder.check()
                listed = self._read()
                self._report(emit)
                newest = _newest(newest, ())
                since = newest.replace(microsecond=0)  # as rounded times are
                if new := [bookmark for bookmark in listed if bookmark.at >= since and bookmark not in seen]:
                    newest = _newest(newest, new)
                    events = [event for event in self._to_events(new) if not self._is_told_elsewhere(event)]
                    held.add(events, max(map(self._began, {event.app for event in events}), default=0.0))
                taken, waits = held.take(), held.due_in() is not None
                if taken or (new and not waits):
                    emit(Batch(taken, self.name, self._cursor(taken[-1].at if waits else newest)))
                seen = listed or seen
            if events := held.take(all_of_them=True):
                emit(Batch(events, self.name, self._cursor(newest)))

    def _catch_up(self, seen: Iterable[Bookmark], emit: Emit, cursor: FindCursor) -> datetime:
        """Emit the uses since the cursor, or of as many days as are wanted now; return the time of the last use."""
        stored, now = cursor(self.name), datetime.now(UTC)
        begin = now - timedelta(days=self._days)
        newest = _newest(datetime.fromisoformat(stored["newest"]), ()) if stored else begin
        is_more_wanted = stored is None or self._days > stored.get("days", 0)
        since = min(begin, newest) if is_more_wanted else newest
        new = [bookmark for bookmark in seen if since < bookmark.at <= now]
        newest = _newest(newest, new)
        if new or is_more_wanted:
            emit(Past(self._to_events(new), self.name, self._cursor(newest)))
        return newest

    def _cursor(self, newest: datetime) -> dict[str, Any]:
        return {"newest": newest.isoformat(), "days": self._days}

    def _to_events(self, bookmarks: Iterable[Bookmark]) -> list[Event]:
        now, zone = datetime.now(UTC), self._settings.zone
        given = [one for one in sorted(bookmarks, key=lambda one: one.at) if not self._is_ours(one.path)]
        return [
            file_event(operation, one.path, min(one.at, now).astimezone(zone), app)
            for one in given
            if (operation := self._operation(one, app := self._app(one), now))
        ]

    def _is_told_elsewhere(self, event: Event) -> bool:
        """Return whether an event is a save in a folder that the source `folders` watches now."""
        return event.operation is Operation.FILE_SAVE and self._is_watched(event.detail)

    def _app(self, bookmark: Bookmark) -> str:
        app = self._apps.of_file(bookmark.program, bookmark.media_type)
        return app or self._apps.of_window([bookmark.app], bookmark.program)

    def _operation(self, one: Bookmark, app: str, now: datetime) -> Operation | None:
        """Return what was done with a file; None if its app only saved it, or lists it again."""
        open_s = self._open_s(one.path, app, (now - one.at).total_seconds())
        saved_s = (one.at - self._saved.get(app, NEVER)).total_seconds()
        if is_saved := _is_saved(one, now, self._saved_s):
            self._saved[app] = one.at
        if open_s is not None and (is_saved or min(open_s, saved_s) < self.again_s):
            return None
        return Operation.FILE_SAVE if is_saved else Operation.FILE_ACCESS

    def _open_s(self, path: str, app: str, age_s: float) -> float | None:
        """Return how long ago an app that still runs used a file before, and remember this use; None if it did not."""
        used_at = proc.now() - max(0.0, age_s - ROUNDED_S)
        before, self._used[path, app] = self._used.get((path, app)), used_at
        return used_at - before if before is not None and 0.0 < self._began(app) <= before else None

    def _began(self, app: str) -> float:
        """Return when the oldest process of an app began, in seconds since boot; 0 if it does not run."""
        running = (process for process in map(proc.read, proc.pids()) if process)
        of_app = (one for one in running if self._apps.of_process(one.executable, one.arguments) == app)
        return min((process.began for process in of_app), default=0.0)

    def _read(self) -> dict[Bookmark, None]:
        """Return the listed uses, in the order of the list, in which those of one moment stay."""
        self._unread = ""
        try:
            with open(open_below(self._folder, Path(LIST)), "rb") as file:
                text = file.read(MAX_BYTES + 1)
            if len(text) > MAX_BYTES:
                raise ValueError("it is too large")
            return dict.fromkeys(xbel.parse(text))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self._unread = getattr(error, "strerror", None) or str(error)
            return {}

    def _report(self, emit: Emit) -> None:
        """Say why the list can't be read, if that has changed."""
        if self._unread != self._reported:
            self._reported = self._unread
            emit(Note(UNREAD.format(self._unread) if self._unread else ""))


def _is_saved(one: Bookmark, now: datetime, within_s: float) -> bool:
    """Return whether the file was written then, or is only about to be made."""
    try:
        written_s = os.stat(one.path).st_mtime - one.at.timestamp()
    except FileNotFoundError:
        return (now - one.at).total_seconds() < within_s
    except OSError:
        return False
    return -ROUNDED_S <= written_s < within_s


def _newest(before: datetime, bookmarks: Iterable[Bookmark]) -> datetime:
    """Return the time of the last use, but never the future: a wrong clock must not hide later uses."""
    return min(max([before, *(bookmark.at for bookmark in bookmarks)]), datetime.now(UTC))


def _is_list(notice: FileNotice) -> bool:
    return LIST in (os.path.basename(notice.source), os.path.basename(notice.destination))
