"""Data from sway's socket: split into messages wherever it is cut, and hostile in every part."""

import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.pick import open_windows
from collector.focus.tracker import FocusTracker, make_window
from collector.sources.wayland.sway import SwayScreen, find_focused
from collector.sources.wayland.wayland import READ_BYTES
from memo.core.errors import MemoError
from memo.desktop.apps import Apps
from memo.desktop.i3_ipc import GET_TREE, MAX_BYTES, SUBSCRIBE, WINDOW, WORKSPACE, MessageReader, message

ONE = {"id": 5, "type": "con", "name": "First", "app_id": "one", "pid": 0, "focused": True, "nodes": []}


class Sent:
    """The other end of a screen."""

    def __init__(self) -> None:
        ours, self.end = socket.socketpair()
        self.screen, self.focus, self._now = SwayScreen(ours, Apps([])), FocusTracker(), 0.0
        self.ours = ours

    def send(self, kind: int, said: Any) -> None:
        self.end.sendall(message(kind, json.dumps(said)))
        self.screen.read(self.focus)

    def window(self, change: str, **other: Any) -> None:
        self.send(WINDOW, {"change": change, "container": ONE | other})


@pytest.fixture
def sent() -> Iterator[Sent]:
    made = Sent()
    yield made
    made.end.close()
    made.ours.close()


def seen(sent: Sent) -> tuple[str, str] | None:
    """App and title of the window that has the focus now."""
    window = sent.focus._current
    return (window.app, window.title) if window else None


def test_sway_subscribes_before_asking_for_the_tree(sent: Sent) -> None:
    asked = MessageReader().feed(sent.end.recv(1024))
    assert asked[0] == (SUBSCRIBE, ["window", "workspace"])
    assert asked[1][0] == GET_TREE


@pytest.mark.parametrize("bad", [b"x" * 14, struct.pack("=6sII", b"i3-ipc", MAX_BYTES + 1, 0)])
def test_i3_ipc_invalid_head_ends_the_connection(bad: bytes) -> None:
    with pytest.raises(ConnectionError):
        MessageReader().feed(bad)


@pytest.mark.parametrize("bad", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 10_000])
def test_i3_ipc_invalid_json_is_skipped(bad: bytes) -> None:
    stream = struct.pack("=6sII", b"i3-ipc", len(bad), 7) + bad + message(8, "1")
    assert MessageReader().feed(stream) == [(7, None), (8, 1)]


def test_i3_ipc_invalid_utf8_is_replaced() -> None:
    bad = b'{"name": "a\xffb"}'
    assert MessageReader().feed(struct.pack("=6sII", b"i3-ipc", len(bad), 7) + bad) == [(7, {"name": "a\ufffdb"})]


def test_sway_tree_gives_the_first_focus(sent: Sent) -> None:
    output = {"type": "output", "focused": False, "nodes": [{"type": "workspace", "floating_nodes": [ONE]}]}
    assert find_focused({"type": "root", "nodes": [output]}) == ONE
    assert find_focused({"type": "root", "nodes": [{"type": "workspace", "focused": True, "nodes": []}]}) is None
    sent.send(GET_TREE, {"type": "root", "nodes": [output]})
    assert seen(sent) == ("one", "First")


def test_sway_other_windows_are_ignored(sent: Sent) -> None:
    sent.window("focus")
    sent.window("title", id=6, name="Of another one")
    sent.window("close", id=6)
    assert seen(sent) == ("one", "First")
    sent.window("title", name="New")
    assert seen(sent) == ("one", "New")
    sent.window("close")
    assert seen(sent) is None


def test_sway_moved_window_may_lose_the_focus(sent: Sent) -> None:
    sent.end.recv(1024)
    sent.window("focus")
    sent.window("move", id=6)
    sent.window("move")
    assert sent.end.recv(1024) == message(GET_TREE)
    sent.send(GET_TREE, {"type": "root", "nodes": []})
    assert seen(sent) is None


def test_sway_workspace_or_container_is_no_window(sent: Sent) -> None:
    sent.window("focus")
    sent.window("focus", nodes=[ONE], pid=None)
    assert seen(sent) is None
    sent.window("focus")
    sent.send(WORKSPACE, {"change": "focus", "current": {"type": "workspace"}})
    assert seen(sent) is None


def test_sway_x11_window_is_named_by_its_class(sent: Sent) -> None:
    sent.window("focus", app_id=None, window_properties={"class": "Gimp", "instance": "gimp", "title": 7})
    assert seen(sent) == ("Gimp", "First")


@pytest.mark.parametrize("passing", [{"window_type": "splash"}, {"window_type": "dialog", "transient_for": 5}])
def test_sway_dialog_is_no_window_of_its_own(sent: Sent, passing: dict[str, Any]) -> None:
    sent.window("focus")
    sent.window("focus", id=6, name="Sure", window_properties={"class": "Gimp"} | passing)
    sent.window("title", id=6, name="Really sure", window_properties=passing)
    assert seen(sent) == ("one", "First")


def test_sway_window_has_its_executable(sent: Sent) -> None:
    sent.window("focus", app_id="", pid=os.getpid())
    window = sent.focus._current
    assert window and window.executable == os.readlink("/proc/self/exe")


def test_sway_long_message_arrives_in_parts(sent: Sent) -> None:
    stream = message(WINDOW, json.dumps({"change": "focus", "container": ONE | {"name": "x" * 3 * READ_BYTES}}))
    for start in range(0, len(stream), READ_BYTES):
        assert seen(sent) is None
        sent.end.sendall(stream[start : start + READ_BYTES])
        sent.screen.read(sent.focus)
    assert seen(sent) == ("one", "x" * 3 * READ_BYTES)


def test_sway_closed_socket_is_an_error(sent: Sent) -> None:
    sent.screen.read(sent.focus)
    sent.end.close()
    with pytest.raises(ConnectionError):
        sent.screen.read(sent.focus)


@pytest.mark.parametrize("answer", [None, 5, "tree", [ONE], {"nodes": 5}])
def test_picker_finds_no_window_in_what_is_no_tree(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_windows, "ask", lambda *_, **__: answer)
    assert open_windows._find_sway_windows(Path(), Apps([])) == []


@pytest.mark.parametrize("answer", [None, 5, {"success": True}, [], [5], [{}]])
def test_picker_takes_no_other_answer_for_a_focus(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_windows, "ask", lambda *_, **__: answer)
    with pytest.raises(MemoError, match="The window is gone"):
        open_windows._focus_in_sway(Path(), make_window(Apps([]), "5", ["one"], "First", 0))
