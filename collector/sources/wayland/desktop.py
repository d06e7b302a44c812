"""Window focus under GNOME and KDE, reported over D-Bus by the extension or script in `collector/desktop`."""

import asyncio
import os
import threading
import time
from contextlib import AsyncExitStack

from collector.focus.follow import follow, until_stopped
from collector.focus.hold_back import told_s
from collector.focus.tracker import FocusTracker, make_window
from collector.sources.wayland.wayland import SIGNALS, wait_readable
from collector.sources.x11.x11 import X11Source
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop.apps import Apps
from memo.desktop.sockets import session_bus
from memo.protocols import Emit, FindCursor, Stop

ANSWER_S = 5.0  # for the bus to answer
STANDS_S = 1.0  # for GNOME's extension to answer that MEMO is there; KDE's script reports changes only
MIN_GAP_S = 0.05  # between two calls that count; of calls in quick succession only the last one does


class DesktopSource:
    """Implements `memo.protocols.Source` on the session bus."""

    name = "desktop"

    def __init__(self, settings: Settings, home: Home, stands_s: float = STANDS_S, answer_s: float = ANSWER_S) -> None:
        self._stands_s, self._answer_s = stands_s, answer_s
        self._x11 = X11Source(settings, home) if X11Source.name in settings.sources.on else None
        self._told_s = told_s(settings)
        self.watching = threading.Event()

    def missing(self) -> str:
        """Return that there is no session bus, and the remedy; empty if there is one. X11 has its own source."""
        if self._x11 and not self._x11.missing():
            return "It isn't needed: this is an X11 session, and the source x11 notices the focus."
        return "" if session_bus() else "No session bus was found; start MEMO inside your desktop session."

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Serve calls until `stop` is set. Raises ConnectionError if the bus goes away."""
        asyncio.run(self._serve(emit, stop))

    async def _serve(self, emit: Emit, stop: Stop) -> None:
        from collector.sources.wayland.desktop_bus import serve

        screen = DesktopScreen(Apps())
        try:
            async with AsyncExitStack() as serving:
                async with until_stopped(stop):
                    await serving.enter_async_context(
                        serve(session_bus(), screen.set_focus, screen.lose, self._answer_s)
                    )
                await asyncio.to_thread(wait_readable, screen, stop, time.monotonic() + self._stands_s)
                await follow(self.name, screen, emit, stop, self.watching.set, SIGNALS, told_s=self._told_s)
        finally:
            screen.close()


class DesktopScreen:
    """Implements `collector.focus.follow.Screen` on D-Bus calls. Close it at the end."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps
        self._file = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._latest: tuple[str, str, str, int] | None = None
        self._read_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._lost = False

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._file

    def set_focus(self, window: str, app_id: str, title: str, pid: int) -> None:
        """Record a call that reports the focused window."""
        self._latest = (window, app_id.removesuffix(".desktop"), title, pid)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_at(self._read_at + MIN_GAP_S, self._wake)

    def lose(self) -> None:
        """Record that the bus is gone."""
        self._lost = True
        self._wake()

    def _wake(self) -> None:
        os.eventfd_write(self._file, 1)

    def read(self, focus: FocusTracker) -> None:
        """Report the latest call. Raises ConnectionError if the bus is gone."""
        try:
            os.eventfd_read(self._file)
        except BlockingIOError:
            return
        if self._lost:
            raise ConnectionResetError("the session bus is gone")
        if self._latest is not None:
            window, app_id, title, pid = self._latest
            key = window or f"{app_id} {pid}"
            found = make_window(self._apps, key, [app_id], title, pid) if app_id or title else None
            focus.set_window(found, time.monotonic())
        self._latest, self._timer, self._read_at = None, None, asyncio.get_running_loop().time()

    def close(self) -> None:
        """Close the descriptor and cancel the timer that would write to it."""
        if self._timer is not None:
            self._timer.cancel()
        os.close(self._file)
