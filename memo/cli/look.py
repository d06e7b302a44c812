"""A look at the store that makes none."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from memo.paths import Home
from memo.settings import Settings


@contextmanager
def look(settings: Settings, home: Home) -> Iterator[Any]:
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
