"""The focus under GNOME and KDE: an extension or script in them, shipped in `collector/desktop`, tells it by D-Bus."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any

from collector.focus.follow import attend
from collector.focus.presence import logind
from collector.focus.tracker import FocusTracker
from collector.focus.window import window_of
from collector.sources.wayland.wayland import idle
from collector.sources.x11.x11 import X11Source
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.desktop.sockets import session_bus
from memo.protocols import Batch, Stop

APART_S = 0.05
"""Between two calls that count; of those that come closer, the last one does."""


class DesktopSource:
    """Implements `memo.protocols.Source` on the session bus."""

    name = "desktop"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._x11 = X11Source(settings, home) if X11Source.name in settings.sources.on else None
        self.watching = threading.Event()

    def missing(self) -> str:
        """It needs a session bus; under X11 the focus is seen without it."""
        if self._x11 and not self._x11.missing():
            return "It isn't needed: this is an X11 session, and the source x11 notices the focus."
        return "" if session_bus() else "No session bus was found; start MEMO inside your desktop session."

    def run(self, emit: Callable[[Batch], None], cursor: Callable[[str], dict[str, Any] | None], stop: Stop) -> None:
        """Take calls until `stop` is set. Raises ConnectionError where the bus has gone."""
        asyncio.run(self._serve(emit, stop))

    async def _serve(self, emit: Callable[[Batch], None], stop: Stop) -> None:
        from collector.sources.wayland.desktop_bus import serving

        screen = DesktopScreen(Apps())
        try:
            async with serving(session_bus(), screen.told, screen.lost):
                await attend(self.name, screen, emit, stop, self.watching.set, (logind, idle))
        finally:
            screen.close()


class DesktopScreen:
    """Implements `collector.focus.follow.Screen` on what is told by calls. Close it at the end."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps
        self._file = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._newest: tuple[str, str, str, int] | None = None
        self._passed = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._lost = False

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._file

    def told(self, window: str, app_id: str, title: str, pid: int) -> None:
        """A desktop says what has the focus."""
        self._newest = (window, app_id.removesuffix(".desktop"), title, pid)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._passed + APART_S, self._wake)

    def lost(self) -> None:
        """The bus has gone."""
        self._lost = True
        self._wake()

    def _wake(self) -> None:
        os.eventfd_write(self._file, 1)

    def read(self, focus: FocusTracker) -> None:
        """Tell what was told last. Raises ConnectionError where the bus has gone."""
        try:
            os.eventfd_read(self._file)
        except BlockingIOError:
            return
        if self._lost:
            raise ConnectionResetError("the session bus has gone")
        if self._newest is not None:
            window, app_id, title, pid = self._newest
            known = app_id or title
            key = window or f"{app_id} {pid}"
            focus.see(window_of(self._apps, key, [app_id], title, pid) if known else None, time.monotonic())
        self._newest, self._timer, self._passed = None, None, asyncio.get_running_loop().time()

    def close(self) -> None:
        """Give the descriptor back; a timer finds none any more."""
        if self._timer is not None:
            self._timer.cancel()
        os.close(self._file)
