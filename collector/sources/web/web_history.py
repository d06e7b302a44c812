"""A browser's history, read from a checked copy: what runs in the browser is never opened, and never waits for us."""

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

JOURNAL, WAL = SIDES = ("-journal", "-wal")
"""Files beside a database without which it is not whole; -shm is made anew."""
TRIES, AGAIN_S = 5, 0.2
"""A copy of what changed meanwhile is made again, so often, after such a pause."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a family of browsers writes its history."""

    database: str
    epoch: datetime
    """Where its microseconds begin."""
    table: str
    """Visits; columns `id`, and the one of their time."""
    time: str
    visits: str
    """What a person sees: id, time, address, title, by the place of a visit. No frames, reloads, passing redirects."""


CHROMIUM = Kind(
    "History",
    datetime(1601, 1, 1, tzinfo=UTC),
    "visits",
    "visit_time",
    # The end of each chain of redirects (0x20000000); 3, 4: frames; 8: reload; 10: made from a search.
    # Source: ui/base/page_transition_types.h.
    "SELECT v.id AS id, v.visit_time AS at, u.url, u.title FROM visits v JOIN urls u ON u.id = v.url"
    " WHERE v.transition & 0x20000000 AND v.transition & 0xff NOT IN (3, 4, 8, 10)",
)
FIREFOX = Kind(
    "places.sqlite",
    datetime(1970, 1, 1, tzinfo=UTC),
    "moz_historyvisits",
    "visit_date",
    # 4, 8: frames; 7: download; 9: reload; 5 and 6 were redirected to, from a visit that nobody saw.
    # Source: toolkit/components/places/nsINavHistoryService.idl.
    "SELECT v.id AS id, v.visit_date AS at, u.url, u.title FROM moz_historyvisits v JOIN moz_places u"
    " ON u.id = v.place_id WHERE v.visit_type NOT IN (4, 7, 8, 9) AND NOT EXISTS"
    " (SELECT 1 FROM moz_historyvisits r WHERE r.from_visit = v.id AND r.visit_type IN (5, 6))",
)


class BrowserHistory:
    """An open copy. Raises sqlite3.Error where it is no history or not whole."""

    def __init__(self, kind: Kind, copy: sqlite3.Connection, app: str, zone: tzinfo) -> None:
        self._kind, self._copy, self._app, self._zone = kind, copy, app, zone
        copy.text_factory = lambda raw: raw.decode(errors="replace")
        if copy.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("the copy is damaged")
        # SQLite holds anything in any column.
        self._times = f"(SELECT id, {kind.time} AS at FROM {kind.table} WHERE typeof({kind.time}) = 'integer')"
        columns = {row[1] for row in copy.execute(f"PRAGMA table_info({kind.table})")}
        # What was synchronised from another machine happened there.
        here = " AND coalesce(v.originator_cache_guid, '') = ''" if "originator_cache_guid" in columns else ""
        self._visits = kind.visits + here

    def at(self, moment: datetime) -> int:
        """A time as the browser writes it."""
        return (moment - self._kind.epoch) // timedelta(microseconds=1)

    def end(self, latest: int) -> dict[str, int]:
        """Where it ends: the last visit with its time, and the latest time of all, `latest` or later."""
        last = self._copy.execute(f"SELECT id, at FROM {self._times} ORDER BY id DESC LIMIT 1").fetchone()
        visit, at = last or (0, 0)
        (found,) = self._copy.execute(f"SELECT max(at) FROM {self._times}").fetchone()
        return {"visit": visit, "at": at, "latest": max(latest, found or latest)}

    def after(self, end: dict[str, int]) -> "Visits":
        """What follows a former end. Where that visit is gone, deleted or with all of the history, by time alone."""
        known = f"SELECT 1 FROM {self._times} WHERE id = ? AND at = ?"
        if self._copy.execute(known, (end["visit"], end["at"])).fetchone():
            return Visits(self, "id > ?", (end["visit"],))
        return Visits(self, "at > ?", (end["latest"],))

    def between(self, begin: int, end: int) -> "Visits":
        """The visits from a time on, before another one."""
        return Visits(self, "at >= ? AND at < ?", (begin, end))

    def rows(self, columns: str, where: str, values: tuple[int, ...]) -> sqlite3.Cursor:
        """Of visits that a person saw, in order."""
        return self._copy.execute(f"SELECT {columns} FROM ({self._visits}) WHERE {where} ORDER BY id", values)

    def event(self, at: int, url: str, title: str | None) -> Event | None:
        """A visit; None for one of no site. Raises TypeError, ValueError, OverflowError for one that can't be."""
        moment = (self._kind.epoch + timedelta(microseconds=at)).astimezone(self._zone)
        site = domain(url)
        return Event(moment, Operation.WEB_VISIT, site, self._app, clean(title or "")) if site else None


@dataclass(frozen=True, slots=True)
class Visits:
    """Visits of a history that is open, as events, in order; some of those that are counted are none."""

    _history: BrowserHistory
    _where: str
    _values: tuple[int, ...]

    def __iter__(self) -> Iterator[Event]:
        for row in self._history.rows("at, url, title", self._where, self._values):
            with suppress(TypeError, ValueError, OverflowError):  # what a column should not hold
                if event := self._history.event(*row):
                    yield event

    def __length_hint__(self) -> int:
        (count,) = self._history.rows("count(*)", self._where, self._values).fetchone()
        return int(count)


@contextmanager
def copied(database: Path, folder: Path) -> Iterator[sqlite3.Connection]:
    """A private copy of a database, in `folder` while it is open. Raises OSError where it can't be made."""
    with tempfile.TemporaryDirectory(dir=folder) as private:
        copy = _copy(database, Path(private))
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            yield connection


def _copy(database: Path, folder: Path) -> Path:
    for _ in range(TRIES):
        before = _stamps(database)
        for side in ("", *SIDES):
            _copy_file(f"{database}{side}", folder / f"copy{side}", needed=not side)
        if _stamps(database) == before:
            return folder / "copy"
        time.sleep(AGAIN_S)
    raise BlockingIOError("it changes all the time")


def _stamps(database: Path) -> list[tuple[int, ...] | None]:
    return [_stamp(f"{database}{side}") for side in ("", *SIDES)]


def _stamp(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _copy_file(path: str, target: Path, needed: bool) -> None:
    target.unlink(missing_ok=True)
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # no wait for a pipe
    except FileNotFoundError:
        if needed:
            raise
        return
    with open(number, "rb") as source, target.open("wb") as copy:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError("it is no regular file")
        shutil.copyfileobj(source, copy, 1 << 20)
