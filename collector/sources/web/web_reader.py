"""What is new in the browsers' histories, and what is old: each visit is told once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from collector.sources.web.web_history import BrowserHistory, copied
from collector.sources.web.web_profiles import Profile
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.protocols import Batch, Past

SOURCE = "web"
NEVER = 1 << 62
"""Later than any visit, in microseconds."""


class VisitReader:
    """Reads profiles by way of copies. Raises OSError and sqlite3.Error for one that can't be read."""

    def __init__(
        self,
        settings: Settings,
        home: Home,
        emit: Callable[[Batch | Past], None],
        cursor: Callable[[str], dict[str, Any] | None],
    ) -> None:
        self._zone, self._days = settings.zone, settings.sources.web_days
        self._emit, self._cursor = emit, cursor
        self._apps = Apps()
        self._copies = home.in_memory / SOURCE
        self._copies.mkdir(mode=0o700, exist_ok=True)

    def new(self, profile: Profile, live: bool) -> None:
        """Tell what was visited since the last time; as the past unless it is `live`, or read for the first time."""
        last = self._cursor(profile.key)
        if last is None:
            self.past(profile, self._days)
            return
        with self._open(profile) as history:
            if (end := history.end(last["latest"])) != last:
                events = history.after(last)
                kept = Batch(list(events), profile.key, end) if live else Past(events, profile.key, end)
                self._emit(kept)

    def past(self, profile: Profile, days: int) -> None:
        """Tell what was visited in the last so many days and is not told yet."""
        with self._open(profile) as history:
            begin = history.at(datetime.now(UTC) - timedelta(days=days))
            if self._cursor(profile.key) is None:
                self._emit(Past(history.between(begin, NEVER), profile.key, history.end(begin)))
                self._emit(Past((), _past(profile), {"begin": begin}))
                return
            told = self._cursor(_past(profile))
            before = told["begin"] if told else NEVER
            if begin < before:
                self._emit(Past(history.between(begin, before), _past(profile), {"begin": begin}))

    @contextmanager
    def _open(self, profile: Profile) -> Iterator[BrowserHistory]:
        with copied(profile.database, self._copies) as copy:
            yield BrowserHistory(profile.kind, copy, self._apps.of_window(profile.windows), self._zone)


def _past(profile: Profile) -> str:
    """The cursor of what was before: from when on it is told."""
    return f"{profile.key} past"
