"""What /proc tells of processes. A process may end at any time: then there is nothing to tell."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this user; times are seconds since the machine's start, of which sleep is a part."""

    pid: int
    began: float
    executable: str
    arguments: tuple[str, ...]


def now() -> float:
    """The time on the clock of `Process.began`."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def pids() -> set[int]:
    """All that run, of all users."""
    return {int(name) for name in os.listdir("/proc") if name.isdecimal()}


def age(pid: int) -> float:
    """Seconds since a process of any user began; 0 for one that is gone."""
    with suppress(OSError):
        return now() - _began(pid)
    return 0.0


def read(pid: int) -> Process | None:
    """None for one of another user, of the kernel, or that is gone."""
    with suppress(OSError):
        if os.stat(f"/proc/{pid}").st_uid == os.getuid():
            executable = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")  # it was upgraded since
            arguments = os.fsdecode(_bytes(pid, "cmdline")).rstrip("\0").split("\0")
            return Process(pid, _began(pid), executable, tuple(arguments))
    return None


def descends(pid: int, ancestor: int) -> bool:
    """Whether a process is the ancestor, or was started by one that is or was."""
    with suppress(OSError):
        while pid > 1:
            if pid == ancestor:
                return True
            pid = int(stat(pid)[1])
    return False


def _began(pid: int) -> float:
    return float(stat(pid)[19]) / TICKS


def stat(pid: int) -> list[bytes]:
    """Fields of /proc/PID/stat from the third on: the name before them may hold anything. Source: proc(5)."""
    return _bytes(pid, "stat").rpartition(b")")[2].split()


def _bytes(pid: int, name: str) -> bytes:
    with open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read()
