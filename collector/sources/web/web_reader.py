"""New and past visits in the browsers' histories; each visit is reported once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from collector.sources.web.web_history import BrowserHistory, copy_database
from collector.sources.web.web_profiles import Profile
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.protocols import Batch, FindCursor, Past

SOURCE = "web"
NEVER = 1 << 62  # microseconds; later than any visit


class VisitReader:
    """Reads copies of profiles' histories. Raises OSError or sqlite3.Error for one that cannot be read."""

    def __init__(
        self, settings: Settings, home: Home, emit: Callable[[Batch | Past], None], cursor: FindCursor
    ) -> None:
        self._zone, self._days = settings.zone, settings.sources.web_days
        self._emit, self._cursor = emit, cursor
        self._apps = Apps()
        self._copies = home.in_memory / SOURCE
        self._copies.mkdir(mode=0o700, exist_ok=True)

    def read_new(self, profile: Profile, is_live: bool) -> None:
        """Emit the visits since the last reading: as a Batch if `is_live`, else, or for a new profile, as a Past."""
        last = self._cursor(profile.key)
        if last is None:
            self.read_past(profile, self._days)
            return
        with self._open(profile) as history:
            if (end := history.end(last["latest"])) != last:
                visits = history.after(last, is_live)
                self._emit(Batch(list(visits), profile.key, end) if is_live else Past(visits, profile.key, end))

    def read_past(self, profile: Profile, days: int) -> None:
        """Emit the visits of at most this many days that were not emitted before."""
        with self._open(profile) as history:
            begin = history.to_timestamp(datetime.now(UTC) - timedelta(days=days))
            if self._cursor(profile.key) is None:
                self._emit(Past(history.between(begin, NEVER), profile.key, history.end(begin)))
                self._emit(Past((), _past_key(profile), {"begin": begin}))
                return
            emitted = self._cursor(_past_key(profile))
            end = emitted["begin"] if emitted else NEVER
            if begin < end:
                self._emit(Past(history.between(begin, end), _past_key(profile), {"begin": begin}))

    @contextmanager
    def _open(self, profile: Profile) -> Iterator[BrowserHistory]:
        with copy_database(profile.database, self._copies) as copy:
            yield BrowserHistory(profile.kind, copy, self._apps.of_window(profile.windows), self._zone)


def _past_key(profile: Profile) -> str:
    """Return the key of the cursor that holds how far back visits have been emitted."""
    return f"{profile.key} past"
