"""Tell whether a stack runs in a home: its supervisor holds a lock on `run/lock`, which ends with the process."""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.stack.spawn import PARENT

LOCK_ATTEMPTS = 10
LOCK_PAUSE_S = 0.02  # between two attempts


@contextmanager
def hold(home: Home) -> Iterator[None]:
    """Hold the lock, and delete its file at the end. Raises MemoError if another supervisor holds it."""
    path = home.run / "lock"
    with path.open("a+") as file:
        if not _lock(file):
            raise taken(holder(home))
        if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise MemoError("MEMO is just stopping; try again.")  # its lock was deleted after we opened it
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            path.unlink()


def _lock(file: IO[str]) -> bool:
    """Return whether the lock is ours now. `holder` takes it for a moment, hence several attempts."""
    for _ in range(LOCK_ATTEMPTS):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(LOCK_PAUSE_S)
    return False


def taken(pid: int | None) -> MemoError:
    """Return the error that names the process which already runs."""
    return MemoError(f"MEMO is already running (process {pid}); `memo down` stops it.")


def holder(home: Home) -> int | None:
    """Return the id of the process that holds the lock, or None if nothing runs."""
    with suppress(FileNotFoundError, ValueError), (home.run / "lock").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read())
    return None


def request_training(home: Home) -> None:
    """Signal this part's supervisor, if it still runs, that runs are queued for a training process."""
    pid = holder(home)
    if pid is not None and os.environ.get(PARENT) == str(pid):  # `memo forget` holds the lock too, and must not die
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGUSR1)


def sources(home: Home) -> dict[str, dict[str, Any]]:
    """Return the collector's report on its sources, by name; empty if no collector runs."""
    with suppress(OSError, ValueError):
        states = {part["name"]: part["state"] for part in state(home).get("parts", [])}
        if states.get("collector") == "running":  # a collector that was killed leaves its report behind
            found: dict[str, dict[str, Any]] = json.loads(home.sources.read_text())
            return found
    return {}


def has_crashed(home: Home) -> bool:
    """Return whether the last supervisor was killed: it left its report behind."""
    return home.state.exists() and holder(home) is None


def state(home: Home) -> dict[str, Any]:
    """Return the supervisor's report on its parts; empty if no supervisor runs."""
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(home.state.read_text())
        return found if found["pid"] == holder(home) else {}  # a supervisor that was killed leaves its report behind
    return {}
