"""The windows of an X server: their titles, apps and processes, and how one is brought to the front."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.error import XError
from Xlib.ext.res import LocalClientPIDMask
from Xlib.protocol.event import ClientMessage
from Xlib.xobject.drawable import Window as XWindow

from collector.focus.tracker import PASSING, Window, make_window
from collector.sources.x11 import compound_text
from memo.core.grammar import MAX_TEXT
from memo.desktop.apps import Apps

MAX_ATOMS = 32
MAX_WINDOWS = 1_000
BY_PERSON = 2  # source of a request: the person, through a program such as a pager, so that it is granted


class X11Windows:
    """Reads the windows of a display. Source: Extended Window Manager Hints 1.5, ICCCM 2.0."""

    def __init__(self, display: Display, apps: Apps) -> None:
        display.set_error_handler(lambda *_: None)  # Xlib would print errors of requests without a reply
        self._display, self._apps = display, apps
        self.root = display.screen().root
        self.active_atom = display.intern_atom("_NET_ACTIVE_WINDOW")
        self.title_atoms = (display.intern_atom("_NET_WM_NAME"), Xatom.WM_NAME)
        self._has_pids = display.has_extension("X-Resource")
        self._stacking_atom = display.intern_atom("_NET_CLIENT_LIST_STACKING")
        self._kind_atom, self._state_atom = map(display.intern_atom, ("_NET_WM_WINDOW_TYPE", "_NET_WM_STATE"))
        passing = (*(f"_NET_WM_WINDOW_TYPE_{kind.upper()}" for kind in PASSING), "_NET_WM_STATE_SKIP_TASKBAR")
        self._passing = frozenset(map(display.intern_atom, passing))

    def find_open(self) -> Iterator[tuple[int, Window]]:
        """Yield the numbers of the windows that a person can go to, and the windows, the top one first."""
        found = self.root.get_property(self._stacking_atom, Xatom.WINDOW, 0, MAX_WINDOWS)
        for number in reversed(found.value if found else ()):
            window = self.get(int(number))
            with suppress(XError):  # it is gone already
                if not self.passes(window):
                    yield int(number), replace(self.describe(window), title=self.title(window))

    def activate(self, number: int) -> None:
        """Ask the window manager to bring a window to the front."""
        data = (32, [BY_PERSON, X.CurrentTime, 0, 0, 0])
        message = ClientMessage(window=self.get(number), client_type=self.active_atom, data=data)
        self.root.send_event(message, event_mask=X.SubstructureRedirectMask | X.SubstructureNotifyMask)
        self._display.sync()

    def get(self, number: int) -> XWindow:
        """Return the window with a number."""
        return self._display.create_resource_object("window", number)

    def active_number(self) -> int:
        """Return the number of the window in front, or 0."""
        found = self.root.get_property(self.active_atom, Xatom.WINDOW, 0, 1)
        return int(found.value[0]) if found and len(found.value) else 0

    def passes(self, window: XWindow) -> bool:
        """Return whether a window, such as a dialog or a splash screen, only passes before the one behind it."""
        kinds = {*self._atoms(window, self._kind_atom), *self._atoms(window, self._state_atom)}
        return bool(kinds & self._passing) or window.get_wm_transient_for() is not None

    def _atoms(self, window: XWindow, name: int) -> list[int]:
        found = window.get_property(name, Xatom.ATOM, 0, MAX_ATOMS)
        return list(found.value) if found else []

    def describe(self, window: XWindow) -> Window:
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

    def title(self, window: XWindow) -> str:
        """Return the title of a window."""
        name, old_name = (self._text(window, atom) for atom in self.title_atoms)
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
