"""Window focus under compositors that list their windows by wlr-foreign-toplevel-management."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from collector.focus.follow import follow
from collector.focus.presence import PresenceSignal
from collector.focus.tracker import FocusTracker, Window, make_window
from collector.sources.wayland.sway import SwaySource
from collector.sources.wayland.wayland import (
    READ_BYTES,
    SIGNALS,
    exit_status,
    find_compositor,
    has_pywayland,
    run_probe,
    wait_readable,
)
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.desktop.sockets import sway_socket
from memo.protocols import Emit, FindCursor, Stop

MAX_LINE_BYTES = 1_000_000
STANDS_S = 5.0  # for the probe to tell what stands at the beginning


class WlrootsSource:
    """Implements `memo.protocols.Source` on a probe process that talks to the compositor."""

    name = "wlroots"

    def __init__(
        self,
        settings: Settings,
        home: Home,
        signals: Sequence[PresenceSignal] = SIGNALS,
        stands_s: float = STANDS_S,
    ) -> None:
        self._stands_s = stands_s
        self._sway = SwaySource.name in settings.sources.on
        self._signals = signals
        self._unsupported: tuple[Path, int] | None = None
        self.watching = threading.Event()

    def missing(self) -> str:
        """Return why a compositor can't be followed here, and the remedy; empty if one can. Sway has its own source."""
        if self._sway and sway_socket():
            return "It isn't needed: sway runs here, and the source sway notices the focus."
        display = find_compositor()
        if display is None:
            return "No Wayland compositor of yours runs here; once one does, it is found by its socket."
        if not has_pywayland():
            return "pywayland is not installed; `make env` installs it."
        if self._unsupported == _identity(display):
            return "This compositor does not list its windows; under GNOME and KDE, use the source desktop."
        return ""

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Follow the focus until `stop` is set. Raises ConnectionError if the compositor goes away."""
        display = find_compositor()
        if display is None:
            raise ConnectionError("the compositor is gone")
        with run_probe("collector.sources.wayland.toplevel_probe", str(display)) as child:
            assert child.stdout is not None
            screen = ToplevelScreen(child.stdout, Apps())
            wait_readable(
                screen, stop, time.monotonic() + self._stands_s
            )  # so that the first `read` reports what stands
            try:
                asyncio.run(follow(self.name, screen, emit, stop, self.watching.set, self._signals))
            except ConnectionError:
                if exit_status(child) == os.EX_UNAVAILABLE:
                    self._unsupported = _identity(display)
                raise


class ToplevelScreen:
    """Implements `collector.focus.follow.Screen` on the probe's output."""

    def __init__(self, output: IO[bytes], apps: Apps) -> None:
        self._file, self._apps = output.fileno(), apps
        self._rest = b""
        os.set_blocking(self._file, False)

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._file

    def read(self, focus: FocusTracker) -> None:
        """Report what the probe has written. Raises ConnectionError if it has ended."""
        try:
            data = os.read(self._file, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError("the compositor has closed the connection")
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise ValueError("the probe wrote a line that is too long")
        for line in lines:
            focus.set_window(self._parse(line), time.monotonic())

    def _parse(self, line: bytes) -> Window | None:
        window = json.loads(line)
        if window is None:
            return None
        number, app_id, title = window
        return make_window(self._apps, str(number), [app_id], title)


def _identity(display: Path) -> tuple[Path, int]:
    """Return what tells a compositor from the next one, which creates its socket again."""
    return display, display.stat().st_ctime_ns
