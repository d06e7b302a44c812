"""A person at a real desktop, with real programs: the store holds exactly what they did, and nothing of what they hide.

Browsers write visits late, with their true times, so they are waited for together.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ctypes import CDLL, c_char_p, c_void_p
from pathlib import Path

import psutil
import pytest
from browsers import Pages, chromium, firefox, pages
from conftest import needs_library
from stack import Stack, new_stack
from waiting import until
from xserver import Desktop, Program, new_desktop

TERMINAL, BOARD, CHROMIUM, FIREFOX = "org.example.terminal", "board", "chromium", "firefox-esr"
ENTRY = "[Desktop Entry]\nType=Application\nName={0}\nExec={1}\nStartupWMClass={2}\n"
DONE = """SELECT operation, target, app FROM events
    WHERE operation != 'app_usage' AND target != 'Untitled - Chromium' ORDER BY at, seq"""
"""Without how long an app was used, and without Chromium's window as long as it does not know its page."""
HIDDEN_S = 3.0
"""A person's pause after an act that must not be stored; longer than a source takes to notice one."""

Act = tuple[str, str, str]
"""Operation, target and app, as the store has them."""


class Person:
    """Does the acts of the script, one after another; `acts` are those that the store shall hold."""

    def __init__(self, stack: Stack, desktop: Desktop, home: Path, hidden: Sequence[str]) -> None:
        self.stack, self.desktop, self.home, self._hidden = stack, desktop, home, hidden
        self.acts: list[Act] = []
        self._glib: CDLL = needs_library("libglib-2.0.so.0")
        self._glib.g_bookmark_file_new.restype = c_void_p
        self._list = c_void_p(self._glib.g_bookmark_file_new())

    @property
    def stored(self) -> list[Act]:
        """What the store holds, in the order of its times."""
        return [(operation, target, app) for operation, target, app in self.stack.sql(DONE)]

    def did(self, operation: str, target: str, app: str = "", late: bool = False) -> None:
        """Note that an act is done; return once it is stored."""
        act = (operation, target, app)
        if any(name in act for name in self._hidden):
            time.sleep(HIDDEN_S)
            return
        self.acts.append(act)
        if not late:
            until(f"{act}", lambda: self.stored.count(act) >= self.acts.count(act))

    def rests(self) -> None:
        """Wait until all that was done is stored."""
        until("all acts", lambda: not Counter(self.acts) - Counter(self.stored))

    def starts(self, app: str, window: str, *words: str) -> Program:
        program = self.desktop.start(*words)
        self.desktop.window(window)
        self.did("process_start", app)
        self.did("window_focus", window, app)
        return program

    def turns_to(self, window: str, app: str) -> None:
        self.desktop.focus(self.desktop.window(window))
        self.did("window_focus", window, app)

    def opens(self, name: str, app: str, program: str) -> None:
        uri = c_char_p((self.home / name).as_uri().encode())
        self._glib.g_bookmark_file_set_mime_type(self._list, uri, b"text/plain")
        self._glib.g_bookmark_file_add_application(self._list, uri, program.encode(), f"{program} %u".encode())
        path = str(self.home / "recently-used.xbel").encode()
        assert self._glib.g_bookmark_file_to_file(self._list, path, None)
        self.did("file_access", name, app)

    def ends(self, program: Program, app: str) -> None:
        program.terminate()
        program.wait()
        self.did("process_end", app)

    def surfs(self, served: Pages, names: Sequence[str]) -> None:
        """Visit pages with Chromium; each has a tab of its own, and the name of its site as its title."""
        with chromium(self.home, "--password-store=basic", "about:blank", screen=True) as visit:
            self.did("process_start", CHROMIUM)
            self.did("window_focus", "about:blank - Chromium", CHROMIUM)
            for name in names:
                visit(served(name, f"{name}.localhost"))
                served.until_shown(name)
                self.did("web_visit", f"{name}.localhost", CHROMIUM, late=True)
                self.did("window_focus", f"{name} - Chromium", CHROMIUM)
            self.turns_to("Board", BOARD)
            self.rests()  # a Chromium that is told to end may lose the visits of its last ten seconds
        self.did("process_end", CHROMIUM)

    def looks_up(self, served: Pages, name: str) -> None:
        """Visit pages in a private window of Firefox."""
        with firefox(self.home) as visit:
            self.did("process_start", FIREFOX)
            visit(served(name, f"{name}.localhost"))
            self.did("web_visit", f"{name}.localhost", FIREFOX, late=True)
        self.did("process_end", FIREFOX)


