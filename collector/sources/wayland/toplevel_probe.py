"""Probe process for the focus under wlroots compositors: writes each new focus as a line of JSON to standard output.

A line is [number, app id, title] of a window, or null; the first one says what stands at the beginning. It is a process
of its own because the library ends the whole process when the compositor goes away.
"""

import json
import os
import sys
from typing import Any

from pywayland.client import Display

from collector.sources.wayland.toplevels import Toplevels
from memo.stack.process_specs import end_with_parent


class FocusWriter:
    """Writes the focus whenever it has changed."""

    def __init__(self, toplevels: Toplevels) -> None:
        self._toplevels, self._last_line = toplevels, ""

    def write(self) -> None:
        """Write the focus unless it was written before."""
        active = self._toplevels.find_active()
        line = json.dumps(active and [active.number, active.app_id, active.title])
        if line != self._last_line:
            print(line, flush=True)
            self._last_line = line


def main(name: str) -> int:
    """Follow a display for ever; return the exit status if the compositor does not list its windows."""
    display = Display(name)
    display.connect()
    registry: Any = display.get_registry()
    toplevels = Toplevels()
    registry.dispatcher["global"] = toplevels.offer
    display.roundtrip()
    if toplevels.manager is None:
        return os.EX_UNAVAILABLE
    display.roundtrip()  # all windows are listed now
    toplevels.changed = FocusWriter(toplevels).write
    toplevels.changed()
    while True:
        display.dispatch(block=True)


if __name__ == "__main__":
    end_with_parent()
    status = os.EX_SOFTWARE
    try:
        status = main(sys.argv[1])
    finally:
        os._exit(status)  # the library may crash on exit
