"""Stores with MEMO's tables and no rows, for tests that are not about migrations: these run once in each process."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import migrate
from db.engine import store_url
from db.intake import events
from db.models import EventRow
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings

NEW_ID = "UPDATE store_identity SET id = lower(hex(randomblob(6)))"

VIEWS: dict[str, str] = import_module("db.migrations.versions.0021_saved_files").VIEWS
SINCE_0015 = [
    "UPDATE events SET line_key = substr(line_key, 9, 16) || substr(line_key, 1, 8) || substr(line_key, 25)",
    *(f"DROP VIEW {name}" for name in VIEWS),
    "ALTER TABLE events DROP COLUMN saved",
    "ALTER TABLE feedback DROP COLUMN windows",
    *(f"CREATE VIEW {name} AS SELECT 1 AS id" for name in VIEWS),  # the migration replaces them
    "ALTER TABLE store_identity DROP COLUMN file",
    "DROP TABLE daily_counts",
    "DROP TABLE served_scores",
    "DROP TABLE predicted_names",
    "ALTER TABLE scopes DROP COLUMN history_alone",
    "ALTER TABLE feedback DROP COLUMN line",
    "UPDATE alembic_version SET version_num = '0015'",
]
SINCE_0014 = [
    *SINCE_0015,
    "DROP INDEX ix_events_scope_operation_target_at",
    "DROP INDEX ix_events_scope_operation_app_at",
    "DROP INDEX ix_events_folders",
    "DROP INDEX ix_events_programs",
    "UPDATE alembic_version SET version_num = '0014'",
]
"""Statements that undo all that migrations after this one did, as in the list before."""


def make_store(settings: Settings, home: Home) -> None:
    """Make the tables of a store, as `migrate.upgrade` does; a file is a copy of one that is made once."""
    file, url = home.root / "memo.db", store_url(settings, home)
    if url != home.database_url:
        _upgrade(url)
    elif not file.exists():
        file.write_bytes(_sqlite())
        with closing(sqlite3.connect(file)) as store, store:
            store.execute(NEW_ID)


def store_events(session: Session, scope: str, given: Sequence[Event]) -> list[int]:
    """Store each of these events, also one that is stored already; their ids."""
    first = events.find_last_seq(session, scope)
    digests = [events.Repeats().key(event).partition(".")[0] for event in given]
    keys = [f"{digest}.{first + number}" for number, digest in enumerate(digests, 1)]
    events.add_events(session, scope, given, keys)
    query = select(EventRow.id).where(EventRow.scope == scope, EventRow.seq > first).order_by(EventRow.seq)
    return list(session.scalars(query))


@cache
def _upgrade(url: str) -> None:
    with TemporaryDirectory() as folder:
        migrate.upgrade(Settings(database_url=url), Home(Path(folder)))


@cache
def _sqlite() -> bytes:
    with TemporaryDirectory() as folder:
        home = Home(Path(folder))
        migrate.upgrade(Settings(database_url=home.database_url), home)
        return (home.root / "memo.db").read_bytes()
