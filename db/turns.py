"""Turns of the writers of a SQLite file.

SQLite has no queue: a writer that waits only tries again now and then, so long work could keep it waiting for ever.
Therefore writers that wait hold a shared lock on a folder, and long work does not go on while anyone holds it.
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

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, Lock()

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
        with self._open() as folder:
            if folder is not None:
                with suppress(OSError):
                    fcntl.flock(folder, fcntl.LOCK_SH)
            yield

    def give_way(self, longest_s: float = LONGEST_S) -> None:
        """Return once nobody waits, or it took too long."""
        deadline = time.monotonic() + longest_s
        with self._open() as folder:
            while folder is not None and not _is_free(folder) and time.monotonic() < deadline:
                time.sleep(POLL_S)

    @contextmanager
    def _open(self) -> Iterator[int | None]:
        """Open the folder; without it, writers only wait for longer."""
        folder = None
        with suppress(OSError):
            folder = os.open(self._folder, os.O_RDONLY)
        try:
            yield folder
        finally:
            if folder is not None:
                os.close(folder)  # unlocks it, too


def _is_free(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # a file system that can't lock shows nobody who waits
        return not isinstance(error, BlockingIOError)
    return True
