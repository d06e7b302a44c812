"""The pace of long work: batches so small that no transaction holds the write lock for long, and pauses between."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session

from db.engine import Store

FEWEST = 50  # rows of a batch: the transaction itself costs more than fewer rows do
MOST = 2_000  # rows of a batch
TARGET_S = 0.04  # duration of a transaction; a slow disk may double it
LONGEST_PAUSE_S = 0.5


class BatchPace:
    """How many rows the next batch should have, by how long the last one took."""

    def __init__(self, most: int = MOST, fewest: int = FEWEST) -> None:
        self._most, self._fewest = most, min(fewest, most)
        self.size = self._fewest
        self._free_at = 0.0

    @contextmanager
    def write(self, store: Store) -> Iterator[Session]:
        """Open a transaction for `size` rows, once others could write for as long as the last one took."""
        time.sleep(max(0.0, self._free_at - time.monotonic()))
        with store.write() as session:
            session.connection()  # begins it: the wait for other writers does not count
            began = time.perf_counter()
            yield session
        took = time.perf_counter() - began
        self.size = max(self._fewest, min(self._most, 2 * self.size, int(self.size * TARGET_S / took)))
        self._free_at = time.monotonic() + min(took, LONGEST_PAUSE_S)
