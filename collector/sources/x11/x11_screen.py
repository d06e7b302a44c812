"""The window of an X server that has the focus, and whether somebody is there."""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.error import XError
from Xlib.protocol import rq
from Xlib.xobject.drawable import Window as XWindow

from collector.focus.tracker import FocusTracker, Window
from collector.sources.x11.x11_idle import IdleAlarm
from collector.sources.x11.x11_windows import X11Windows
from memo.core.system_zone import local_now
from memo.desktop.apps import Apps


class X11Screen:
    """Implements `collector.focus.follow.Screen` on a display. Source: Extended Window Manager Hints 1.5, ICCCM 2.0."""

    def __init__(self, display: Display, apps: Apps, idle_s: float) -> None:
        self._display, self._windows, self._idle_s = display, X11Windows(display, apps), idle_s
        self._idle = IdleAlarm(display, idle_s)
        self._active: XWindow | None = None
        self._window: Window | None = None
        self._is_passing = self._is_renamed = False
        self._windows.root.change_attributes(event_mask=X.PropertyChangeMask)
        self._changed = True

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._display.fileno()

    def read(self, focus: FocusTracker) -> None:
        """Process all pending events. Raises ConnectionClosedError if the server is gone."""
        while True:
            while self._display.pending_events():
                self._handle(self._display.next_event(), focus)
            if not self._changed:
                return
            self._changed, now = False, time.monotonic()  # taken first: reading a window takes a while
            window = self._read_focused()
            if not self._is_passing:
                focus.set_window(window, now)

    def _handle(self, event: rq.Event, focus: FocusTracker) -> None:
        is_idle = self._idle.is_idle(event)
        if is_idle:
            focus.set_away("idle", local_now() - timedelta(seconds=self._idle_s))
        elif is_idle is not None:
            focus.set_back("idle")
        elif event.type == X.DestroyNotify:  # a window manager need not report that the last window is gone
            self._active, self._changed = None, True
        elif event.type == X.PropertyNotify:
            self._is_renamed |= event.atom == Xatom.WM_CLASS
            self._changed |= event.atom in (self._windows.active_atom, *self._windows.title_atoms, Xatom.WM_CLASS)

    def _read_focused(self) -> Window | None:
        """Return the focused window; None if there is none, or it is gone already."""
        with suppress(XError):
            number = self._windows.active_number()
            if self._active is None or number != self._active.id:
                self._subscribe(number)
            elif self._is_renamed:  # LibreOffice gives a window its class once it knows what is in it
                self._window = self._windows.describe(self._active)
            self._is_renamed = False
            if self._active is not None and self._window is not None:
                return replace(self._window, title=self._windows.title(self._active))
        return None

    def _subscribe(self, number: int) -> None:
        """Subscribe to changes of this window instead of the one before."""
        if self._active is not None:
            self._active.change_attributes(event_mask=X.NoEventMask)
        self._active, self._is_passing = None, False
        if number:
            window = self._windows.get(number)
            window.change_attributes(event_mask=X.PropertyChangeMask | X.StructureNotifyMask)
            self._window = self._windows.describe(window)
            self._active, self._is_passing = window, self._windows.passes(window)
