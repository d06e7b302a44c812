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
TRIES = 3  # at showing that this process waits: another one that looks for waiting writers may hold the lock
LONGEST_S = 0.5  # a process that was stopped while it waited holds up long work for no longer


class Turns:
    """The turns of the writers of this process, each in a thread of its own, among those of all processes."""

    def __init__(self, folder: Path, longest_s: float = LONGEST_S) -> None:
        self._folder, self._lock = folder, Lock()
        self._longest_s = self._patience_s = longest_s

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
                _show_oneself(folder)
            yield

    def give_way(self) -> None:
        """Return once nobody waits, or after the longest wait; after a wait in vain, the next calls do not wait."""
        deadline = time.monotonic() + self._patience_s
        with self._open() as folder:
            while not (is_free := folder is None or _is_free(folder)) and time.monotonic() < deadline:
                time.sleep(POLL_S)
        self._patience_s = self._longest_s if is_free else 0.0

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


def _show_oneself(folder: int) -> None:
    for _ in range(TRIES):
        if _try_lock(folder, fcntl.LOCK_SH):
            return
        time.sleep(POLL_S)


def _is_free(folder: int) -> bool:
    if not _try_lock(folder, fcntl.LOCK_EX):
        return False
    fcntl.flock(folder, fcntl.LOCK_UN)  # at once: this process may be stopped at any moment
    return True


def _try_lock(folder: int, kind: int) -> bool:
    """Return whether no other lock was in the way; where the file system can't lock, none is."""
    try:
        fcntl.flock(folder, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
