"""The windows that a wlroots compositor lists, for processes of their own: the library may end or crash its process."""

import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pywayland.protocol.wayland import WlSeat
from pywayland.protocol_core import Proxy

from collector.sources.wayland.declared_protocols import ACTIVATED, Handle, HandleProxy, Manager


@dataclass(slots=True)
class Toplevel:
    """The known properties of a window."""

    number: int
    app_id: str = ""
    title: str = ""
    active: bool = False
    parent: Proxy[Handle] | None = None  # of a dialog or a tool window; unknown before version 3 of the protocol


class Toplevels:
    """All windows; `changed` is called after each change of one."""

    def __init__(self) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.manager: Any = None
        self.seat: Any = None
        self.windows: dict[Proxy[Handle], Toplevel] = {}
        self._count = 0

    def offer(self, registry: Any, name: int, interface: str, version: int) -> None:
        """Bind an offered interface if it is the manager or a seat."""
        if interface == Manager.name:
            self.manager = registry.bind(name, Manager, min(version, Manager.version))
            self.manager.dispatcher["toplevel"] = self._add
        elif interface == WlSeat.name:
            self.seat = registry.bind(name, WlSeat, 1)

    def find_own(self) -> dict[Proxy[Handle], Toplevel]:
        """Return the windows that belong to no other one, as dialogs do."""
        return {handle: window for handle, window in self.windows.items() if window.parent not in self.windows}

    def find_active(self) -> Toplevel | None:
        """Return the window that is in use: the focused one, or the window that it belongs to."""
        active = next((window for window in self.windows.values() if window.active), None)
        for _ in self.windows:  # as many steps at most, even if windows belonged to each other in a circle
            if active and active.parent in self.windows:
                active = self.windows[active.parent]
        return active

    def _add(self, manager: Any, handle: Proxy[Handle]) -> None:
        self._count += 1
        self.windows[handle] = Toplevel(self._count)
        for name in ("title", "app_id"):
            handle.dispatcher[name] = lambda handle, text, name=name: setattr(self.windows[handle], name, text)
        handle.dispatcher["state"] = self._set_state
        handle.dispatcher["parent"] = lambda handle, parent: setattr(self.windows[handle], "parent", parent)
        handle.dispatcher["done"] = lambda handle: self.changed()
        handle.dispatcher["closed"] = self._remove

    def _set_state(self, handle: Proxy[Handle], states: bytes) -> None:
        self.windows[handle].active = ACTIVATED in array.array("I", states)

    def _remove(self, handle: HandleProxy) -> None:
        del self.windows[handle]
        handle.destroy()
        self.changed()
