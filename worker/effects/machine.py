"""What the machine has to spare, and what its screen shows: readings that tests replace."""

import os
import re
from pathlib import Path

from worker.effects.full_screen import fills_screen

PRESSURE = Path("/proc/pressure")


class Machine:
    """This machine, read at each call."""

    def battery(self) -> float | None:
        """Charge in percent while the machine runs on battery, else None."""
        import psutil

        found = psutil.sensors_battery()
        return None if found is None or found.power_plugged else found.percent

    def stalled(self, what: str) -> float | None:
        """Percent of the last 10 s in which some program waited for `memory` or `cpu`; None where Linux keeps no count.

        Source: Linux' documentation of PSI, Documentation/accounting/psi.rst.
        """
        try:
            text = (PRESSURE / what).read_text(encoding="ascii")
        except OSError:
            return None
        found = re.search(r"^some avg10=([\d.]+)", text)
        return float(found[1]) if found else None

    def load(self) -> float:
        """Load average of the last minute, of each core."""
        return os.getloadavg()[0] / (os.cpu_count() or 1)

    def full_screen(self) -> bool:
        """Whether a window is known to fill the screen."""
        return fills_screen()
