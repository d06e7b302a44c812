"""Window focus under sway, over its own socket, which gives a window's app id, title and process."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from collector.focus.follow import follow
from collector.focus.hold_back import told_s
from collector.focus.presence import PresenceSignal
from collector.focus.tracker import PASSING, FocusTracker, Window, make_window
from collector.sources.wayland.wayland import READ_BYTES, SIGNALS, wait_readable
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.desktop.i3_ipc import GET_TREE, SUBSCRIBE, WINDOW, WORKSPACE, Message, MessageReader, message
from memo.desktop.sockets import sway_socket
from memo.protocols import Emit, FindCursor, Stop

CONNECT_TIMEOUT_S = 5.0
STANDS_S = 5.0  # for sway to tell what stands at the beginning


class SwaySource:
    """Implements `memo.protocols.Source` on sway's socket."""

    name = "sway"

    def __init__(
        self,
        settings: Settings,
        home: Home,
        signals: Sequence[PresenceSignal] = SIGNALS,
        stands_s: float = STANDS_S,
    ) -> None:
        self._stands_s = stands_s
        self._signals, self._told_s = signals, told_s(settings)
        self.watching = threading.Event()

    def missing(self) -> str:
        """Return that no sway runs, and the remedy; empty if one does."""
        return "" if sway_socket() else "No sway of yours runs here; once one does, it is found by its socket."

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Follow the focus until `stop` is set. Raises ConnectionError if sway goes away."""
        path = sway_socket()
        if path is None:
            raise ConnectionError("sway is gone")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CONNECT_TIMEOUT_S)
            connection.connect(str(path))
            screen = SwayScreen(connection, Apps())
            screen.wait_for_tree(stop, time.monotonic() + self._stands_s)
            asyncio.run(follow(self.name, screen, emit, stop, self.watching.set, self._signals, told_s=self._told_s))


class SwayScreen:
    """Implements `collector.focus.follow.Screen` on a connection to sway."""

    def __init__(self, connection: socket.socket, apps: Apps) -> None:
        self._connection, self._apps = connection, apps
        self._messages = MessageReader()
        self._focused_id: int | None = None
        connection.sendall(message(SUBSCRIBE, json.dumps(["window", "workspace"])) + message(GET_TREE))
        connection.setblocking(False)
        self._unread = list[Message]()

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._connection.fileno()

    def wait_for_tree(self, stop: Stop, deadline: float) -> None:
        """Wait until the tree is there, so that the next `read` reports what stands."""
        while not any(kind == GET_TREE for kind, _ in self._unread) and wait_readable(self, stop, deadline):
            self._unread += self._messages.feed(self._receive())

    def read(self, focus: FocusTracker) -> None:
        """Report what sway has sent. Raises ConnectionError if it is gone."""
        messages, self._unread = self._unread, []
        with suppress(BlockingIOError):
            messages += self._messages.feed(self._receive())
        for kind, payload in messages:
            if isinstance(payload, dict):
                self._handle(kind, payload, focus)

    def _receive(self) -> bytes:
        data = self._connection.recv(READ_BYTES)
        if not data:
            raise ConnectionResetError("sway has closed its socket")
        return data

    def _handle(self, kind: int, payload: dict[str, Any], focus: FocusTracker) -> None:
        change = payload.get("change")
        if kind == GET_TREE:
            self._set_focus(find_focused(payload), focus)
        elif kind == WORKSPACE and change == "focus":
            self._set_focus(None, focus)  # if the workspace has a window, its own event follows
        elif kind == WINDOW and isinstance(container := payload.get("container"), dict):
            is_focused = container.get("id") == self._focused_id
            if change == "focus" or (change == "title" and is_focused):
                self._set_focus(container, focus)
            elif change == "close" and is_focused:
                self._set_focus(None, focus)
            elif change == "move" and is_focused:
                self._connection.send(message(GET_TREE))  # it may be out of sight now

    def _set_focus(self, container: dict[str, Any] | None, focus: FocusTracker) -> None:
        if container is not None and is_passing(container):
            return
        window = None if container is None else parse_window(container, self._apps)
        self._focused_id = container["id"] if container and window else None
        focus.set_window(window, time.monotonic())


def parse_window(container: dict[str, Any], apps: Apps) -> Window | None:
    """Return the window in a container; None for a container of windows."""
    properties = container.get("window_properties")
    names = [container.get("app_id")]
    if isinstance(properties, dict):  # of an X11 program
        names += [properties.get("instance"), properties.get("class")]
    pid, number, title = (container.get(key) for key in ("pid", "id", "name"))
    if not isinstance(number, int) or not isinstance(pid, int) or container.get("nodes"):
        return None
    text_names = [name for name in names if isinstance(name, str)]
    return make_window(apps, str(number), text_names, title if isinstance(title, str) else "", pid)


def is_passing(container: dict[str, Any]) -> bool:
    """Return whether the window of an X11 program, such as a dialog, only passes before the one behind it."""
    properties = container.get("window_properties")
    if not isinstance(properties, dict):
        return False
    return properties.get("window_type") in PASSING or properties.get("transient_for") is not None


def find_focused(tree: dict[str, Any]) -> dict[str, Any] | None:
    """Return the focused container of a tree, or None."""
    return next((node for node in find_containers(tree) if node.get("focused") is True), None)


def find_containers(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield the containers of a tree, those of windows and those of containers; none of an answer that is no tree."""
    remaining = [tree] if isinstance(tree, dict) else []
    while remaining:
        node = remaining.pop()
        if node.get("type") in ("con", "floating_con"):
            yield node
        for key in ("nodes", "floating_nodes"):
            children = node.get(key)
            if isinstance(children, list):
                remaining += [child for child in children if isinstance(child, dict)]
