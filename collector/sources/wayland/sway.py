"""The focus under sway, by its own socket: app id, title and process of the window that has it."""

import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from collector.focus.follow import follow
from collector.focus.presence import logind
from collector.focus.tracker import FocusTracker, Window
from collector.focus.window import window_of
from collector.sources.wayland.i3_ipc import GET_TREE, SUBSCRIBE, WINDOW, WORKSPACE, Frames, message
from collector.sources.wayland.wayland import idle
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.desktop.sockets import sway_socket
from memo.protocols import Batch, Stop

ANSWER_S = 5.0
READ = 65_536
"""Bytes at once."""


class SwaySource:
    """Implements `memo.protocols.Source` on sway's socket."""

    name = "sway"

    def __init__(self, settings: Settings, home: Home) -> None:
        self.watching = threading.Event()

    def missing(self) -> str:
        """It needs a sway that runs."""
        return "" if sway_socket() else "No sway of yours runs here; where one does, it is found by its socket."

    def run(self, emit: Callable[[Batch], None], cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Follow the focus until `stop` is set. Raises ConnectionError where sway has gone."""
        path = sway_socket()
        if path is None:
            raise ConnectionError("sway has gone")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(path))
            follow(self.name, SwayScreen(connection, Apps()), emit, stop, self.watching.set, (logind, idle))


class SwayScreen:
    """Implements `collector.focus.follow.Screen` on a connection to sway."""

    def __init__(self, connection: socket.socket, apps: Apps) -> None:
        self._connection, self._apps = connection, apps
        self._frames = Frames()
        self._id: int | None = None
        connection.sendall(message(SUBSCRIBE, json.dumps(["window", "workspace"])) + message(GET_TREE))
        connection.setblocking(False)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._connection.fileno()

    def read(self, focus: FocusTracker) -> None:
        """Tell what sway has said. Raises ConnectionError where it has gone."""
        try:
            data = self._connection.recv(READ)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError("sway has closed its socket")
        for kind, said in self._frames.feed(data):
            if isinstance(said, dict):
                self._take(kind, said, focus)

    def _take(self, kind: int, said: dict[str, Any], focus: FocusTracker) -> None:
        if kind == GET_TREE:
            self._focus(focused(said), focus)
        elif kind == WORKSPACE and said.get("change") == "focus":
            self._focus(None, focus)  # where it has a window, that is told next
        elif kind == WINDOW and isinstance(container := said.get("container"), dict):
            ours = container.get("id") == self._id
            if said.get("change") == "focus" or (said.get("change") == "title" and ours):
                self._focus(container, focus)
            elif said.get("change") == "close" and ours:
                self._focus(None, focus)
            elif said.get("change") == "move" and ours:
                self._connection.send(message(GET_TREE))  # it may be out of sight now

    def _focus(self, container: dict[str, Any] | None, focus: FocusTracker) -> None:
        window = None if container is None else self._window(container)
        self._id = container["id"] if container and window else None
        focus.see(window, time.monotonic())

    def _window(self, container: dict[str, Any]) -> Window | None:
        """None for a container of windows."""
        properties = container.get("window_properties")
        names = [container.get("app_id")]
        if isinstance(properties, dict):  # of a program for X11
            names += [properties.get("instance"), properties.get("class")]
        pid, number, title = (container.get(key) for key in ("pid", "id", "name"))
        if not isinstance(number, int) or not isinstance(pid, int) or container.get("nodes"):
            return None
        given = [name for name in names if isinstance(name, str)]
        return window_of(self._apps, str(number), given, title if isinstance(title, str) else "", pid)


def focused(tree: dict[str, Any]) -> dict[str, Any] | None:
    """The container of a tree that has the focus."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if node.get("focused") is True and node.get("type") in ("con", "floating_con"):
            return node
        for key in ("nodes", "floating_nodes"):
            below = node.get(key)
            waiting += [child for child in below if isinstance(child, dict)] if isinstance(below, list) else []
    return None
