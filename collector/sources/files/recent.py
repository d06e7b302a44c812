"""Files that a person opened, as desktop programs note them in the list of recently used files."""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Flag
from typing import Any

from watchdog.events import FileClosedEvent, FileCreatedEvent, FileMovedEvent, FileSystemEvent

from collector.sources.files import xbel
from collector.sources.files.file_event import accessed, ours
from collector.sources.files.inotify import FileNotice, FileNotices, observing, watch
from collector.sources.files.xbel import Bookmark
from collector.sources.inbox.tail import open_below
from memo.core.events import Event
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.protocols import Batch, Emit, Past, Stop

LIST = "recently-used.xbel"
MAX_BYTES = 20_000_000
"""A list of 1,000 files has half a megabyte."""
SCAN_S = 3600.0
"""The system may lose notices of changes, so the list is looked at once an hour."""
WATCHED: list[type[FileSystemEvent]] = [FileCreatedEvent, FileClosedEvent, FileMovedEvent]

log = get_logger(__name__)


class RecentSource:
    """Implements `memo.protocols.Source` on `recently-used.xbel`. The cursor is the time of the last use."""

    name = "recent"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings, self._is_ours = settings, ours(home)
        self._folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
        self._apps = Apps()
        self.watching = Flag()

    def missing(self) -> str:
        """The folder in which desktop programs keep the list."""
        if self._folder.is_dir():
            return ""
        return f"{self._folder} is not there, where programs list recently used files; open a file in one of them."

    def run(self, emit: Emit, cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Watch until `stop` is set. At the first time nothing that is listed already is told."""
        with closing(FileNotices(_is_list)) as notices, observing() as observer:
            watch(observer, notices, self._folder, WATCHED)
            seen = self._read()
            newest = self._catch_up(seen, emit, cursor)
            self.watching.set()
            while not stop.is_set():
                notices.wait(stop, SCAN_S)
                listed = self._read()
                newest = _newest(newest, ())
                since = newest.replace(microsecond=0)  # some programs write whole seconds
                if fresh := [one for one in listed - seen if one.at >= since]:
                    newest = _newest(newest, fresh)
                    emit(Batch(self._events(fresh), self.name, {"newest": newest.isoformat()}))
                seen = listed or seen

    def _catch_up(
        self, seen: Iterable[Bookmark], emit: Emit, cursor: Callable[[str], dict[str, Any] | None]
    ) -> datetime:
        """Tell what was used since the cursor; the time of the last use."""
        stored = cursor(self.name)
        newest = _newest(datetime.fromisoformat(stored["newest"]), ()) if stored else datetime.now(UTC)
        fresh = [one for one in seen if newest < one.at <= datetime.now(UTC)]
        newest = _newest(newest, fresh)
        if fresh or not stored:
            emit(Past(self._events(fresh), self.name, {"newest": newest.isoformat()}))
        return newest

    def _events(self, bookmarks: Iterable[Bookmark]) -> list[Event]:
        now, zone = datetime.now(UTC), self._settings.zone
        return [
            accessed(one.path, min(one.at, now).astimezone(zone), self._app(one))
            for one in sorted(bookmarks, key=lambda one: one.at)
            if not self._is_ours(one.path)
        ]

    def _app(self, one: Bookmark) -> str:
        program = os.path.realpath(shutil.which(one.program) or f"/{one.program}")
        return self._apps.of_process(program) or self._apps.of_window([one.app], one.program)

    def _read(self) -> frozenset[Bookmark]:
        file = open_below(self._folder, Path(LIST))
        if file is None:
            return frozenset()
        with open(file, "rb") as opened:
            text = opened.read(MAX_BYTES + 1)
        try:
            if len(text) > MAX_BYTES:
                raise ValueError("it is too large")
            return frozenset(xbel.read(text))
        except ValueError as error:
            log.warning("the list of recently used files was passed over", reason=str(error))
            return frozenset()


def _newest(before: datetime, fresh: Iterable[Bookmark]) -> datetime:
    """The time of the last use; never later than now, for a clock that was wrong must hide nothing from us."""
    return min(max([before, *(one.at for one in fresh)]), datetime.now(UTC))


def _is_list(notice: FileNotice) -> bool:
    return LIST in (os.path.basename(notice.source), os.path.basename(notice.destination))
