"""Whether a stack runs in this home: its supervisor holds a lock, which goes with the process."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from memo.core.errors import MemoError
from memo.core.paths import Home

TRIES, PAUSE_S = 10, 0.02
"""To get the lock."""


@contextmanager
def hold(home: Home) -> Iterator[None]:
    """Hold the lock, and leave no file behind. Raises MemoError where another supervisor has it."""
    path = home.run / "lock"
    with path.open("a+") as file:
        if not _locked(file):
            raise taken(holder(home))
        if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise MemoError("MEMO is just ending; try again.")  # its lock was removed while we opened it
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            path.unlink()


def _locked(file: IO[str]) -> bool:
    """Whether the lock is ours now; one who looks for a holder has it for a moment, so we try for a while."""
    for _ in range(TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(PAUSE_S)
    return False


def taken(pid: int | None) -> MemoError:
    """Says who runs already."""
    return MemoError(f"MEMO runs already (process {pid}); `memo down` stops it.")


def holder(home: Home) -> int | None:
    """The process that holds the lock; None where nothing runs."""
    with suppress(FileNotFoundError, ValueError), (home.run / "lock").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read())
    return None


def sources(home: Home) -> dict[str, dict[str, Any]]:
    """What the collector says of its sources, by name; empty where none runs."""
    with suppress(OSError, ValueError):
        states = {part["name"]: part["state"] for part in state(home).get("parts", [])}
        if states.get("collector") == "running":  # one that was killed has left what it said
            found: dict[str, dict[str, Any]] = json.loads(home.sources.read_text())
            return found
    return {}


def state(home: Home) -> dict[str, Any]:
    """What the supervisor says of its parts; empty where there is none."""
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(home.state.read_text())
        return found if found["pid"] == holder(home) else {}  # else a supervisor that was killed left it
    return {}
