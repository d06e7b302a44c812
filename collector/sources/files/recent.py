"""Files that a person opened, from the list of recently used files that desktop programs keep."""

import os
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from typing import Any

from collector.launch import proc
from collector.sources.files import xbel
from collector.sources.files.file_event import file_event, is_below
from collector.sources.files.inotify import SCAN_S, WRITTEN, FileNotice, FileNotices, SameFolder, observe, watch
from collector.sources.files.xbel import Bookmark
from collector.sources.inbox.tail import open_below
from memo.core.bounded import BoundedDict
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.protocols import Batch, Emit, FindCursor, Note, Past, Stop

LIST = "recently-used.xbel"
UNREAD = f"{LIST} can't be read ({{}}); delete it, and desktop programs begin a new one."
MOST_OPENED = 1_000  # files, each with its app
MAX_BYTES = 20_000_000  # a list of 1,000 files has half a megabyte
ROUNDED_S = 1.0  # some programs write whole seconds


class RecentSource:
    """Implements `memo.protocols.Source` on `recently-used.xbel`. The cursor is the time of the last use.

    It also has the days of the past that were read.
    """

    name = "recent"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._is_ours = settings, is_below(home)
        self._days = settings.sources.recent_days
        self._folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
        self._apps = Apps()
        self._opened: BoundedDict[tuple[str, str], float] = BoundedDict(MOST_OPENED)  # when, on the clock of `proc`
        self._unread = self._reported = ""  # why the list can't be read, now and as reported
        self.watching = Flag()

    def missing(self) -> str:
        """Return what is missing: the folder in which desktop programs keep the list."""
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
            while not stop.is_set():
                if not notices.wait(stop, SCAN_S):
                    folder.check()
                listed = self._read()
                self._report(emit)
                newest = _newest(newest, ())
                since = newest.replace(microsecond=0)  # as rounded times are
                if new := [bookmark for bookmark in listed if bookmark.at >= since and bookmark not in seen]:
                    newest = _newest(newest, new)
                    emit(Batch(self._to_events(new), self.name, self._cursor(newest)))
                seen = listed or seen

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
            file_event(Operation.FILE_ACCESS, one.path, min(one.at, now).astimezone(zone), app)
            for one in given
            if not self._is_open(one.path, app := self._app(one), age_s=(now - one.at).total_seconds())
        ]

    def _app(self, bookmark: Bookmark) -> str:
        app = self._apps.of_file(bookmark.program, bookmark.media_type)
        return app or self._apps.of_window([bookmark.app], bookmark.program)

    def _is_open(self, path: str, app: str, age_s: float) -> bool:
        """Return whether an app that still runs had opened the file, so that it is a save; remember this use."""
        opened_at = proc.now() - max(0.0, age_s - ROUNDED_S)
        opened, self._opened[path, app] = self._opened.get((path, app)), opened_at
        if opened is None:
            return False
        running = (process for process in map(proc.read, proc.pids()) if process and process.began <= opened)
        return any(self._apps.of_process(process.executable, process.arguments) == app for process in running)

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


def _newest(before: datetime, bookmarks: Iterable[Bookmark]) -> datetime:
    """Return the time of the last use, but never the future: a wrong clock must not hide later uses."""
    return min(max([before, *(bookmark.at for bookmark in bookmarks)]), datetime.now(UTC))


def _is_list(notice: FileNotice) -> bool:
    return LIST in (os.path.basename(notice.source), os.path.basename(notice.destination))
