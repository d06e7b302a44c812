"""Whether a window fills the screen, asked of a real X server with a real window manager, and of a real sway."""

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import pytest
from compositor import USER, sway
from conftest import needs_program
from waiting import until
from xserver import new_desktop

from memo.desktop import full_screen
from memo.desktop.i3_ipc import GET_TREE, message
from memo.desktop.machine import Machine

FILM = {"type": "con", "fullscreen_mode": 1, "visible": True}
PART, GAP_S = 1_000_000, 0.05  # bytes sent at once; time between two parts of an answer
DEEP = '{"nodes": [' * 450 + "]}" * 450


def test_a_full_screen_window_is_seen_while_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    with new_desktop() as desktop:
        monkeypatch.setenv("DISPLAY", desktop.display)
        assert Machine().full_screen() is False
        desktop.panel("Board")
        board = desktop.window("Board")
        desktop.focus(board)
        assert Machine().full_screen() is False
        desktop.start(needs_program("wish"), given="wm title . {Film}; wm attributes . -fullscreen 1\n")
        desktop.focus(desktop.window("Film"))
        until("a window fills the screen", Machine().full_screen)
        desktop.focus(board)
        until("none does", lambda: not Machine().full_screen())


@pytest.mark.parametrize("named", [True, False], ids=["named", "found"])
def test_a_window_that_can_be_seen_under_sway_fills_a_screen(monkeypatch: pytest.MonkeyPatch, named: bool) -> None:
    folder = Path(tempfile.mkdtemp(prefix="memo", dir="/tmp"))
    monkeypatch.setattr(os, "getuid", lambda: USER)
    for name in ("DISPLAY", "SWAYSOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "absent" if named else folder))
    assert Machine().full_screen() is False, "there is no sway"
    with sway(folder) as running:
        if named:
            monkeypatch.setenv("SWAYSOCK", str(running.socket))
        assert Machine().full_screen() is False, "no window"
        running.open("film", "Film")
        running.open("notes", "Notes")
        assert Machine().full_screen() is False
        running.say("[app_id=film] fullscreen enable")
        assert Machine().full_screen() is True
        running.say("workspace other")
        assert Machine().full_screen() is False, "out of sight"
        running.say("create_output")
        running.say("workspace back_and_forth")
        running.say("focus output HEADLESS-2")
        assert Machine().full_screen() is True, "it is shown on another screen than the one in use"
        running.say("[app_id=film] fullscreen disable, focus, layout tabbed, focus parent, fullscreen enable")
        assert Machine().full_screen() is True, "what holds it fills the screen"
        running.say("fullscreen disable")
        assert Machine().full_screen() is False
    assert Machine().full_screen() is False, "it has gone"
    shutil.rmtree(folder)


@pytest.mark.parametrize("named", [True, False], ids=["named", "found"])
@pytest.mark.parametrize("ours", [True, False], ids=["ours", "another's"])
def test_only_a_sway_of_this_user_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: bool, named: bool
) -> None:
    user = os.getuid() + (not ours)
    path = tmp_path / f"sway-ipc.{user}.1.sock"
    monkeypatch.setattr(os, "getuid", lambda: user)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("SWAYSOCK", str(path) if named else "")
    with answering(path, json.dumps(FILM)):
        assert Machine().full_screen() is ours


@pytest.mark.parametrize("tree", ["null", "5", '{"nodes": 5}', '{"nodes": [5]}', '{"floating_nodes": null}', DEEP, "{"])
def test_an_answer_that_is_no_tree_shows_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tree: str) -> None:
    path = tmp_path / f"sway-ipc.{USER}.1.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("SWAYSOCK", str(path))
    with answering(path, tree):
        assert Machine().full_screen() is False


def test_an_answer_that_trickles_in_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / f"sway-ipc.{USER}.1.sock"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("SWAYSOCK", str(path))
    with answering(path, json.dumps(FILM), part=1):
        assert full_screen.fills_screen(timeout_s=5 * GAP_S) is False


@contextmanager
def answering(path: Path, tree: str, part: int = PART) -> Iterator[None]:
    """Let a server listen that answers as sway does, with this tree of windows, in parts of this many bytes."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = Thread(target=_answer, args=[server, tree, part])
        thread.start()
        try:
            yield
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _answer(server: socket.socket, tree: str, part: int) -> None:
    """Answer each question, until the server is shut down."""
    answer = message(GET_TREE, tree)
    with suppress(OSError):
        while True:
            with server.accept()[0] as asked:
                for begin in range(0, len(answer), part) if asked.recv(64) else ():
                    asked.sendall(answer[begin : begin + part])
                    Event().wait(GAP_S if begin + part < len(answer) else 0)
