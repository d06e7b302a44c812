"""The process that asks a wlroots compositor for the focus and writes each new one: a line of JSON on standard output,
number, app id and title of a window, or null.

A process of its own, because the library ends the whole process where the compositor has gone.
"""

import array
import json
import os
import sys
from dataclasses import dataclass
from typing import Any

from pywayland.client import Display
from pywayland.protocol_core import Proxy

from collector.sources.wayland.toplevel_protocol import ACTIVATED, Handle, Manager
from memo.stack.process_specs import end_with_parent


@dataclass(slots=True)
class Toplevel:
    """What is known of a window."""

    number: int
    app_id: str = ""
    title: str = ""
    active: bool = False


class Toplevels:
    """All windows, and the line last written."""

    def __init__(self) -> None:
        self.manager: Any = None
        self._windows: dict[Proxy[Handle], Toplevel] = {}
        self._count = 0
        self._told = json.dumps(None)

    def offer(self, registry: Any, name: int, interface: str, version: int) -> None:
        """Take the manager, where this is it."""
        if interface == Manager.name:
            self.manager = registry.bind(name, Manager, 1)
            self.manager.dispatcher["toplevel"] = self._add

    def _add(self, manager: Any, handle: Proxy[Handle]) -> None:
        self._count += 1
        self._windows[handle] = Toplevel(self._count)
        for name in ("title", "app_id"):
            handle.dispatcher[name] = lambda handle, text, name=name: setattr(self._windows[handle], name, text)
        handle.dispatcher["state"] = self._state
        handle.dispatcher["done"] = lambda handle: self._tell()
        handle.dispatcher["closed"] = self._closed

    def _state(self, handle: Proxy[Handle], states: bytes) -> None:
        self._windows[handle].active = ACTIVATED in array.array("I", states)

    def _closed(self, handle: Proxy[Handle]) -> None:
        del self._windows[handle]
        handle.destroy()
        self._tell()

    def _tell(self) -> None:
        active = next((window for window in self._windows.values() if window.active), None)
        line = json.dumps(active and [active.number, active.app_id, active.title])
        if line != self._told:
            print(line, flush=True)
            self._told = line


def main(name: str) -> int:
    """Follow a display for ever; the exit status where the compositor tells nobody of its windows."""
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
        os._exit(status)  # the library's own end may crash
