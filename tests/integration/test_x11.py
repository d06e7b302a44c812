"""Window focus on a real X server, driven by xdotool: each change is seen once and in order, whatever programs do."""

import json
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import needs_program
from stores import make_store
from waiting import WAIT_S, until
from watched import used_apps, watched
from Xlib import X, Xatom
from Xlib.display import Display
from Xlib.xobject.drawable import Window as XWindow
from xserver import Desktop, new_desktop

from collector.collector import SourceRunner
from collector.focus.unseen import UNSEEN, UnseenTime
from collector.intake import Intake
from collector.source_status import SourceState, SourceStates
from collector.sources.x11 import x11
from collector.sources.x11.x11 import X11Source
from db.engine import open_store
from db.intake.events import find_newest_events
from memo.core.events import Event, Operation
from memo.core.grammar import MAX_TEXT
from memo.core.paths import Home
from memo.core.settings import Settings, SourceSettings
from memo.desktop import sockets
from memo.desktop.apps import Apps
from memo.protocols import Stop

XTERM, WISH = "xterm", "wish"
ODD = b"odd\0Odd\0"  # a window's class
Act = tuple[str, str]
ALONE = Settings(sources=SourceSettings(on=["x11"]))  # nothing waits for the start of an app
UNCLOSED = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
"""The library leaves the socket of a connection that failed to the garbage collector."""


@pytest.fixture
def desktop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    with new_desktop() as made:
        monkeypatch.setenv("DISPLAY", made.display)
        monkeypatch.setenv("XDG_DATA_HOME", "/nonexistent")
        monkeypatch.setenv("XDG_DATA_DIRS", "/nonexistent")  # no app is installed: windows are called by their class
        yield made


@pytest.fixture
def source(home: Home) -> X11Source:
    return X11Source(ALONE, home, title_gap_s=0.0)


def focuses(events: list[Event]) -> list[Act]:
    return [(event.target, event.app) for event in events if event.operation is Operation.WINDOW_FOCUS]


def until_focus(events: list[Event], title: str, count: int = 1) -> None:
    """Wait until a title has been reported `count` times."""
    until(f"a focus on {title}", lambda: [target for target, _ in focuses(events)].count(title) >= count)


def two_windows(desktop: Desktop) -> tuple[str, str]:
    """A terminal, and a panel that has the focus."""
    desktop.terminal("Notes")
    notes = desktop.window("Notes")
    desktop.panel("Board")
    board = desktop.window("Board")
    desktop.focus(board)
    return notes, board


def test_each_switch_is_reported_once_in_order(desktop: Desktop, source: X11Source) -> None:
    notes, board = two_windows(desktop)
    with watched(source) as events:
        until_focus(events, "Board")
        for turn in range(15):
            desktop.focus(notes)
            until_focus(events, "Notes", turn + 1)
            desktop.focus(notes)
            desktop.focus(board)
            until_focus(events, "Board", turn + 2)
    assert focuses(events) == [("Board", "Wish"), *[("Notes", "XTerm"), ("Board", "Wish")] * 15]
    programs = {event.app: event.executable for event in events if event.executable}
    assert programs == {name: os.path.realpath(cast(str, shutil.which(name.lower()))) for name in ("XTerm", "Wish")}


def test_new_window_and_new_title_are_reported(desktop: Desktop, source: X11Source) -> None:
    with watched(source) as events:
        desktop.terminal("Notes")
        until_focus(events, "Notes")
        desktop.person("set_window", "--name", "Letters", desktop.window("Notes"))
        until_focus(events, "Letters")
    assert focuses(events) == [("Notes", "XTerm"), ("Letters", "XTerm")]


def test_dialogs_and_splash_screens_are_no_switch(desktop: Desktop, source: X11Source) -> None:
    notes, board = two_windows(desktop)
    asks = "toplevel .d; wm title .d Sure; wm transient .d ."
    desktop.start(needs_program("wish"), given=f"wm attributes . -type splash; wm title . Welcome; {asks}\n")
    with watched(source) as events:
        for window in (desktop.window("Welcome"), board):
            desktop.focus(window)
        until_focus(events, "Board")
        for window in (desktop.window("Sure"), notes):
            desktop.focus(window)
        until_focus(events, "Notes")
    assert focuses(events) == [("Board", "Wish"), ("Notes", "XTerm")]


