"""The store's id, a random one made with the store: names on a broker carry it, so that two stacks never meet there."""

import time
from typing import TYPE_CHECKING

from memo.core.errors import MemoError
from memo.store.public_views import open_query

if TYPE_CHECKING:
    from memo.core.settings import Settings

WAIT_S = 30.0  # for a database that is away while a part starts
POLL_S = 0.5


def find_store_id(settings: "Settings") -> str:
    """Return the id of the store of the settings. Raises MemoError if it can't be read."""
    with open_query(settings) as query:
        rows = query("SELECT id FROM store_identity", ())
    if not rows:
        raise MemoError("The store has no id; restore a backup with `memo restore`, or begin with another store.")
    return str(rows[0][0])


def wait_for_store_id(settings: "Settings", wait_s: float = WAIT_S) -> str:
    """Return the id, waiting for a store that can't be read. Raises MemoError after `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return find_store_id(settings)
        except MemoError:
            if time.monotonic() > deadline:
                raise
        time.sleep(POLL_S)
