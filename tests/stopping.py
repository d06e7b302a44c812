"""Stop processes, as a fault that a test causes."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def is_alive(pid: int) -> bool:
    """Return whether a process has not ended; one that nobody waits for does not count."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Let processes stand still; those that live go on afterwards."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in filter(psutil.pid_exists, pids):
            os.kill(pid, signal.SIGCONT)
