"""What the machine has to spare, and what its screen shows: readings that tests replace."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from Xlib.display import Display


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
        """Whether the active window fills the screen. Only X11 tells; without its display nothing is known to."""
        if not os.environ.get("DISPLAY"):
            return False
        from Xlib.display import Display
        from Xlib.error import DisplayError, XError

        try:
            display = Display()
        except (DisplayError, OSError):
            return False
        try:
            return _fills_screen(display)
        except XError:  # the window has just gone
            return False
        finally:
            display.close()


def _fills_screen(display: "Display") -> bool:
    from Xlib import X

    atom = display.intern_atom
    active = display.screen().root.get_full_property(atom("_NET_ACTIVE_WINDOW"), X.AnyPropertyType)
    if active is None or not active.value or not active.value[0]:
        return False
    window = display.create_resource_object("window", active.value[0])
    states = window.get_full_property(atom("_NET_WM_STATE"), X.AnyPropertyType)
    return states is not None and atom("_NET_WM_STATE_FULLSCREEN") in states.value
