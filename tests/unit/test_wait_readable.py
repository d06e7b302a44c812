"""The wait for what stands when a source begins: it ends with data, at the deadline and at `stop`."""

import math
import socket
import time
from collections.abc import Iterator

import pytest

from collector.sources.wayland.wayland import wait_readable
from memo.protocols import Stop

LONG_S = 1_000.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_data_ends_the_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].send(b"x")
    assert wait_readable(pair[0], Stop(), time.monotonic() + LONG_S)


def test_stop_ends_the_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    stop = Stop()
    stop.set()
    assert not wait_readable(pair[0], stop, time.monotonic() + LONG_S)


def test_stop_and_deadline_come_before_data(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].send(b"x")
    assert not wait_readable(pair[0], Stop(), -math.inf)
    stop = Stop()
    stop.set()
    assert not wait_readable(pair[0], stop, time.monotonic() + LONG_S)
