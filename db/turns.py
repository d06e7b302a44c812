"""Whose turn it is to write to a SQLite file: SQLite lets its writers look now and then, and favors none.

So those who wait hold a shared lock on a file of its own, and long work waits until nobody does.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

POLL_S = 0.002
LONGEST_S = 0.5  # a process that was stopped while it waited holds up nobody for longer


class Turns:
    """The turns of the writers of this process, each in a thread of its own, among those of all processes."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, Lock()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Write as the only thread of this process."""
        with self.waiting():
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Show that somebody waits."""
        with self._open() as file:
            if file is not None:
                fcntl.flock(file, fcntl.LOCK_SH)
            yield

    def give_way(self, longest_s: float = LONGEST_S) -> None:
        """Return once nobody waits, or it took too long."""
        deadline = time.monotonic() + longest_s
        with self._open() as file:
            while file is not None and not _is_free(file) and time.monotonic() < deadline:
                time.sleep(POLL_S)

    @contextmanager
    def _open(self) -> Iterator[int | None]:
        """Open the file; without it, as on a full disk, writers only wait for longer."""
        file = None
        with suppress(OSError):
            file = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield file
        finally:
            if file is not None:
                os.close(file)  # unlocks it, too


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
