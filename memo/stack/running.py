"""Tell whether a stack runs in a home: its supervisor holds a lock on `run/lock`, which ends with the process.

`memo up` takes the lock before it changes anything, and the supervisor that it starts inherits it.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from memo.core.errors import MemoError
from memo.core.files import describe_full, open_private, read_locked
from memo.core.paths import Home
from memo.stack import heartbeat
from memo.stack.child import SERVING, ChildState
from memo.stack.process_specs import BROKER
from memo.stack.spawn import PARENT

LOCK_ATTEMPTS = 10
LOCK_PAUSE_S = 0.02  # between two attempts
STARTING = "starting"  # word after the process id, until the supervisor has the lock
STARTING_S = 10.0  # how long one that finds the lock held waits for the supervisor's process id
TRAINING, UPKEEP = "training", "upkeep"  # processes that the supervisor starts on request
REQUESTS = {TRAINING: signal.SIGUSR1, UPKEEP: signal.SIGUSR2}
WIDTH = 32  # bytes of the lock's file; always as many, so that a full disk has room for the next process id


class Lock:
    """The lock of a home. Its file is deleted at the end, unless the lock was handed to another process."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self.is_handed_on = file, False

    def fileno(self) -> int:
        """Return the descriptor, which the process that takes the lock over inherits."""
        return self._file.fileno()

    def write(self, word: str = "") -> None:
        """Write that this process holds the lock. Raises OSError on a full disk."""
        os.pwrite(self.fileno(), f"{os.getpid()} {word}".ljust(WIDTH).encode(), 0)


@contextmanager
def hold(home: Home, word: str = "") -> Iterator[Lock]:
    """Hold the lock, and delete its file at the end. Raises MemoError if another process holds it."""
    path = home.run / "lock"
    with open(path, "r+", opener=lambda name, flags: open_private(name, flags | os.O_CREAT)) as file:
        if not _lock(file):
            raise taken(_wait_for_supervisor(home))
        if not path.exists() or not os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise MemoError("MEMO is stopping; try again.")  # its lock was deleted after we opened it
        lock = Lock(file)
        with suppress(OSError):  # on a full disk nothing can start; what can't be written next says so
            lock.write(word)
        try:
            yield lock
        finally:
            if not lock.is_handed_on:
                path.unlink(missing_ok=True)


@contextmanager
def take_over(home: Home, descriptor: int) -> Iterator[None]:
    """Hold the lock that this process inherited, and delete its file at the end."""
    os.set_inheritable(descriptor, False)
    with open(descriptor, "r+") as file:
        Lock(file).write()
        try:
            yield
        finally:
            (home.run / "lock").unlink()


def _lock(file: IO[str]) -> bool:
    """Return whether the lock is ours now. `holder` takes it for a moment, hence several attempts."""
    for _ in range(LOCK_ATTEMPTS):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(LOCK_PAUSE_S)
    return False


def _wait_for_supervisor(home: Home) -> int | None:
    """Return the process that holds the lock: the supervisor, unless its start takes long."""
    deadline = time.monotonic() + STARTING_S
    while (found := _read_holder(home)) and STARTING in found and time.monotonic() < deadline:
        time.sleep(LOCK_PAUSE_S)
    return int(found[0]) if found else None


def taken(pid: int | None) -> MemoError:
    """Return the error that names the process which already runs."""
    if pid is None:
        return MemoError("MEMO was just being started or stopped by another command; see `memo status`, or try again.")
    return MemoError(f"MEMO is already running (process {pid}); `memo down` stops it.")


def holder(home: Home) -> int | None:
    """Return the id of the process that holds the lock, or None if nothing runs."""
    found = _read_holder(home)
    return int(found[0]) if found else None


def _read_holder(home: Home) -> list[str]:
    """Return process id and word of the holder; empty if nobody holds the lock."""
    words = read_locked(home.run / "lock")
    return words if words and words[0].isdecimal() else []


def request(home: Home, name: str) -> None:
    """Tell this part's supervisor, if it still runs, that runs are queued for training, or that upkeep is due."""
    pid = holder(home)
    if pid is not None and os.environ.get(PARENT) == str(pid):  # `memo forget` holds the lock too, and must not die
        with suppress(ProcessLookupError):
            os.kill(pid, REQUESTS[name])


def sources(home: Home) -> dict[str, dict[str, Any]]:
    """Return the collector's report on its sources, by name; empty if no collector runs."""
    with suppress(OSError, ValueError):
        states = {part["name"]: part["state"] for part in state(home).get("parts", [])}
        if states.get("collector") in SERVING:  # a collector that was killed leaves its report behind
            found: dict[str, dict[str, Any]] = json.loads(home.sources.read_text())
            return found
    return {}


def has_crashed(home: Home) -> bool:
    """Return whether the last supervisor was killed: it left its report behind, and at most this process runs now."""
    return home.state.exists() and holder(home) in (None, os.getpid())


def state(home: Home) -> dict[str, Any]:
    """Return the supervisor's report on its parts, with its problems; empty if no supervisor runs."""
    with suppress(OSError, ValueError):
        found: dict[str, Any] = json.loads(home.state.read_text())
        if found["pid"] == holder(home):  # a supervisor that was killed leaves its report behind
            return _with_silence(home, found)
    return {}


def _with_silence(home: Home, found: dict[str, Any]) -> dict[str, Any]:
    """Add which parts are stuck now, by their heartbeats: the supervisor may be stuck itself, or have no disk space."""
    supervisor_s, report_s = heartbeat.silent_s(home.run / "lock"), heartbeat.silent_s(home.state)
    problems = list(filter(None, [found.get("clock"), describe_full(home.root)]))
    if supervisor_s > heartbeat.STUCK_S:
        problems.append(
            f"The supervisor (process {found['pid']}) has been stuck for {supervisor_s:.0f} s; "
            f"run `kill -9 {found['pid']}`, then `memo up`."
        )
    elif report_s > heartbeat.STUCK_S:
        problems.append(f"{home.state} can't be written, so the states are {report_s:.0f} s old; free some disk space.")
    for part in found["parts"]:
        if part["state"] == ChildState.FAILED:
            problems.append(
                f"The {part['name']} crashed too often and is given up; see {home.logs}, then run `memo down` and "
                "`memo up`."
            )
        if part["state"] not in SERVING:
            continue
        silent_s = heartbeat.silent_s(heartbeat.file_of(home, part["name"]))
        if part["name"] == BROKER.name and supervisor_s > heartbeat.STUCK_S:
            silent_s = 0.0  # the supervisor beats for it
        part["state"] = str(_state_now(home, part["name"], silent_s))
        if part["state"] == ChildState.STUCK:
            problems.append(_stuck(home, part, silent_s))
    return found | {"problems": problems}


def _state_now(home: Home, name: str, silent_s: float) -> ChildState:
    """Return the state of a part that served when the supervisor reported last."""
    if not heartbeat.file_of(home, name).exists():
        return ChildState.RESTARTING
    return ChildState.STUCK if silent_s > heartbeat.STUCK_S else ChildState.RUNNING


def _stuck(home: Home, part: dict[str, Any], silent_s: float) -> str:
    return (
        f"The {part['name']} (process {part['pid']}) has been stuck for {silent_s:.0f} s; MEMO restarts it after "
        f"{heartbeat.RESTART_S:.0f} s. If that happens again, see {home.logs}."
    )
