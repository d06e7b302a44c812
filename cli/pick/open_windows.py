"""The windows that are open on this desktop, and how one is brought to the front: under sway, wlroots or X11."""

import json
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from collector.focus.tracker import Window, make_window
from collector.sources.wayland.sway import CONNECT_TIMEOUT_S, find_containers, is_passing, parse_window
from collector.sources.wayland.wayland import find_compositor, has_pywayland
from memo.core.errors import MemoError
from memo.core.events import Action
from memo.desktop.apps import Apps
from memo.desktop.i3_ipc import GET_TREE, RUN_COMMAND, ask
from memo.desktop.sockets import sway_socket
from memo.stack.spawn import child_environment, python_command


@dataclass(frozen=True, slots=True)
class OpenWindow:
    """An open window: the action of focusing it, and a function that does so; MemoError if the window is gone."""

    action: Action
    focus: Callable[[], None]


def find_open_windows(apps: Apps, answer_s: float = CONNECT_TIMEOUT_S) -> list[OpenWindow]:
    """Return the open windows, under X11 the top one first; none on a desktop that lists them in another way."""
    with suppress(OSError):
        if path := sway_socket():
            return _find_sway_windows(path, apps)
        if (path := find_compositor()) and has_pywayland() and (found := _find_wlroots_windows(path, apps, answer_s)):
            return found
        return _find_x11_windows(apps)
    return []


def _find_sway_windows(path: Path, apps: Apps) -> list[OpenWindow]:
    containers = list(find_containers(ask(path, GET_TREE, wait_s=CONNECT_TIMEOUT_S)))
    found = [parse_window(container, apps) for container in containers if not is_passing(container)]
    return [OpenWindow(window.action, partial(_focus_in_sway, path, window)) for window in found if window]


def _focus_in_sway(path: Path, window: Window) -> None:
    answers = ask(path, RUN_COMMAND, f"[con_id={int(window.key)}] focus", wait_s=CONNECT_TIMEOUT_S)
    if not (isinstance(answers, list) and answers and isinstance(answers[0], dict) and answers[0].get("success")):
        raise MemoError("The window is gone; pick again.")


def _find_wlroots_windows(display: Path, apps: Apps, answer_s: float) -> list[OpenWindow]:
    listed = _ask_wlroots(display, answer_s=answer_s).stdout
    return [
        OpenWindow(make_window(apps, "", [app_id], title).action, partial(_focus_in_wlroots, display, app_id, title))
        for app_id, title in (json.loads(listed) if listed else ())
    ]


def _focus_in_wlroots(display: Path, app_id: str, title: str) -> None:
    if _ask_wlroots(display, app_id, title).returncode:
        raise MemoError("The window is gone; pick again.")


def _ask_wlroots(
    display: Path, *window: str, answer_s: float = CONNECT_TIMEOUT_S
) -> subprocess.CompletedProcess[bytes]:
    """Return the result of a process that asks the compositor. Raises OSError if it gets no answer in time."""
    command = python_command("collector.sources.wayland.toplevel_list", str(display), *window)
    environment, silent = child_environment(), subprocess.DEVNULL
    try:
        return subprocess.run(
            command, stdin=silent, stdout=subprocess.PIPE, stderr=silent, env=environment, timeout=answer_s
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError("the compositor does not answer") from error


def _find_x11_windows(apps: Apps) -> list[OpenWindow]:
    from Xlib.error import ConnectionClosedError, DisplayError

    from collector.sources.x11.x11 import connect, find_server, is_xwayland
    from collector.sources.x11.x11_windows import X11Windows

    name = find_server()
    with suppress(DisplayError, ConnectionClosedError), connect(name) as display:
        if name and not is_xwayland(display):
            found = X11Windows(display, apps).find_open()
            return [OpenWindow(window.action, partial(_focus_in_x11, name, number)) for number, window in found]
    return []


def _focus_in_x11(name: str, number: int) -> None:
    from collector.sources.x11.x11 import connect
    from collector.sources.x11.x11_windows import X11Windows

    with connect(name) as display:
        X11Windows(display, Apps([])).activate(number)
