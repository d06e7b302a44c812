"""The windows of an X server: which one has the focus, and what it is called."""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.error import XError
from Xlib.ext.res import LocalClientPIDMask
from Xlib.protocol import rq
from Xlib.xobject.drawable import Window as XWindow

from collector.focus.presence import IDLE_S
from collector.focus.tracker import FocusTracker, Window
from collector.launch import proc
from collector.sources.x11 import compound_text
from collector.sources.x11.x11_idle import IdleAlarm
from memo.core.grammar import MAX_TEXT
from memo.desktop.apps import Apps

LONGEST = MAX_TEXT
"""Of a text that is read, in units of 4 bytes: the most that a character takes."""


class X11Screen:
    """Implements `collector.focus.follow.Screen` on a display. Source: Extended Window Manager Hints 1.5, ICCCM 2.0."""

    def __init__(self, display: Display, apps: Apps) -> None:
        display.set_error_handler(lambda *_: None)  # of requests without an answer: it would print them
        self._display, self._apps = display, apps
        self._root = display.screen().root
        self._active_atom = display.intern_atom("_NET_ACTIVE_WINDOW")
        self._title_atoms = (display.intern_atom("_NET_WM_NAME"), Xatom.WM_NAME)
        self._resources = display.has_extension("X-Resource")
        self._idle = IdleAlarm(display, IDLE_S)
        self._active: XWindow | None = None
        self._window: Window | None = None
        self._root.change_attributes(event_mask=X.PropertyChangeMask)
        self._changed = True

    def fileno(self) -> int:
        """The descriptor of the connection."""
        return self._display.fileno()

    def read(self, focus: FocusTracker) -> None:
        """Take in all that the server has said. Raises ConnectionClosedError where it has gone."""
        while True:
            while self._display.pending_events():
                self._take(self._display.next_event(), focus)
            if not self._changed:
                return
            self._changed, now = False, time.monotonic()  # the looks at a window take some time
            focus.see(self._look(), now)

    def _take(self, event: rq.Event, focus: FocusTracker) -> None:
        idle = self._idle.begins(event)
        if idle:
            focus.away("idle", datetime.now().astimezone() - timedelta(seconds=IDLE_S))
        elif idle is not None:
            focus.back("idle")
        elif event.type == X.DestroyNotify:  # a window manager need not tell that of the last window
            self._active, self._changed = None, True
        elif event.type == X.PropertyNotify:
            self._changed |= event.atom in (self._active_atom, *self._title_atoms)

    def _look(self) -> Window | None:
        """The window that has the focus; None for one that has gone meanwhile, too."""
        with suppress(XError):
            number = self._number()
            if self._active is None or number != self._active.id:
                self._follow(number)
            if self._active is not None and self._window is not None:
                return replace(self._window, title=self._title(self._active))
        return None

    def _number(self) -> int:
        found = self._root.get_property(self._active_atom, Xatom.WINDOW, 0, 1)
        return int(found.value[0]) if found and len(found.value) else 0

    def _follow(self, number: int) -> None:
        """Be told of changes of this window, no more of those of the one before."""
        if self._active is not None:
            self._active.change_attributes(event_mask=X.NoEventMask)
        self._active = None
        if number:
            window = self._display.create_resource_object("window", number)
            window.change_attributes(event_mask=X.PropertyChangeMask | X.StructureNotifyMask)
            self._window = self._described(window)
            self._active = window

    def _described(self, window: XWindow) -> Window:
        """All but the title, which alone changes."""
        names = [_decoded(name) for name in self._text(window, Xatom.WM_CLASS).split(b"\0") if name]
        pid = self._pid(window.id)
        process = proc.read(pid)
        executable = process.executable if process else ""
        # a number is given again to a window that another process makes later
        return Window(f"{window.id}:{pid}", "", self._apps.of_window(names, executable), executable)

    def _pid(self, number: int) -> int:
        """By the server, which knows it of each window; what a window says of itself may be of another machine."""
        with suppress(XError):
            if self._resources:
                asked = [{"client": number, "mask": LocalClientPIDMask}]
                return next(
                    (int(one.value[0]) for one in self._display.res_query_client_ids(asked).ids if one.value), 0
                )
        return 0

    def _title(self, window: XWindow) -> str:
        name, old_name = (self._text(window, atom) for atom in self._title_atoms)
        if name:
            return name.decode(errors="replace")
        return compound_text.decode(old_name) if b"\x1b" in old_name else _decoded(old_name)

    def _text(self, window: XWindow, atom: int) -> bytes:
        found = window.get_property(atom, X.AnyPropertyType, 0, LONGEST)
        return bytes(found.value) if found and found.format == 8 else b""


def _decoded(text: bytes) -> str:
    """Of a text that should be Latin-1, but that many programs write as UTF-8."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")
