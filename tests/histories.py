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

    def visit(
        self, url: object, title: object = "", at: datetime | None = None, transition: int = SEEN, **more: object
    ) -> int:
        """Write a visit; its id."""
        moment = round(((at or datetime.now(UTC)) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
        row = {"visit_time": moment, "transition": transition} | more
        with self.database:
            page = self.database.execute(
                "INSERT INTO urls(url, title, last_visit_time) VALUES (?, ?, ?)", (url, title, moment)
            ).lastrowid
            names = ", ".join(row)
            found = self.database.execute(
                f"INSERT INTO visits(url, {names}) VALUES (?{', ?' * len(row)})", (page, *row.values())
            ).lastrowid
        assert found
        return found

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

    def visit(self, url: object, title: object = "", at: datetime | None = None, kind: int = 1, origin: int = 0) -> int:
        """Write a visit; its id."""
        moment = round((at or datetime.now(UTC)).timestamp() * 1e6)
        with self.database:
            page = self.database.execute("INSERT INTO moz_places(url, title) VALUES (?, ?)", (url, title)).lastrowid
            found = self.database.execute(
                "INSERT INTO moz_historyvisits(place_id, visit_date, visit_type, from_visit) VALUES (?, ?, ?, ?)",
                (page, moment, kind, origin),
            ).lastrowid
        assert found
        return found

    def close(self) -> None:
        """As when the browser ends."""
        self.database.close()
