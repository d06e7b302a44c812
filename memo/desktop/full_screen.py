"""Whether a window fills the screen, according to sway or an X server; other Wayland desktops do not say."""

import os
from contextlib import closing, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any

from memo.desktop.i3_ipc import GET_TREE, ask
from memo.desktop.sockets import sway_socket

if TYPE_CHECKING:
    from Xlib.display import Display

TIMEOUT_S = 2.0  # longest wait for an answer of sway, or of the X server
_asking: list[Thread] = []  # the last question to the X server


def fills_screen(timeout_s: float = TIMEOUT_S) -> bool:
    """Return whether a window is known to fill the screen."""
    by_sway = _under_sway(timeout_s)
    return _under_x11(timeout_s) if by_sway is None else by_sway


def _under_sway(timeout_s: float) -> bool | None:
    """Return whether a window fills any screen, focused or not; None if there is no sway."""
    with suppress(OSError, AttributeError, TypeError, RecursionError):  # it has just ended, or answers with no tree
        if path := sway_socket():
            return _is_shown(ask(path, GET_TREE, wait_s=timeout_s), full=False)
    return None


def _is_shown(node: dict[str, Any], full: bool) -> bool:
    """Return whether a visible window is, or lies in, a container in full-screen mode (workspaces always are)."""
    full = full or (node.get("type") in ("con", "floating_con") and bool(node.get("fullscreen_mode")))
    children = [*node.get("nodes", ()), *node.get("floating_nodes", ())]
    return any(_is_shown(child, full) for child in children) or (full and node.get("visible") is True)


def _under_x11(timeout_s: float) -> bool:
    """Return whether the focused window fills the screen; False if the server, for which Xlib waits forever, hangs."""
    if not os.environ.get("DISPLAY"):
        return False
    if _asking and _asking[-1].is_alive():
        return False  # the server hangs
    found: list[bool] = []
    _asking[:] = [Thread(target=lambda: found.append(_ask_x11()), daemon=True)]
    _asking[0].start()
    _asking[0].join(timeout_s)
    return found == [True]


def _ask_x11() -> bool:
    from Xlib.display import Display
    from Xlib.error import DisplayError, XError

    with suppress(DisplayError, OSError, XError), closing(Display()) as display:  # its window has just been closed
        return _is_full(display)
    return False


def _is_full(display: "Display") -> bool:
    from Xlib import X

    atom = display.intern_atom
    active = display.screen().root.get_full_property(atom("_NET_ACTIVE_WINDOW"), X.AnyPropertyType)
    if active is None or not active.value or not active.value[0]:
        return False
    window = display.create_resource_object("window", active.value[0])
    states = window.get_full_property(atom("_NET_WM_STATE"), X.AnyPropertyType)
    return states is not None and atom("_NET_WM_STATE_FULLSCREEN") in states.value
