"""The doors to the store: one that only looks, one that changes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from memo.core.paths import Home
from memo.core.settings import Settings

if TYPE_CHECKING:
    from db.engine import Store


@contextmanager
def read_session(settings: Settings, home: Home) -> Iterator[Any]:
    """A session that reads the store, or None where there is none yet; nothing is made or changed."""
    from db.engine import open_store, revision, sqlite_path, store_url

    file = sqlite_path(store_url(settings, home))
    if file is not None and not file.exists():
        yield None
        return
    store = open_store(settings, home)
    try:
        with store.read() as session:
            yield session if revision(session.connection()) else None
    finally:
        store.close()


@contextmanager
def writable_store(settings: Settings, home: Home) -> Iterator["Store"]:
    """The store, made where there is none, its schema brought up to date."""
    from db import migrate
    from db.engine import open_store

    migrate.upgrade(settings, home)
    store = open_store(settings, home)
    try:
        yield store
    finally:
        store.close()
