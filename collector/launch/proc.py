"""Processes by /proc; one that has ended meanwhile is treated as absent."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK")
SOURCE = "processes"  # the source that reports starts and ends
SCAN_S = 1.0  # between two of its looks for new processes
SETTLED_S = 1.0  # age from which a process is examined; a younger one may still exec a program or change its user
TOLD_S = SCAN_S + SETTLED_S + 0.2  # age by which the start of a process has been reported


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this user; `began` is in seconds since boot, suspends included."""

    pid: int
    began: float
    executable: str
    arguments: tuple[str, ...]


def now() -> float:
    """Return the time on the clock of `Process.began`."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def pids() -> set[int]:
    """Return the ids of all users' processes."""
    return {int(name) for name in os.listdir("/proc") if name.isdecimal()}


def age(pid: int) -> float:
    """Return the seconds since a process of any user began; 0 if it is gone."""
    with suppress(OSError):
        return now() - _began(pid)
    return 0.0


def read(pid: int) -> Process | None:
    """Return a process; None if it is another user's or the kernel's, or gone."""
    with suppress(OSError):
        if os.stat(f"/proc/{pid}").st_uid == os.getuid():
            executable = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")  # replaced by an upgrade
            arguments = os.fsdecode(_bytes(pid, "cmdline")).rstrip("\0").split("\0")
            return Process(pid, _began(pid), executable, tuple(arguments))
    return None


def descends(pid: int, ancestor: int) -> bool:
    """Return whether a process is `ancestor` or one of its descendants."""
    with suppress(OSError):
        while pid > 1:
            if pid == ancestor:
                return True
            pid = int(stat(pid)[1])
    return False


def is_in_unit(pid: int, name: str) -> bool:
    """Return whether systemd started a process in a unit whose name begins like this."""
    with suppress(OSError):
        return f"/{name}".encode() in _bytes(pid, "cgroup")
    return False


def _began(pid: int) -> float:
    return float(stat(pid)[19]) / TICKS


def stat(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat after the name, which may contain anything. Source: proc(5)."""
    return _bytes(pid, "stat").rpartition(b")")[2].split()


def _bytes(pid: int, name: str) -> bytes:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read()
