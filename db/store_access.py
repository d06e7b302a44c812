"""The ways in which parts, commands and the page open the store."""

import atexit
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.core.steps import Progress
from memo.store.damage import find_marked
from memo.store.postgres import ANSWER_S, SHOW_S

if TYPE_CHECKING:
    from db.engine import Store
    from db.prediction.versions import Usable


@cache
def process_store() -> "Store":
    """Return the only store of a process that serves, closed at its end; call this only after the last fork."""
    from db.engine import open_store

    store = open_store(Settings.load(), Home.find())
    atexit.register(store.close)
    return store


def open_existing(settings: Settings, home: Home, answer_s: float = ANSWER_S) -> "closing[Store]":
    """Open the store as it is, to be closed by the caller's `with`; Postgres has to answer within `answer_s`."""
    from db.engine import open_store

    return closing(open_store(settings, home, answer_s=answer_s, reader_mode="ro"))


@contextmanager
def writable_store(settings: Settings, home: Home, progress: Progress = lambda done, total: None) -> Iterator["Store"]:
    """Yield the store; create it if there is none, and bring its schema up to date.

    Raises StoreError if it is lost or known to be damaged.
    """
    from db import migrate

    refuse_damaged(settings, home)
    migrate.upgrade(settings, home, progress)
    with open_existing(settings, home) as store:
        yield store


def refuse_damaged(settings: Settings, home: Home, thoroughly: bool = False) -> None:
    """Raise StoreError if the file of an SQLite store is lost or, if looked at `thoroughly`, damaged.

    Once damage was found the file is always looked at thoroughly, as it may have been replaced since.
    """
    from db.engine import DamagedStoreError, sqlite_path, store_url
    from db.upkeep import backups

    file = sqlite_path(store_url(settings, home))
    if file is not None and (damage := backups.check(file, home, thoroughly or bool(find_marked(home)))):
        raise DamagedStoreError(file, damage)


def missing_file(settings: Settings, home: Home) -> Path | None:
    """Return the file of an SQLite store if it does not exist yet, else None."""
    from db.engine import sqlite_path, store_url

    file = sqlite_path(store_url(settings, home))
    return file if file is not None and not file.exists() else None


@contextmanager
def read_store(settings: Settings, home: Home) -> Iterator["Store | None"]:
    """Yield the store, to be read only, or None if there is none yet; create and change nothing.

    Raises StoreError if it is lost.
    """
    from db.engine import revision

    refuse_damaged(settings, home)
    if missing_file(settings, home):
        yield None
        return
    with open_existing(settings, home, SHOW_S) as store:
        with store.read() as session:
            has_tables = revision(session.connection())
        yield store if has_tables else None


@contextmanager
def read_session(settings: Settings, home: Home) -> Iterator[Any]:
    """Yield a session that reads the store, or None if there is no store yet; see `read_store`."""
    with read_store(settings, home) as store:
        if store is None:
            yield None
            return
        with store.read() as session:
            yield session


def find_active_version(settings: Settings, home: Home) -> "Usable":
    """Return the version that serves; without a store, none is trained."""
    from db.prediction import versions

    with read_session(settings, home) as session:
        if session is None:
            return versions.find_untrained(settings.model.base)
        return versions.find_usable(session, home, settings.model.base, settings.scope, settings.scope)
