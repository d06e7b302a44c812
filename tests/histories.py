"""Histories as browsers write them: the part of the real schemas that is read, in the journal mode of each."""

import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

CHROMIUM_SCHEMA = """
CREATE TABLE urls(id INTEGER PRIMARY KEY AUTOINCREMENT, url LONGVARCHAR, title LONGVARCHAR,
    visit_count INTEGER DEFAULT 0 NOT NULL, typed_count INTEGER DEFAULT 0 NOT NULL, last_visit_time INTEGER NOT NULL,
    hidden INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE visits(id INTEGER PRIMARY KEY AUTOINCREMENT, url INTEGER NOT NULL, visit_time INTEGER NOT NULL,
    from_visit INTEGER, transition INTEGER DEFAULT 0 NOT NULL, visit_duration INTEGER DEFAULT 0 NOT NULL,
    originator_cache_guid TEXT);
CREATE INDEX visits_url_index ON visits (url);
CREATE INDEX visits_time_index ON visits (visit_time);
"""
FIREFOX_SCHEMA = """
CREATE TABLE moz_places(id INTEGER PRIMARY KEY, url LONGVARCHAR, title LONGVARCHAR, hidden INTEGER DEFAULT 0 NOT NULL);
CREATE TABLE moz_historyvisits(id INTEGER PRIMARY KEY, from_visit INTEGER, place_id INTEGER, visit_date INTEGER,
    visit_type INTEGER);
CREATE INDEX moz_historyvisits_dateindex ON moz_historyvisits (visit_date);
CREATE INDEX moz_historyvisits_fromindex ON moz_historyvisits (from_visit);
"""
SEEN = 0x30000000
"""Begins and ends a chain of redirects."""


class Chromium:
    """A Chromium's profile; a rollback journal."""

    def __init__(self, folder: Path, without: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "History"
        self.database = sqlite3.connect(self.path)
        if not os.path.getsize(self.path):
            self.database.executescript(CHROMIUM_SCHEMA.replace(without, ""))

    def write(
        self, url: object, title: object = "", at: datetime | None = None, transition: int = SEEN, **more: object
    ) -> int:
        """Begin or go on with a transaction; the visit's id."""
        moment = round(((at or datetime.now(UTC)) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
        page = _insert(self.database, "urls", url=url, title=title, last_visit_time=moment)
        return _insert(self.database, "visits", url=page, visit_time=moment, transition=transition, **more)

    def visit(
        self, url: object, title: object = "", at: datetime | None = None, transition: int = SEEN, **more: object
    ) -> int:
        """Write a visit whole; its id."""
        with self.database:
            return self.write(url, title, at, transition, **more)

    def close(self) -> None:
        """As when the browser ends."""
        self.database.close()


class Firefox:
    """A Firefox's profile; a write-ahead log that stays until the browser ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "places.sqlite"
        self.database = sqlite3.connect(self.path)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.executescript(FIREFOX_SCHEMA)

    def write(self, url: object, title: object = "", at: datetime | None = None, kind: int = 1, origin: int = 0) -> int:
        """Begin or go on with a transaction; the visit's id."""
        moment = round((at or datetime.now(UTC)).timestamp() * 1e6)
        page = _insert(self.database, "moz_places", url=url, title=title)
        visit = {"place_id": page, "visit_date": moment, "visit_type": kind, "from_visit": origin}
        return _insert(self.database, "moz_historyvisits", **visit)

    def visit(self, url: object, title: object = "", at: datetime | None = None, kind: int = 1, origin: int = 0) -> int:
        """Write a visit whole; its id."""
        with self.database:
            return self.write(url, title, at, kind, origin)

    def close(self) -> None:
        """As when the browser ends."""
        self.database.close()


def _insert(database: sqlite3.Connection, table: str, **row: object) -> int:
    places = ", ".join("?" * len(row))
    found = database.execute(f"INSERT INTO {table}({', '.join(row)}) VALUES ({places})", tuple(row.values())).lastrowid
    assert found
    return found
