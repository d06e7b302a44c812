"""Bring the store to this program's schema. Alembic, which takes long to load, is loaded only to change something."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from db.engine import Store, StoreError, check_database, open_store, redact_url, revision, sqlite_path, store_url
from db.intake.launch_sets import find_launch_set, record_launch_set
from db.migrations import FOLDER, Unfinished, head, revisions
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.core.steps import Progress
from memo.desktop.launch_sets import LaunchSet, from_dict

LONGEST_S = 3600.0  # of a statement that changes a large table, or waits for another upgrade
UPGRADE_LOCK = 0x4D454D4F  # Postgres advisory lock: one upgrade at a time


def upgrade(settings: Settings, home: Home, progress: Progress = lambda done, total: None) -> None:
    """Run the missing migrations. Raises StoreError if the store is newer than this program.

    What is done stays done if this is interrupted, and the next upgrade goes on. Launch sets were JSON files up to
    schema 0009. Files are deleted only once their contents are committed, and a row that exists wins over a file.
    """
    files = [path for path in (home.root / "apps").glob("*.*") if path.is_file()]
    file = sqlite_path(store_url(settings, home))
    if file is not None and not file.exists():
        with suppress(OSError):  # the first statement says why it can't be used
            file.touch(0o600)
    store = open_store(settings, home, answer_s=LONGEST_S)
    try:
        while not _take_step(store, progress):
            store.give_way()
        with _locked(store) as session:
            for found in _read_launch_sets(files):
                if find_launch_set(session, settings.scope, found.app) is None:
                    record_launch_set(session, settings.scope, found, None)
    finally:
        store.close()
    with suppress(OSError):  # what can't be deleted is tried again at the next upgrade
        for path in files:
            path.unlink(missing_ok=True)
        (home.root / "apps").rmdir()


@contextmanager
def _locked(store: Store) -> Iterator[Session]:
    """Open a transaction that only one upgrade at a time has, as several parts may start at once."""
    with store.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
        yield session


def _take_step(store: Store, progress: Progress) -> bool:
    """Do a part of the upgrade; return whether nothing is left to do."""
    with _locked(store) as session:
        connection = session.connection()
        found = check_schema(connection)
        if found is None:  # nothing takes long in a new store
            create(connection)
        elif found != head() and (left := _run(connection, "+1")):
            progress(left.done, left.total)
        return found in (None, head())


def create(connection: Connection) -> None:
    """Make all that a new store has."""
    while _run(connection, "head"):
        pass


def _run(connection: Connection, migrations: str) -> Unfinished | None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, migrations)
    except Unfinished as left:
        return left
    return None


def _read_launch_sets(files: list[Path]) -> Iterator[LaunchSet]:
    """Iterate over the readable launch sets; a damaged or foreign file must not stop the upgrade."""
    for path in files:
        found = None
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            found = from_dict(json.loads(path.read_text(encoding="ascii")))
        if found and all(clean(name) == name for name in (found.app, found.executable)):
            yield found


def check_schema(connection: Connection) -> str | None:
    """Return the schema's revision, or None. Raises StoreError if it can't be brought to this program's."""
    found = revision(connection)
    check_database(connection, may_create=found != head())
    if found is not None and found not in revisions():
        raise StoreError(
            f"The store {redact_url(connection.engine.url)} was written by a newer MEMO (schema {found}); "
            "update MEMO. Nothing was changed."
        )
    return found
