"""Bring the store to this program's schema."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from db.engine import StoreError, check_database, open_store, redact_url, revision
from db.intake.launch_sets import find_launch_set, record_launch_set
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.launch_sets import LaunchSet, from_dict

LONGEST_S = 3600.0  # of a statement that changes a large table, or waits for another upgrade
UPGRADE_LOCK = 0x4D454D4F  # Postgres advisory lock: one upgrade at a time


def head() -> str:
    """Return the schema revision that this program was written for."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def upgrade(settings: Settings, home: Home) -> None:
    """Run the missing migrations. Raises StoreError if the store is newer than this program.

    Launch sets were JSON files up to schema 0009. Files are deleted only once their contents are committed, and a row
    that exists wins over a file, so that an interrupted import can be repeated.
    """
    files = [path for path in (home.root / "apps").glob("*.*") if path.is_file()]
    store = open_store(settings, home, answer_s=LONGEST_S)
    try:
        with store.write() as session:
            connection = session.connection()
            if connection.dialect.name == "postgresql":  # several parts may start at once
                connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
            check_schema(connection)
            command.upgrade(_config(connection), "head")
            for found in _read_launch_sets(files):
                if find_launch_set(session, settings.scope, found.app) is None:
                    record_launch_set(session, settings.scope, found, None)
    finally:
        store.close()
    with suppress(OSError):  # what can't be deleted is tried again at the next upgrade
        for path in files:
            path.unlink(missing_ok=True)
        (home.root / "apps").rmdir()


def _read_launch_sets(files: list[Path]) -> Iterator[LaunchSet]:
    """Iterate over the readable launch sets; a damaged or foreign file must not stop the upgrade."""
    for path in files:
        found = None
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            found = from_dict(json.loads(path.read_text(encoding="ascii")))
        if found and all(clean(name) == name for name in (found.app, found.executable)):
            yield found


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def check_schema(connection: Connection) -> str | None:
    """Return the schema's revision, or None. Raises StoreError if it can't be brought to this program's."""
    found, scripts = revision(connection), ScriptDirectory.from_config(_config())
    check_database(connection, may_create=found != scripts.get_current_head())
    known = {script.revision for script in scripts.walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"The store {redact_url(connection.engine.url)} was written by a newer MEMO (schema {found}); "
            "update MEMO, nothing was changed."
        )
    return found
