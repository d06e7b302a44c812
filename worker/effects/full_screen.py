"""Whether a window fills the screen, as sway or an X server says; other desktops under Wayland tell nobody."""

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

from memo.desktop.sockets import sway_socket

if TYPE_CHECKING:
    from Xlib.display import Display

ASKER, ANSWER_S = "swaymsg", 2.0


def fills_screen() -> bool:
    """Whether one does; where nobody tells, none is known to."""
    by_sway = _under_sway()
    return _under_x11() if by_sway is None else by_sway


def _under_sway() -> bool | None:
    """Of a window on any screen, with the focus or not; None where no sway answers."""
    program, path = shutil.which(ASKER), sway_socket()
    if program is None or path is None:
        return None
    command = [program, "--raw", "--type", "get_tree", "--socket", str(path)]
    try:
        told = subprocess.run(command, check=True, capture_output=True, timeout=ANSWER_S)
        return _is_shown(json.loads(told.stdout), full=False)
    except (OSError, subprocess.SubprocessError, ValueError, AttributeError):  # it has just gone
        return None


def _is_shown(node: dict[str, Any], full: bool) -> bool:
    """Whether a window that can be seen is, or lies in, a container that fills the screen; each workspace does."""
    full = full or (node.get("type") in ("con", "floating_con") and bool(node.get("fullscreen_mode")))
    below = [*node.get("nodes", ()), *node.get("floating_nodes", ())]
    return any(_is_shown(one, full) for one in below) or (full and node.get("visible") is True)


def _under_x11() -> bool:
    """Of the window that has the focus."""
    if not os.environ.get("DISPLAY"):
        return False
    from Xlib.display import Display
    from Xlib.error import DisplayError, XError

    try:
        display = Display()
    except (DisplayError, OSError):
        return False
    try:
        return _is_full(display)
    except XError:  # the window has just gone
        return False
    finally:
        display.close()


def _is_full(display: "Display") -> bool:
    from Xlib import X

    atom = display.intern_atom
    active = display.screen().root.get_full_property(atom("_NET_ACTIVE_WINDOW"), X.AnyPropertyType)
    if active is None or not active.value or not active.value[0]:
        return False
    window = display.create_resource_object("window", active.value[0])
    states = window.get_full_property(atom("_NET_WM_STATE"), X.AnyPropertyType)
    return states is not None and atom("_NET_WM_STATE_FULLSCREEN") in states.value
