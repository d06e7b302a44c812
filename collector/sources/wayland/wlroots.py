"""The focus under compositors that tell of all windows by wlr-foreign-toplevel-management, as wlroots' do."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from collector.focus.follow import follow
from collector.focus.presence import logind
from collector.focus.tracker import FocusTracker, Window
from collector.focus.window import window_of
from collector.sources.wayland.sway import SwaySource
from collector.sources.wayland.wayland import can_speak, compositor, idle, speaking
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.desktop.sockets import sway_socket
from memo.protocols import Batch, Stop

READ, LONGEST = 65_536, 1_000_000
"""Bytes at once, and of a line."""


class WlrootsSource:
    """Implements `memo.protocols.Source` on a child process, which speaks with the compositor."""

    name = "wlroots"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._sway = SwaySource.name in settings.sources.on
        self._unfit: tuple[Path, int] | None = None
        self.watching = threading.Event()

    def missing(self) -> str:
        """It needs a compositor that tells of its windows, and pywayland; sway's own socket tells more."""
        if self._sway and sway_socket():
            return "It isn't needed: sway runs here, and the source sway notices the focus."
        display = compositor()
        if display is None:
            return "No Wayland compositor of yours runs here; where one does, it is found by its socket."
        if not can_speak():
            return "pywayland is not installed; get it with: pip install 'memo-daemon[wayland]'."
        if self._unfit == _identity(display):
            return (
                "This compositor tells nobody of its windows; under GNOME and KDE the source desktop notices the focus."
            )
        return ""

    def run(self, emit: Callable[[Batch], None], cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Follow the focus until `stop` is set. Raises ConnectionError where the compositor has gone."""
        display = compositor()
        if display is None:
            raise ConnectionError("the compositor has gone")
        with speaking("collector.sources.wayland.toplevel_probe", str(display)) as child:
            assert child.stdout is not None
            try:
                follow(self.name, ToplevelScreen(child.stdout, Apps()), emit, stop, self.watching.set, (logind, idle))
            except ConnectionError:
                if child.wait() == os.EX_UNAVAILABLE:
                    self._unfit = _identity(display)
                raise


class ToplevelScreen:
    """Implements `collector.focus.follow.Screen` on what the child writes."""

    def __init__(self, lines: IO[bytes], apps: Apps) -> None:
        self._file, self._apps = lines.fileno(), apps
        self._rest = b""
        os.set_blocking(self._file, False)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._file

    def read(self, focus: FocusTracker) -> None:
        """Tell what the child has written. Raises ConnectionError where it has ended."""
        try:
            data = os.read(self._file, READ)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError("the compositor has closed the connection")
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST:
            raise ValueError("the child wrote a line without an end")
        for line in lines:
            focus.see(self._window(line), time.monotonic())

    def _window(self, line: bytes) -> Window | None:
        said = json.loads(line)
        if said is None:
            return None
        number, app_id, title = said
        return window_of(self._apps, str(number), [app_id], title)


def _identity(display: Path) -> tuple[Path, int]:
    """A compositor that starts anew makes its socket anew."""
    return display, display.stat().st_ctime_ns