def test_compound_text_title_is_decoded(desktop: Desktop, source: X11Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C.UTF-8")  # xterm takes its arguments for UTF-8 then, and writes compound text
    with watched(source) as events:
        desktop.terminal("备注 café")
        until_focus(events, "备注 café")


def test_title_of_a_background_window_is_ignored(desktop: Desktop, source: X11Source) -> None:
    notes, board = two_windows(desktop)
    with watched(source) as events:
        desktop.focus(notes)
        desktop.focus(board)
        desktop.person("set_window", "--name", "Unseen", notes)
        desktop.person("set_window", "--name", "Plan", board)
        until_focus(events, "Plan")
    assert "Unseen" not in dict(focuses(events))


def test_killed_focused_programs_are_survived(desktop: Desktop, source: X11Source) -> None:
    with watched(source) as events:
        for turn in range(8):
            program = desktop.terminal(f"Brief {turn}")
            desktop.window(f"Brief {turn}")
            program.kill()
        desktop.terminal("Last")
        until_focus(events, "Last")
    assert focuses(events)[-1] == ("Last", "XTerm")


def test_window_destroyed_while_read_is_no_event(
    desktop: Desktop, source: X11Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[XWindow] = []

    def destroy(self: Apps, names: Sequence[str], executable: str = "") -> str:
        if not gone:
            window.destroy()
            window.display.get_atom("ANY")  # an answer: the server has done it
            gone.append(window)  # from here on the other thread uses this connection
        return "any"

    with own_window(desktop) as make, watched(source) as events:
        monkeypatch.setattr(Apps, "of_window", destroy)
        window = make(b"Gone", shown=False)
        window.map()
        window.display.flush()
        until("the look", lambda: gone)
        make(b"Stays")
        until_focus(events, "Stays")
    assert focuses(events) == [("Stays", "any")]


def test_restarted_window_manager_is_survived(desktop: Desktop, source: X11Source) -> None:
    notes, board = two_windows(desktop)
    manager = desktop.programs[0]
    with watched(source) as events:
        until_focus(events, "Board")
        manager.kill()
        manager.wait()
        desktop.manage()
        desktop.focus(notes)
        until_focus(events, "Notes")
        desktop.focus(board)
        until_focus(events, "Board", 2)


@contextmanager
def kept_running(
    source: X11Source, home: Home, unseen: UnseenTime | None = None
) -> Iterator[Callable[[], list[Event]]]:
    """The source as the collector runs it; gives what is stored."""
    settings = Settings()
    store, stop = open_store(settings, home), Stop()
    make_store(settings, home)
    intake = Intake(store, settings, home, lambda scope: None)
    runner = SourceRunner(intake, SourceStates(home), stop, unseen=unseen)
    thread = threading.Thread(target=runner.keep_running, args=(source,))

    def stored() -> list[Event]:
        with store.read() as session:
            return find_newest_events(session, settings.scope)

    thread.start()
    try:
        yield stored
    finally:
        stop.set()
        thread.join(WAIT_S)
        assert not thread.is_alive()
        store.close()


@UNCLOSED
def test_lost_server_is_reported_and_followed_again(desktop: Desktop, source: X11Source, home: Home) -> None:
    two_windows(desktop)

    def state() -> Any:
        return json.loads(home.sources.read_text()).get(source.name, {})

    with kept_running(source, home) as stored:
        until("that it watches", source.watching.is_set)
        desktop.server.kill()
        desktop.server.wait()
        until("a failure", lambda: state()["failures"] == 1)
        until("what is missing", lambda: state()["state"] == SourceState.MISSING)
        assert f"Cannot connect to the X server {desktop.display}" in state()["says"]
        desktop.serve_again()
        desktop.manage()
        desktop.terminal("Again")
        until("a focus", lambda: focuses(stored()) == [("Again", "XTerm")])
        assert state()["state"] == SourceState.WATCHING


def test_window_that_stood_at_the_first_start_is_no_switch(desktop: Desktop, source: X11Source, home: Home) -> None:
    notes, board = two_windows(desktop)
    seen = list[Act]()
    for further in ([notes, board], [notes]):
        source.watching.clear()
        with kept_running(source, home) as stored:
            until("that it watches", source.watching.is_set)
            for window in further:
                desktop.focus(window)
                seen.append(("Notes", "XTerm") if window == notes else ("Board", "Wish"))
                until("a switch", lambda: focuses(stored()) == seen)


@contextmanager
def own_window(desktop: Desktop) -> Iterator[Callable[..., XWindow]]:
    """Makes windows with any properties, and shows them."""
    display = Display(desktop.display)
    utf8 = display.intern_atom("UTF8_STRING")

    def make(
        title: bytes, kind: int = utf8, name: str = "_NET_WM_NAME", wm_class: bytes = b"odd\0Odd\0", shown: bool = True
    ) -> XWindow:
        window: XWindow = display.screen().root.create_window(0, 0, 50, 50, 0, X.CopyFromParent)
        window.change_property(display.intern_atom(name), kind, 8, title)
        if wm_class:
            window.change_property(Xatom.WM_CLASS, Xatom.STRING, 8, wm_class)
        if shown:
            window.map()
        display.sync()
        return window

    try:
        early = make(b"early")  # a window manager that has just started gives the focus to no window by itself
        desktop.focus(str(early.id))
        early.destroy()
        display.sync()
        yield make
    finally:
        display.close()


def test_titles_may_hold_anything(desktop: Desktop, source: X11Source) -> None:
    with own_window(desktop) as make, watched(source) as events:
        make(b"two\nlines\x1b[2J\x00end")
        until_focus(events, "two lines [2J end")
        make(b"broken \xff\xfe name")
        until_focus(events, "broken \ufffd\ufffd name")
        make(b"caf\xe9", Xatom.STRING, "WM_NAME")
        until_focus(events, "caf\xe9")
        make("Größe".encode(), Xatom.STRING, "WM_NAME")
        until_focus(events, "Größe")
        make("日".encode() * 60_000)
        until_focus(events, "日" * MAX_TEXT)
        make(b" \n ")
        until_focus(events, "Odd")
        make(b"Nameless", wm_class=b"")
        until_focus(events, "Nameless")
        make(b"Garbled", wm_class=b"\xff\n\0\xfe\x1b\0")
        until_focus(events, "Garbled")
    python = Path(os.path.realpath("/proc/self/exe")).name
    assert dict(focuses(events)) | {"Garbled": ""} == {
        "two lines [2J end": "Odd",
        "broken \ufffd\ufffd name": "Odd",
        "caf\xe9": "Odd",
        "Größe": "Odd",
        "日" * MAX_TEXT: "Odd",
        "Odd": "Odd",
        "Nameless": python,
        "Garbled": "",
    }


def test_window_that_gets_another_class_is_of_that_app(desktop: Desktop, source: X11Source) -> None:
    with own_window(desktop) as make, watched(source) as events:
        window = make(b"Suite")
        until_focus(events, "Suite")
        window.change_property(Xatom.WM_CLASS, Xatom.STRING, 8, b"suite\0Writer\0")
        window.display.flush()
        until_focus(events, "Suite", 2)
    assert focuses(events) == [("Suite", "Odd"), ("Suite", "Writer")]


def test_title_of_a_megabyte_is_cut(desktop: Desktop, source: X11Source) -> None:
    with own_window(desktop) as make, watched(source) as events:
        window = make(b"x")
        until_focus(events, "x")
        chunk = b"y" * 100_000
        for _ in range(10):
            window.change_property(window.display.get_atom("WM_NAME"), Xatom.STRING, 8, chunk, X.PropModeAppend)
        window.delete_property(window.display.get_atom("_NET_WM_NAME"))
        window.display.flush()
        until_focus(events, "y" * MAX_TEXT)


def test_window_with_a_reused_number_is_a_switch(desktop: Desktop, source: X11Source) -> None:
    with watched(source) as events:
        for turn in range(2):
            program = desktop.terminal("Same")
            until_focus(events, "Same", turn + 1)
            program.kill()
            program.wait()


def test_usage_ends_without_input_and_starts_again(desktop: Desktop, home: Home) -> None:
    two_windows(desktop)
    with watched(X11Source(ALONE, home, idle_s=5.0, title_gap_s=0.0)) as events:
        until_focus(events, "Board")
        for turn in (1, 2):
            for _ in range(8):
                desktop.person("key", "shift")
                time.sleep(0.25)
            until("usage ends", lambda turn=turn: len(used_apps(events)) >= turn)  # type: ignore[misc]
    assert used_apps(events) == ["Wish", "Wish"]
    assert focuses(events) == [("Board", "Wish")]


def test_a_person_without_windows_is_told_until_one_is_seen(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """No window manager says which window is active."""
    told, desktop = list[tuple[str, str]](), Desktop()
    monkeypatch.setenv("DISPLAY", desktop.display)

    def is_told() -> bool:
        for _ in range(3):
            desktop.person("key", "shift")
            time.sleep(0.1)
        time.sleep(1.5)  # away
        return bool(told)

    unseen = UnseenTime(lambda source, says: told.append((source, says)), longest_s=0.1)
    try:
        with kept_running(X11Source(ALONE, home, idle_s=1.0), home, unseen):
            until("it is told", is_told)
            assert told == [("x11", UNSEEN)]
            desktop.manage()
            desktop.terminal("Notes")
            until("it is taken back", lambda: told[1:] == [("x11", "")])
    finally:
        desktop.end()


def test_missing_without_server_gives_the_remedy(
    source: X11Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sockets, "X_SOCKETS", tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "set DISPLAY" in source.missing()


@UNCLOSED
def test_missing_names_a_server_that_refuses(
    desktop: Desktop, source: X11Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert source.missing() == ""
    monkeypatch.setenv("DISPLAY", ":4711")
    assert "Cannot connect to the X server :4711" in source.missing()
    monkeypatch.setenv("DISPLAY", "nonsense\n")
    assert "Cannot connect" in source.missing() and "\n" not in source.missing()


def test_missing_names_a_server_that_hangs(desktop: Desktop, home: Home) -> None:
    source = X11Source(ALONE, home, answer_s=0.2)
    desktop.server.send_signal(signal.SIGSTOP)
    try:
        assert f"Cannot connect to the X server {desktop.display} (it does not answer)" in source.missing()
    finally:
        desktop.server.send_signal(signal.SIGCONT)


def test_find_server_finds_the_only_server_of_this_user(
    desktop: Desktop, source: X11Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DISPLAY")
    monkeypatch.setattr(sockets, "X_SOCKETS", tmp_path)
    ours = f"X{desktop.display[1:]}"
    (tmp_path / "X9998").touch()  # a server that crashed left it
    (tmp_path / ours).symlink_to(Path("/tmp/.X11-unix") / ours)
    assert x11.find_server() == desktop.display and source.missing() == ""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "X9999"))
        other.listen()
        assert x11.find_server() == "", "two servers are ambiguous"
