"""The focus under X11, by the server's own notices: nothing is asked from time to time."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from collector.focus.follow import follow
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.desktop.sockets import answers
from memo.protocols import Batch, Stop

if TYPE_CHECKING:
    from Xlib.display import Display

SOCKETS = Path("/tmp/.X11-unix")
XWAYLAND = "XWAYLAND"
"""The X server that is a guest of a Wayland compositor has an extension of this name; older ones, outputs."""


class X11Source:
    """Implements `memo.protocols.Source` on an X server."""

    name = "x11"

    def __init__(self, settings: Settings, home: Home) -> None:
        self.watching = threading.Event()

    def missing(self) -> str:
        """It needs an X server that lets this user in."""
        from Xlib.error import ConnectionClosedError, DisplayError

        name = server()
        if not name:
            return "No X server is known; start MEMO inside your desktop session, or set DISPLAY."
        try:
            with _connected(name) as display:
                guest = _is_guest(display)
        except (DisplayError, ConnectionClosedError, OSError) as error:
            return (
                f"The X server {clean(name)} can't be used ({_reason(error)}); "
                "set DISPLAY and XAUTHORITY as in your desktop session."
            )
        return "This is a Wayland session; its windows are seen by sway, wlroots or desktop." if guest else ""

    def run(self, emit: Callable[[Batch], None], cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Follow the focus until `stop` is set. Raises Xlib's errors where the server goes."""
        from collector.sources.x11.x11_screen import X11Screen

        with _connected(server()) as display:
            follow(self.name, X11Screen(display, Apps()), emit, stop, self.watching.set)


def server() -> str:
    """DISPLAY; without it this user's X server, where there is exactly one. Empty where none is known."""
    if named := os.environ.get("DISPLAY", ""):
        return named
    found = [path for path in SOCKETS.glob("X*") if _is_ours(path) and answers(path)]
    return f":{found[0].name[1:]}" if len(found) == 1 else ""


def _is_ours(path: Path) -> bool:
    return re.fullmatch(r"X\d+", path.name) is not None and path.stat().st_uid == os.getuid()


@contextmanager
def _connected(name: str) -> "Iterator[Display]":
    from Xlib.display import Display
    from Xlib.error import ConnectionClosedError

    display = Display(name)
    try:
        yield display
    finally:
        with suppress(ConnectionClosedError):  # the server has gone
            display.close()


def _is_guest(display: "Display") -> bool:
    if XWAYLAND in display.list_extensions():
        return True
    if not display.has_extension("RANDR"):
        return False
    found = display.screen().root.xrandr_get_screen_resources_current()
    names = [display.xrandr_get_output_info(output, found.config_timestamp).name for output in found.outputs]
    return any(name.startswith(XWAYLAND) for name in names)


def _reason(error: Exception) -> str:
    """What the server or the system said; the library has it as text or as bytes."""
    said = getattr(error, "msg", str(error))
    return clean(said.decode(errors="replace") if isinstance(said, bytes) else said).strip()
