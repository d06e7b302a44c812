"""Probe process for the focus under wlroots compositors: writes each new focus as a line of JSON to standard output.

A line is [number, app id, title] of a window, or null. It is a process of its own because the library ends the whole
process when the compositor goes away.
"""

import array
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from pywayland.client import Display
from pywayland.protocol_core import Proxy

from collector.sources.wayland.declared_protocols import ACTIVATED, Handle, Manager
from memo.stack.process_specs import end_with_parent


@dataclass(slots=True)
class Toplevel:
    """The known properties of a window."""

    number: int
    app_id: str = ""
    title: str = ""
    active: bool = False


class Toplevels:
    """All windows, and the last line written."""

    def __init__(self) -> None:
        self.manager: Any = None
        self._windows: dict[Proxy[Handle], Toplevel] = {}
        self._count = 0
        self._last_line = json.dumps(None)

    def offer(self, registry: Any, name: int, interface: str, version: int) -> None:
        """Bind an offered interface if it is the manager."""
        if interface == Manager.name:
            self.manager = registry.bind(name, Manager, 1)
            self.manager.dispatcher["toplevel"] = self._add

    def _add(self, manager: Any, handle: Proxy[Handle]) -> None:
        self._count += 1
        self._windows[handle] = Toplevel(self._count)
        for name in ("title", "app_id"):
            handle.dispatcher[name] = lambda handle, text, name=name: setattr(self._windows[handle], name, text)
        handle.dispatcher["state"] = self._set_state
        handle.dispatcher["done"] = lambda handle: self._write()
        handle.dispatcher["closed"] = self._remove

    def _set_state(self, handle: Proxy[Handle], states: bytes) -> None:
        self._windows[handle].active = ACTIVATED in array.array("I", states)

    def _remove(self, handle: Proxy[Handle]) -> None:
        del self._windows[handle]
        handle.destroy()
        self._write()

    def _write(self) -> None:
        active = next((window for window in self._windows.values() if window.active), None)
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
    while True:
        display.dispatch(block=True)


if __name__ == "__main__":
    end_with_parent()
    status = os.EX_SOFTWARE
    try:
        status = main(sys.argv[1])
    finally:
        os._exit(status)  # the library may crash on exit
