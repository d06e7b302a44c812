"""A screen is followed: read when something has changed, also while the store is slow; each failure ends it."""

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from collector.focus import tracker
from collector.focus.follow import follow
from collector.focus.tracker import FocusTracker, Window
from memo.core.events import Operation
from memo.protocols import Batch, Stop

WAIT_S = 60.0


class Script:
    """A screen that shows one window after the other, each when it was read."""

    def __init__(self) -> None:
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._reads, False)
        self._seen = threading.Semaphore(0)

    def fileno(self) -> int:
        return self._reads

    def show(self, name: str) -> None:
        """Show a window, and wait until it was seen."""
        os.write(self._writes, name.encode())
        assert self._seen.acquire(timeout=WAIT_S)

    def lose(self) -> None:
        """Break the connection."""
        os.close(self._writes)

    def read(self, focus: FocusTracker) -> None:
        try:
            name = os.read(self._reads, 1).decode()
        except BlockingIOError:
            return
        if not name:
            raise ConnectionError("the screen is lost")
        focus.see(Window(name, name, name), time.monotonic())
        self._seen.release()


class Run:
    """`follow` in a thread; `error` is how it ended."""

    def __init__(self, screen: Script, emit: Callable[[Batch], None]) -> None:
        self.error: Exception | None = None
        self.stop, self._ready = Stop(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(screen, emit))
        self._thread.start()
        assert self._ready.wait(WAIT_S)

    def _run(self, screen: Script, emit: Callable[[Batch], None]) -> None:
        try:
            follow("script", screen, emit, self.stop, self._ready.set)
        except Exception as error:
            self.error = error

    def join(self) -> None:
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Script]:
    monkeypatch.setattr(tracker, "SETTLE_S", 0.0)
    yield Script()


def test_no_window_is_missed_while_the_store_is_slow(screen: Script) -> None:
    gate, seen = threading.Event(), list[str]()

    def emit(batch: Batch) -> None:
        assert gate.wait(WAIT_S)
        seen.extend(event.target for event in batch.events if event.operation is Operation.WINDOW_FOCUS)

    run = Run(screen, emit)
    for name in "abc":
        screen.show(name)
    gate.set()
    run.stop.set()
    run.join()
    assert run.error is None and seen == ["a", "b", "c"]


def test_a_store_that_fails_ends_it(screen: Script) -> None:
    def emit(batch: Batch) -> None:
        raise OSError("the disk is full")

    run = Run(screen, emit)
    screen.show("a")
    run.join()
    assert isinstance(run.error, OSError)


def test_a_screen_that_is_lost_ends_it_and_the_usage(screen: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.focus.usage.SHORTEST_S", 1e-9)
    told = list[Operation]()
    run = Run(screen, lambda batch: told.extend(event.operation for event in batch.events))
    screen.show("a")
    screen.lose()
    run.join()
    assert isinstance(run.error, ConnectionError)
    assert told == [Operation.WINDOW_FOCUS, Operation.APP_USAGE]
