"""The windows that a wlroots compositor lists. The library ends the whole process if the compositor goes away."""

import array
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from select import select
from typing import Any

from pywayland.client import Display
from pywayland.protocol.wayland import WlSeat
from pywayland.protocol_core import Proxy

from collector.sources.wayland.declared_protocols import ACTIVATED, Handle, HandleProxy, Manager

ANSWER_S = 2.0  # for the compositor to answer


@dataclass(slots=True)
class Toplevel:
    """The known properties of a window."""

    number: int
    app_id: str = ""
    title: str = ""
    active: bool = False


class Toplevels:
    """All windows; `changed` is called after each change of one."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self.manager: Any = None
        self.seat: Any = None
        self.windows: dict[Proxy[Handle], Toplevel] = {}
        self._changed = changed
        self._count = 0

    def offer(self, registry: Any, name: int, interface: str, version: int) -> None:
        """Bind an offered interface if it is the manager or a seat."""
        if interface == Manager.name:
            self.manager = registry.bind(name, Manager, 1)
            self.manager.dispatcher["toplevel"] = self._add
        elif interface == WlSeat.name:
            self.seat = registry.bind(name, WlSeat, 1)

    def _add(self, manager: Any, handle: Proxy[Handle]) -> None:
        self._count += 1
        self.windows[handle] = Toplevel(self._count)
        for name in ("title", "app_id"):
            handle.dispatcher[name] = lambda handle, text, name=name: setattr(self.windows[handle], name, text)
        handle.dispatcher["state"] = self._set_state
        handle.dispatcher["done"] = lambda handle: self._changed()
        handle.dispatcher["closed"] = self._remove

    def _set_state(self, handle: Proxy[Handle], states: bytes) -> None:
        self.windows[handle].active = ACTIVATED in array.array("I", states)

    def _remove(self, handle: HandleProxy) -> None:
        del self.windows[handle]
        handle.destroy()
        self._changed()


def find_toplevels(display: Path) -> list[Toplevel]:
    """Return the windows; none if the compositor does not list them. Raises OSError."""
    with _listed(display) as (_, toplevels):
        return list(toplevels.windows.values())


def activate(display: Path, app_id: str, title: str) -> bool:
    """Bring a window to the front; return whether there was one. Raises OSError."""
    with _listed(display) as (connection, toplevels):
        for handle, window in toplevels.windows.items():
            if (window.app_id, window.title) == (app_id, title) and isinstance(handle, HandleProxy):
                handle.activate(toplevels.seat)
                _wait_for_answer(connection)
                return True
    return False


@contextmanager
def _listed(display: Path) -> Iterator[tuple[Display, Toplevels]]:
    toplevels = Toplevels()
    try:
        with Display(str(display)) as connection:
            registry: Any = connection.get_registry()
            registry.dispatcher["global"] = toplevels.offer
            for _ in range(2):  # the interfaces; the windows
                _wait_for_answer(connection)
            yield connection, toplevels
    except (ValueError, RuntimeError) as error:  # of the library
        raise ConnectionError("the compositor does not answer") from error


def _wait_for_answer(connection: Display) -> None:
    """Send the requests, and wait until the compositor has carried them out. Raises TimeoutError."""
    done, until = list[bool](), time.monotonic() + ANSWER_S
    callback: Any = connection.sync()
    callback.dispatcher["done"] = lambda *_: done.append(True)
    while not done:
        connection.flush()
        if not select([connection.get_fd()], [], [], max(0.0, until - time.monotonic()))[0]:
            raise TimeoutError("the compositor does not answer")
        connection.dispatch(block=True)
