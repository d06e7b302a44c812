"""The pace of long work: batches so small that no transaction holds the write lock for long; others write between."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from db.engine import Store

FEWEST = 50  # rows of a batch: the transaction itself costs more than fewer rows do
MOST = 2_000  # rows of a batch
TARGET_S = 0.04  # duration of a transaction; a slow disk may double it


class BatchPace:
    """How many rows the next batch should have, by how long the last one took."""

    def __init__(self, most: int = MOST, fewest: int = FEWEST) -> None:
        self._most, self._fewest = most, min(fewest, most)
        self.size = self._fewest

    @contextmanager
    def write(self, store: Store) -> Iterator[Session]:
        """Open a transaction for `size` rows, once the writers that wait have had their turn."""
        store.give_way()
        with store.write() as session:
            session.connection()  # begins it: the wait for other writers does not count
            began = time.perf_counter()
            yield session
        took = time.perf_counter() - began
        self.size = max(self._fewest, min(self._most, 2 * self.size, int(self.size * TARGET_S / took)))
