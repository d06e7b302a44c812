"""Sway's messages are read however they are cut, and none stops the source."""

import json
import socket
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from collector.focus.tracker import FocusTracker
from collector.sources.wayland.sway import SwayScreen
from memo.desktop.apps import Apps
from memo.desktop.i3_ipc import GET_TREE, WINDOW, WORKSPACE, MessageReader, message

ONE = {"id": 5, "type": "con", "name": "First", "app_id": "one", "pid": 0, "focused": True, "nodes": []}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ONE, "window_properties"]), inner),
    max_leaves=12,
)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.text()), max_size=4), st.data())
def test_messages_are_whole_however_they_are_cut(sent: list[tuple[int, str]], data: st.DataObject) -> None:
    stream = b"".join(message(kind, json.dumps(text)) for kind, text in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    reader, found = MessageReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.feed(stream[start:end])
    assert found == sent


@given(st.sampled_from([GET_TREE, WINDOW, WORKSPACE]), JSON)
def test_no_message_stops_it(kind: int, said: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        screen, focus = SwayScreen(ours, Apps([])), FocusTracker()
        hostile = [said, {"change": "focus", "container": said}, {"change": "title", "container": said}]
        for number, content in [*((kind, one) for one in hostile), (WINDOW, {"change": "focus", "container": ONE})]:
            theirs.sendall(message(number, json.dumps(content)))
            screen.read(focus)
        assert focus._current is not None
        assert (focus._current.app, focus._current.title) == ("one", "First")
