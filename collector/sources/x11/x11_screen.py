"""The windows of an X server: which one has the focus, and its title, app and process."""

import time
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.error import XError
from Xlib.ext.res import LocalClientPIDMask
from Xlib.protocol import rq
from Xlib.xobject.drawable import Window as XWindow

from collector.focus.presence import IDLE_S
from collector.focus.tracker import FocusTracker, Window, make_window
from collector.sources.x11 import compound_text
from collector.sources.x11.x11_idle import IdleAlarm
from memo.core.grammar import MAX_TEXT
from memo.core.system_zone import local_now
from memo.desktop.apps import Apps

MAX_ATOMS = 32
# Types and states of windows that only pass; a dialog that belongs to no other window does not.
PASSING = tuple(
    f"_NET_WM_WINDOW_TYPE_{kind}"
    for kind in (
        "SPLASH",
        "UTILITY",
        "TOOLBAR",
        "MENU",
        "DROPDOWN_MENU",
        "POPUP_MENU",
        "TOOLTIP",
        "NOTIFICATION",
        "COMBO",
    )
) + ("_NET_WM_STATE_SKIP_TASKBAR",)


class X11Screen:
    """Implements `collector.focus.follow.Screen` on a display. Source: Extended Window Manager Hints 1.5, ICCCM 2.0."""

    def __init__(self, display: Display, apps: Apps, idle_s: float = IDLE_S) -> None:
        display.set_error_handler(lambda *_: None)  # Xlib would print errors of requests without a reply
        self._display, self._apps, self._idle_s = display, apps, idle_s
        self._root = display.screen().root
        self._active_atom = display.intern_atom("_NET_ACTIVE_WINDOW")
        self._title_atoms = (display.intern_atom("_NET_WM_NAME"), Xatom.WM_NAME)
        self._has_pids = display.has_extension("X-Resource")
        self._idle = IdleAlarm(display, idle_s)
        self._kind_atom, self._state_atom = map(display.intern_atom, ("_NET_WM_WINDOW_TYPE", "_NET_WM_STATE"))
        self._passing = frozenset(map(display.intern_atom, PASSING))
        self._active: XWindow | None = None
        self._window: Window | None = None
        self._is_passing = False
        self._root.change_attributes(event_mask=X.PropertyChangeMask)
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
            self._changed |= event.atom in (self._active_atom, *self._title_atoms)

    def _read_focused(self) -> Window | None:
        """Return the focused window; None if there is none, or it is gone already."""
        with suppress(XError):
            number = self._active_number()
            if self._active is None or number != self._active.id:
                self._subscribe(number)
            if self._active is not None and self._window is not None:
                return replace(self._window, title=self._title(self._active))
        return None

    def _active_number(self) -> int:
        found = self._root.get_property(self._active_atom, Xatom.WINDOW, 0, 1)
        return int(found.value[0]) if found and len(found.value) else 0

    def _subscribe(self, number: int) -> None:
        """Subscribe to changes of this window instead of the one before."""
        if self._active is not None:
            self._active.change_attributes(event_mask=X.NoEventMask)
        self._active, self._is_passing = None, False
        if number:
            window = self._display.create_resource_object("window", number)
            window.change_attributes(event_mask=X.PropertyChangeMask | X.StructureNotifyMask)
            self._window = self._describe(window)
            self._active, self._is_passing = window, self._passes(window)

    def _passes(self, window: XWindow) -> bool:
        """Return whether a window, such as a dialog or a splash screen, only passes before the one behind it."""
        kinds = {*self._atoms(window, self._kind_atom), *self._atoms(window, self._state_atom)}
        return bool(kinds & self._passing) or window.get_wm_transient_for() is not None

    def _atoms(self, window: XWindow, name: int) -> list[int]:
        found = window.get_property(name, Xatom.ATOM, 0, MAX_ATOMS)
        return list(found.value) if found else []

    def _describe(self, window: XWindow) -> Window:
        """Return the window without its title, which alone changes."""
        names = [_decode(name) for name in self._text(window, Xatom.WM_CLASS).split(b"\0") if name]
        pid = self._pid(window.id)
        return make_window(self._apps, f"{window.id}:{pid}", names, "", pid)  # the server reuses numbers

    def _pid(self, number: int) -> int:
        """Return the process id that the server knows; the window's own claim may be from another machine."""
        with suppress(XError):
            if self._has_pids:
                query = [{"client": number, "mask": LocalClientPIDMask}]
                ids = self._display.res_query_client_ids(query).ids
                return next((int(found.value[0]) for found in ids if found.value), 0)
        return 0

    def _title(self, window: XWindow) -> str:
        name, old_name = (self._text(window, atom) for atom in self._title_atoms)
        if name:
            return name.decode(errors="replace")
        return compound_text.decode(old_name) if b"\x1b" in old_name else _decode(old_name)

    def _text(self, window: XWindow, atom: int) -> bytes:
        found = window.get_property(atom, X.AnyPropertyType, 0, MAX_TEXT)  # units of 4 bytes, a character's maximum
        return bytes(found.value) if found and found.format == 8 else b""


def _decode(text: bytes) -> str:
    """Decode a text that should be Latin-1 but that many programs write as UTF-8."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")
