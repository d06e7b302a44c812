"""A browser's history, read from a checked copy, so that the running browser is never locked out of its database."""

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from memo.core.events import Event, Operation
from memo.core.grammar import clean
from memo.core.sites import domain

JOURNAL = "-journal"
WAL = "-wal"
SUFFIXES = ("", JOURNAL, WAL)  # files that make up a database; SQLite creates -shm again
ATTEMPTS = 5  # at a copy, if the database changes meanwhile
RETRY_S = 0.2
LATE = 600_000_000  # microseconds by which a browser may write a visit later than another one


@dataclass(frozen=True, slots=True)
class Kind:
    """The history format of a browser family."""

    database: str  # file name
    epoch: datetime  # of its timestamps, which are in microseconds
    table: str  # of visits, with a column `id`
    time: str  # column with a visit's timestamp
    visits: str  # query for id, at, url and title of visits that a person saw: no frames, reloads or redirects


CHROMIUM = Kind(
    "History",
    datetime(1601, 1, 1, tzinfo=UTC),
    "visits",
    "visit_time",
    # 0x20000000: end of a chain of redirects; 3, 4: frames; 8: reload; 10: generated for a search engine.
    # Source: ui/base/page_transition_types.h.
    "SELECT v.id AS id, v.visit_time AS at, u.url, u.title FROM visits v JOIN urls u ON u.id = v.url"
    " WHERE v.transition & 0x20000000 AND v.transition & 0xff NOT IN (3, 4, 8, 10)",
)
FIREFOX = Kind(
    "places.sqlite",
    datetime(1970, 1, 1, tzinfo=UTC),
    "moz_historyvisits",
    "visit_date",
    # 4, 8: frames; 7: download; 9: reload; 5, 6: redirects, whose origin nobody saw.
    # Source: toolkit/components/places/nsINavHistoryService.idl.
    "SELECT v.id AS id, v.visit_date AS at, u.url, u.title FROM moz_historyvisits v JOIN moz_places u"
    " ON u.id = v.place_id WHERE v.visit_type NOT IN (4, 7, 8, 9) AND NOT EXISTS"
    " (SELECT 1 FROM moz_historyvisits r WHERE r.from_visit = v.id AND r.visit_type IN (5, 6))",
)


class BrowserHistory:
    """An open copy of a history. Raises sqlite3.Error if it is damaged or not a history."""

    def __init__(self, kind: Kind, copy: sqlite3.Connection, app: str, zone: tzinfo) -> None:
        self._kind, self._copy, self._app, self._zone = kind, copy, app, zone
        copy.text_factory = lambda raw: raw.decode(errors="replace")
        if copy.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("the copy is damaged")
        # A column of SQLite may hold values of any type.
        self._times = f"(SELECT id, {kind.time} AS at FROM {kind.table} WHERE typeof({kind.time}) = 'integer')"
        columns = {row[1] for row in copy.execute(f"PRAGMA table_info({kind.table})")}
        # A visit synchronised from another machine has an originator.
        local = " AND coalesce(v.originator_cache_guid, '') = ''" if "originator_cache_guid" in columns else ""
        self._visits = kind.visits + local

    def to_timestamp(self, moment: datetime) -> int:
        """Return a time in the browser's format."""
        return (moment - self._kind.epoch) // timedelta(microseconds=1)

    def end(self, latest: int) -> dict[str, int]:
        """Return the last visit's id and time, and the latest time of all visits, at least `latest`.

        It is never in the future: after a visit of a wrong clock, none would be later.
        """
        last = self._copy.execute(f"SELECT id, at FROM {self._times} ORDER BY id DESC LIMIT 1").fetchone()
        visit, at = last or (0, 0)
        now = self.to_timestamp(datetime.now(UTC))
        (found,) = self._copy.execute(f"SELECT max(at) FROM {self._times} WHERE at <= ?", (now,)).fetchone()
        return {"visit": visit, "at": at, "latest": max(min(latest, now), found or 0)}

    def after(self, end: dict[str, int], is_live: bool) -> "Visits":
        """Return the visits after an earlier end; by time alone if that end's visit has been deleted.

        Where `is_live`, without those of long before that end: they came from another browser or machine.
        """
        latest = min(end["latest"], self.to_timestamp(datetime.now(UTC)))
        same_visit = f"SELECT 1 FROM {self._times} WHERE id = ? AND at = ?"
        if not self._copy.execute(same_visit, (end["visit"], end["at"])).fetchone():
            return Visits(self, "at > ?", (latest,))
        return Visits(self, "id > ? AND at > ?", (end["visit"], latest - LATE if is_live else 0))

    def between(self, begin: int, end: int) -> "Visits":
        """Return the visits from `begin` until before `end`."""
        return Visits(self, "at >= ? AND at < ?", (begin, end))

    def rows(self, columns: str, where: str, values: tuple[int, ...]) -> sqlite3.Cursor:
        """Select columns of visits that a person saw, in order."""
        return self._copy.execute(f"SELECT {columns} FROM ({self._visits}) WHERE {where} ORDER BY id", values)

    def event(self, at: int, url: str, title: str | None) -> Event | None:
        """Return a visit, or None if its URL has no site. Raises TypeError, ValueError or OverflowError if invalid."""
        moment = (self._kind.epoch + timedelta(microseconds=at)).astimezone(self._zone)
        site = domain(url)
        return Event(moment, Operation.WEB_VISIT, site, self._app, clean(title or "")) if site else None


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits in an open history, as events in order; the length hint may include visits of no site."""

    _history: BrowserHistory
    _where: str
    _values: tuple[int, ...]

    def __iter__(self) -> Iterator[Event]:
        for row in self._history.rows("at, url, title", self._where, self._values):
            with suppress(TypeError, ValueError, OverflowError):  # an invalid value in a column
                if event := self._history.event(*row):
                    yield event

    def __length_hint__(self) -> int:
        (count,) = self._history.rows("count(*)", self._where, self._values).fetchone()
        return int(count)


@contextmanager
def copy_database(database: Path, folder: Path, retry_s: float = RETRY_S) -> Iterator[sqlite3.Connection]:
    """Open a private copy of a database, kept in `folder` while the context lasts. Raises OSError on failure."""
    with tempfile.TemporaryDirectory(dir=folder) as private:
        copy = _copy(database, Path(private), retry_s)
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            yield connection


def _copy(database: Path, folder: Path, retry_s: float) -> Path:
    for _ in range(ATTEMPTS):
        before = stamps(database)
        for suffix in SUFFIXES:
            _copy_file(f"{database}{suffix}", folder / f"copy{suffix}", required=not suffix)
        if stamps(database) == before:
            return folder / "copy"
        time.sleep(retry_s)
    raise BlockingIOError("it keeps changing")


def stamps(database: Path) -> list[tuple[object, ...]]:
    """Return what changes whenever a file of the database does."""
    stamps = list[tuple[object, ...]]()
    for suffix in SUFFIXES:
        with suppress(OSError):
            status = os.stat(f"{database}{suffix}")
            stamps.append((suffix, status.st_ino, status.st_size, status.st_mtime_ns))
    return stamps


def _copy_file(path: str, target: Path, required: bool) -> None:
    target.unlink(missing_ok=True)
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # does not block on a pipe
    except FileNotFoundError:
        if required:
            raise
        return
    with open(number, "rb") as source, target.open("wb") as copy:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError("it is not a regular file")
        shutil.copyfileobj(source, copy, 1 << 20)
