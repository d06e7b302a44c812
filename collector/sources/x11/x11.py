"""Window focus under X11, by the server's notifications; nothing is polled."""

import asyncio
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from collector.focus.follow import follow
from collector.focus.hold_back import told_s
from collector.focus.presence import IDLE_S
from collector.focus.tracker import TITLE_GAP_S, FocusTracker
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.desktop.sockets import x_sockets
from memo.protocols import Emit, FindCursor, Stop

if TYPE_CHECKING:
    from Xlib.display import Display

ANSWER_S = 2.0  # for a server to answer that somebody connects
HELLO = struct.pack("<BxHHHHxx", ord("l"), 11, 0, 0, 0)  # version 11, without a key; a server that needs one says so
XWAYLAND = "XWAYLAND"  # extension of an X server inside a Wayland compositor; older ones prefix their outputs with it


class X11Source:
    """Implements `memo.protocols.Source` on an X server."""

    name = "x11"

    def __init__(
        self,
        settings: Settings,
        home: Home,
        idle_s: float = IDLE_S,
        title_gap_s: float = TITLE_GAP_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._answer_s = answer_s
        self._idle_s, self._title_gap_s, self._told_s = idle_s, title_gap_s, told_s(settings)
        self.watching = threading.Event()

    def missing(self) -> str:
        """Return that no X server of its own lets this user in, and the remedy; empty if one does."""
        from Xlib.error import ConnectionClosedError, DisplayError

        name = find_server()
        if not name:
            return "No X server is known; start MEMO inside your desktop session, or set DISPLAY."
        try:
            with connect(name, self._answer_s) as display:
                is_inside_wayland = is_xwayland(display)
        except (DisplayError, ConnectionClosedError, OSError) as error:
            return (
                f"Cannot connect to the X server {clean(name)} ({_reason(error)}); "
                "set DISPLAY and XAUTHORITY as in your desktop session."
            )
        return (
            "This is a Wayland session; its windows are seen by sway, wlroots or desktop." if is_inside_wayland else ""
        )

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Follow the focus until `stop` is set. Raises Xlib's errors if the server goes away."""
        from collector.sources.x11.x11_screen import X11Screen

        with connect(find_server()) as display:
            screen, tracker = X11Screen(display, Apps(), self._idle_s), FocusTracker(title_gap_s=self._title_gap_s)
            asyncio.run(follow(self.name, screen, emit, stop, self.watching.set, tracker=tracker, told_s=self._told_s))


def find_server() -> str:
    """Return DISPLAY, else this user's X server if there is exactly one; empty if none is known."""
    if name := os.environ.get("DISPLAY", ""):
        return name
    sockets = x_sockets()
    return f":{sockets[0].name[1:]}" if len(sockets) == 1 else ""


@contextmanager
def connect(name: str, answer_s: float = ANSWER_S) -> "Iterator[Display]":
    """Connect to an X server while the context lasts. Raises Xlib's errors if it does not let this user in."""
    from Xlib.display import Display
    from Xlib.error import ConnectionClosedError

    _check_answers(name, answer_s)
    display = Display(name)
    try:
        yield display
    finally:
        with suppress(ConnectionClosedError):  # the server is gone
            display.close()


def _check_answers(name: str, answer_s: float) -> None:
    """Raise DisplayConnectionError if a server hangs, for which Xlib would wait for ever."""
    from Xlib.error import DisplayConnectionError
    from Xlib.support.connect import get_display, get_socket

    with get_socket(*get_display(name)[:4]) as caller:  # type: ignore[arg-type]
        caller.settimeout(answer_s)
        try:
            caller.sendall(HELLO)
            caller.recv(1)
        except TimeoutError as error:
            raise DisplayConnectionError(name, "it does not answer") from error


def is_xwayland(display: "Display") -> bool:
    """Return whether an X server runs inside a Wayland compositor, so that it knows only some of the windows."""
    if XWAYLAND in display.list_extensions():
        return True
    if not display.has_extension("RANDR"):
        return False
    resources = display.screen().root.xrandr_get_screen_resources_current()
    outputs = [display.xrandr_get_output_info(output, resources.config_timestamp) for output in resources.outputs]
    return any(output.name.startswith(XWAYLAND) for output in outputs)


def _reason(error: Exception) -> str:
    """Return the server's or the system's message, which Xlib has as text or as bytes."""
    message = getattr(error, "msg", str(error))
    return clean(message.decode(errors="replace") if isinstance(message, bytes) else message).strip()