def script(person: Person, served: Pages) -> None:
    letters = person.starts(TERMINAL, "Letters", "xterm", "-T", "Letters", "-e", "sleep", "1000")
    board = person.starts(BOARD, "Board", "wish", str(person.home / "board"))
    person.turns_to("Letters", TERMINAL)
    person.opens("letter.txt", TERMINAL, "xterm")
    person.turns_to("Board", BOARD)
    person.opens("plan.txt", BOARD, "board")
    person.surfs(served, ["garden", "harbour", "meadow"])
    person.looks_up(served, "orchard")
    person.ends(letters, TERMINAL)
    person.ends(board, BOARD)
    person.rests()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's, with four apps installed, and both browsers used before."""
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (tmp_path / "board").write_text("wm title . Board\nwm geometry . 200x100\n")
    (tmp_path / "applications").mkdir()
    for app, command, window_class in (
        (TERMINAL, "xterm", "XTerm"),
        (BOARD, f"wish {tmp_path / 'board'}", "Board"),
        (CHROMIUM, "chromium %U", "chromium"),
        (FIREFOX, "firefox-esr %u", "firefox-esr"),
    ):
        (tmp_path / f"applications/{app}.desktop").write_text(ENTRY.format(app, command, window_class))
    with chromium(tmp_path), firefox(tmp_path):
        until("a history of each", lambda: [*tmp_path.rglob("History")] and [*tmp_path.rglob("places.sqlite")])
    until("no other browser runs here, whose start and end would be told too", lambda: not browsers_running())
    return tmp_path


def browsers_running() -> list[int]:
    return [one.pid for one in psutil.process_iter(["name"]) if one.info["name"] in (CHROMIUM, FIREFOX)]


@contextmanager
def at_work(
    home: Path, monkeypatch: pytest.MonkeyPatch, hidden: Sequence[str] = (), **privacy: str
) -> Iterator[Person]:
    """A person at a desktop with the real stack, which has the sources of a workstation on."""
    with new_desktop() as desktop:
        monkeypatch.setenv("DISPLAY", desktop.display)
        places = {"HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_DATA_DIRS": str(home)}
        sources = {
            "MEMO_SOURCES__ON": '["x11", "processes", "web", "recent"]',
            "MEMO_SOURCES__WEB_DAYS": "1",
            "MEMO_PRIVACY__CHROMIUM_TITLES": "true",
        }
        with new_stack(**places, **sources, **privacy) as stack:
            stack.ok("up")
            until("all sources", lambda: {one["state"] for one in stack.status()["sources"].values()} == {"watching"})
            yield Person(stack, desktop, home, hidden)


@pytest.fixture
def served() -> Iterator[Pages]:
    with pages() as found:
        yield found


def test_the_store_holds_exactly_the_acts_in_order(home: Path, monkeypatch: pytest.MonkeyPatch, served: Pages) -> None:
    with at_work(home, monkeypatch) as person:
        script(person, served)
        assert person.stored == person.acts
        used = {app for (app,) in person.stack.sql("SELECT target FROM events WHERE operation = 'app_usage'")}
        assert BOARD in used and used <= {TERMINAL, BOARD, CHROMIUM}


def test_nothing_of_an_excluded_app_and_site_is_held(
    home: Path, monkeypatch: pytest.MonkeyPatch, served: Pages
) -> None:
    hidden = [TERMINAL, "Letters", "letter.txt", "harbour.localhost", "harbour - Chromium"]
    rules = {"MEMO_PRIVACY__APPS": f'["{TERMINAL}"]', "MEMO_PRIVACY__SITES": '["harbour.localhost"]'}
    with at_work(home, monkeypatch, hidden, **rules) as person:
        script(person, served)
        assert person.stored == person.acts
        everything = repr(person.stack.sql("SELECT * FROM events")).lower()
        assert not [word for word in (TERMINAL, "xterm", "letter", "harbour") if word in everything]
