"""Heartbeats: a part beats after each piece of work or idle turn, in the thread that works; one that hangs is silent.

A heartbeat sets the time of the part's file in `run` to the reading of CLOCK_MONOTONIC, which all processes share and
which stands still while the machine sleeps. It takes no space on the disk, and no setting of the clock changes it.
`python -m memo.stack.heartbeat NAME` fails unless that part is ready and not stuck.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from memo.core.paths import Home

BEAT_S = 3.0  # between two heartbeats of a part that has nothing to do
STUCK_S = 10.0  # a part that is silent for longer counts as stuck
RESTART_S = 20.0  # and after this time the supervisor restarts it
LOADING_S = 220.0  # longest silence of a part that does something long; it is restarted before the queue's timeout

_file: Path | None = None  # of this process


def file_of(home: Home, name: str) -> Path:
    """Return the file of a part; it exists while the part is ready."""
    return home.run / f"{name}.ready"


def say_ready(home: Home, name: str) -> None:
    """Tell the supervisor that this part is ready, by its first heartbeat. A full disk has room for an empty file."""
    global _file
    _file = file_of(home, name)
    _file.touch(0o600)
    beat()


def beat(ahead_s: float = 0.0) -> None:
    """Beat. A part that begins something long may then be silent for `ahead_s` seconds more."""
    if _file is not None:
        touch(_file, ahead_s)


@contextmanager
def loading() -> Iterator[None]:
    """Let this part be silent for long while it loads something; beat once it has."""
    beat(LOADING_S)
    try:
        yield
    finally:
        beat()


def touch(file: Path, ahead_s: float = 0.0) -> None:
    """Set the time of a file to now, if it exists."""
    at = time.monotonic_ns() + int(ahead_s * 1e9)
    with suppress(OSError):
        os.utime(file, ns=(at, at))


def last(file: Path) -> float | None:
    """Return when a file was touched, in seconds of `time.monotonic`; None if there is no file."""
    with suppress(OSError):
        return file.stat().st_mtime_ns / 1e9
    return None


def silent_s(file: Path) -> float:
    """Return the seconds since a file was touched; 0 if there is no file."""
    at = last(file)
    return 0.0 if at is None else max(0.0, time.monotonic() - at)


if __name__ == "__main__":
    part_file = file_of(Home.find(), sys.argv[1])
    sys.exit(last(part_file) is None or silent_s(part_file) > STUCK_S)
