"""Whether a stack runs in this home: its supervisor holds a lock, which goes with the process."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from memo.errors import MemoError
from memo.paths import Home


@contextmanager
def hold(home: Home) -> Iterator[None]:
    """Hold the lock, and leave no file behind. Raises MemoError where another supervisor has it."""
    path = home.run / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise taken(holder(home)) from error
        if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise MemoError("MEMO is just ending; try again.")  # its lock was removed while we opened it
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            path.unlink()


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


def state(home: Home) -> dict[str, Any]:
    """What the supervisor says of its parts; empty where there is none."""
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(home.state.read_text())
        return found if holder(home) else {}
    return {}
