"""How busy the machine is, and the state of its screen: readings that tests replace."""

import os
import re
from contextlib import suppress
from pathlib import Path

from memo.desktop.full_screen import fills_screen

PRESSURE = Path("/proc/pressure")
NICE = 19  # lowest priority
FIRST_TO_GO = "1000"  # of all processes, for the kernel. Source: proc_pid_oom_score_adj(5)


def be_idle() -> None:
    """Let this process wait for all others, for the processor and for the disk, and go first if memory runs out."""
    import psutil

    os.setpriority(os.PRIO_PROCESS, 0, NICE)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, "ascii")
    with suppress(OSError, AttributeError):  # not every system has scheduling classes
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))  # its processor counts as free for others
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)


class Machine:
    """This machine, read at each call."""

    def __init__(self, pressure: Path = PRESSURE) -> None:
        self._pressure = pressure

    def battery(self) -> float | None:
        """Return the charge in percent while the machine runs on battery, else None."""
        import psutil

        found = psutil.sensors_battery()
        return None if found is None or found.power_plugged else found.percent

    def stalled(self, resource: str) -> float | None:
        """Return the percentage of the last 10 s in which some program waited for `memory` or `cpu`.

        None if the kernel keeps no count. Source: Linux' documentation of PSI, Documentation/accounting/psi.rst.
        """
        with suppress(OSError):
            if found := re.search(r"^some avg10=([\d.]+)", (self._pressure / resource).read_text("ascii")):
                return float(found[1])
        return None

    def free_bytes(self) -> int:
        """Return how much memory programs can take without swapping."""
        import psutil

        return int(psutil.virtual_memory().available)

    def load(self) -> float:
        """Return the load average of the last minute, per core."""
        return os.getloadavg()[0] / (os.cpu_count() or 1)

    def full_screen(self) -> bool:
        """Return whether a window is known to fill the screen."""
        return fills_screen()
