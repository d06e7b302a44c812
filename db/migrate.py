"""Bring the store to this program's schema."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, select

from db.engine import StoreError, open_store, redact_url, revision
from memo.core.paths import Home
from memo.core.settings import Settings

UPGRADE_LOCK = 0x4D454D4F
"""Postgres advisory lock: one upgrade at a time."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def head() -> str:
    """The schema revision that this program was written for."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def upgrade(settings: Settings, home: Home) -> None:
    """Run the migrations that are missing. Raises StoreError where the store is newer than this program."""
    store = open_store(settings, home)
    try:
        with store.write() as session:
            connection = session.connection()
            if connection.dialect.name == "postgresql":  # several parts may start at once
                connection.execute(select(func.pg_advisory_xact_lock(UPGRADE_LOCK)))
            _refuse_newer(connection)
            command.upgrade(_config(connection), "head")
    finally:
        store.close()


def _refuse_newer(connection: Connection) -> None:
    found = revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"The store {redact_url(connection.engine.url)} was written by a newer MEMO (schema {found}); "
            "update MEMO, nothing was changed."
        )
