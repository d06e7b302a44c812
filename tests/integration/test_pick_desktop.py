"""`memo pick` with real pickers on a real X server and a real compositor, whose person presses Return."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from compositor import USER, sway
from conftest import needs_program
from picking import store_prediction
from waiting import until
from xserver import Desktop, new_desktop

from cli.pick.open_windows import find_open_windows
from cli.pick.pick import pick
from cli.pick.pickers import find_picker
from memo.core.errors import MemoError
from memo.core.events import Action
from memo.core.paths import Home
from memo.desktop.apps import Apps


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desktop]:
    """An X server with a window manager and without installed apps: windows are called by their class."""
    with new_desktop() as made:
        monkeypatch.setenv("DISPLAY", made.display)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # rofi starts only where it can write
        for name in ("XDG_DATA_HOME", "XDG_DATA_DIRS"):
            monkeypatch.setenv(name, "/nonexistent")
        for name in ("WAYLAND_DISPLAY", "SWAYSOCK"):
            monkeypatch.delenv(name, raising=False)
        yield made


@contextmanager
def running(function: Callable[[], None]) -> Iterator[threading.Thread]:
    """Run a function beside what a person does."""
    thread = threading.Thread(target=function)
    thread.start()
    yield thread
    thread.join()


def named(title: str) -> Action:
    """The focus on the open window with this title."""
    return next(window.action for window in find_open_windows(Apps([])) if window.action.target == title)


@pytest.mark.parametrize("program", ["rofi", "dmenu"])
def test_return_goes_to_the_window_of_before(
    desktop: Desktop, home: Home, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    needs_program(program)
    monkeypatch.setenv("MEMO_PICK__PROGRAM", program)
    desktop.terminal("Notes")
    notes = desktop.window("Notes")
    desktop.panel("Board")
    desktop.focus(desktop.window("Board"))
    store_prediction(home, [named("Notes"), named("Board")])
    with running(pick) as picking:
        until("the pick", lambda: desktop.person("key", "Return") == "" and not picking.is_alive())
    until("the window of before", lambda: desktop.person("getactivewindow").strip() == notes)


def test_open_windows_are_those_a_person_can_go_to(desktop: Desktop) -> None:
    desktop.terminal("Notes")
    desktop.window("Notes")
    desktop.panel("Board")
    desktop.focus(desktop.window("Board"))
    found = [window.action for window in find_open_windows(Apps([]))]
    assert [action.target for action in found] == ["Board", "Notes"], "the top one first"
    assert found[1].place == "XTerm"


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of sway's user."""
    made = Path(tempfile.mkdtemp(prefix="memo", dir="/tmp"))
    monkeypatch.setattr(os, "getuid", lambda: USER)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(made))
    monkeypatch.setenv("XDG_DATA_DIRS", str(made))
    for name in ("SWAYSOCK", "DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    yield made
    shutil.rmtree(made)


def test_return_goes_to_a_window_of_sway(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typing = [needs_program("wtype"), "-s", "100", "-k", "Return"]
    needs_program("fuzzel")
    with sway(folder) as compositor:
        monkeypatch.setenv("WAYLAND_DISPLAY", next(path.name for path in folder.glob("wayland-?")))
        compositor.open("one", "First")
        compositor.open("two", "Second")
        windows = {window.action.place: window for window in find_open_windows(Apps([]))}
        picked = list[int | None]()

        def choose() -> None:
            picked.append(find_picker("fuzzel").choose([("First", "foot"), ("Second", "")]))

        with running(choose):
            until("the pick", lambda: subprocess.run(typing, check=True).returncode == 0 and picked)
        assert picked == [0]
        windows["one"].focus()
        until("the window", lambda: compositor.windows()["one"]["focused"])


def test_window_of_a_wlroots_compositor_comes_to_the_front(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sway(folder) as compositor:
        monkeypatch.setenv("WAYLAND_DISPLAY", next(path.name for path in folder.glob("wayland-?")))
        compositor.open("one", "First")
        compositor.open("two", "Second")
        compositor.socket.rename(folder / "hidden")
        found = {window.action.place: window for window in find_open_windows(Apps([]))}
        (folder / "hidden").rename(compositor.socket)
        assert {place: window.action.target for place, window in found.items()} == {"one": "First", "two": "Second"}
        found["one"].focus()
        until("the window", lambda: compositor.windows()["one"]["focused"])
        os.kill(compositor.windows()["one"]["pid"], signal.SIGKILL)
        until("it is gone", lambda: "one" not in compositor.windows())
        with pytest.raises(MemoError, match="The window is gone"):
            found["one"].focus()


def test_compositor_that_hangs_shows_no_window(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sway(folder) as compositor:
        monkeypatch.setenv("WAYLAND_DISPLAY", next(path.name for path in folder.glob("wayland-?")))
        compositor.socket.rename(folder / "hidden")
        compositor.process.send_signal(signal.SIGSTOP)
        assert find_open_windows(Apps([]), answer_s=0.5) == []
