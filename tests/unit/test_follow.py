"""Following a screen: it is read at each change, even while the store is slow, and any failure ends the run."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from waiting import WAIT_S

from collector.focus.follow import follow
from collector.focus.hold_back import HoldBack
from collector.focus.presence import SetPresence
from collector.focus.tracker import FocusTracker, Window
from memo.core.events import Event, Operation
from memo.core.system_zone import local_now
from memo.protocols import Batch, Presence, Stop


class Script:
    """A screen that shows windows one by one."""

    def __init__(self) -> None:
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._reads, False)
        self._seen = threading.Semaphore(0)

    def fileno(self) -> int:
        return self._reads

    def show(self, name: str) -> None:
        """Show a window, or report that the person leaves (-) or comes (+), and wait until it has been read."""
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
        if name == "-":
            focus.set_away("idle", local_now())
        elif name == "+":
            focus.set_back("idle")
        else:
            focus.set_window(Window(name, name, name), time.monotonic())
        self._seen.release()


class Run:
    """`follow` in a thread; `error` is the exception that ended it, if any."""

    def __init__(self, screen: Script, emit: Callable[[Batch], None]) -> None:
        self.error: Exception | None = None
        self.presence = list[bool]()
        self.stop, self._ready = Stop(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(screen, emit))
        self._thread.start()
        assert self._ready.wait(WAIT_S)

    def _run(self, screen: Script, emit: Callable[[Batch], None]) -> None:
        def take(emitted: object) -> None:
            if isinstance(emitted, Presence):
                self.presence.append(emitted.is_there)
            elif isinstance(emitted, Batch):
                emit(emitted)

        try:
            tracker = FocusTracker(settle_s=0.0, new_s=0.0, min_usage_s=1e-9)
            asyncio.run(follow("script", screen, take, self.stop, self._ready.set, tracker=tracker))
        except Exception as error:
            self.error = error

    def join(self) -> None:
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


def focus_on(name: str) -> Event:
    return Event(datetime(2026, 3, 2, 9, tzinfo=UTC), Operation.WINDOW_FOCUS, name, name)


@pytest.fixture
def screen() -> Script:
    return Script()


def test_follow_slow_store_misses_no_window(screen: Script) -> None:
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


def test_follow_failing_store_ends_it(screen: Script) -> None:
    def emit(batch: Batch) -> None:
        raise OSError("the disk is full")

    run = Run(screen, emit)
    screen.show("a")
    run.join()
    assert isinstance(run.error, OSError)


def test_follow_lost_screen_ends_it_and_the_usage(screen: Script) -> None:
    emitted = list[Operation]()
    run = Run(screen, lambda batch: emitted.extend(event.operation for event in batch.events))
    screen.show("a")
    screen.lose()
    run.join()
    assert isinstance(run.error, ConnectionError)
    assert emitted == [Operation.WINDOW_FOCUS, Operation.APP_USAGE]


def test_follow_tells_presence_after_the_usage_that_it_ends(screen: Script) -> None:
    told = list[object]()
    run = Run(screen, lambda batch: told.append([event.operation for event in batch.events]))
    run.presence = told  # type: ignore[assignment]
    for sign in "a-+-":
        screen.show(sign)
    run.stop.set()
    run.join()
    usage = Operation.APP_USAGE
    assert told == [[Operation.WINDOW_FOCUS], [usage], False, True, [usage], False], "and nothing at the end"


def test_first_window_of_an_app_waits_for_its_start() -> None:
    clock = [10.0]
    held = HoldBack(told_s=2.0, clock=lambda: clock[0])
    first, second = focus_on("new"), focus_on("old")
    held.add([first], began=9.5)
    held.add([second], began=1.0)
    assert held.take() == [] and held.due_in() == 1.5
    clock[0] = 11.5
    assert held.take() == [first, second], "nothing overtakes it"
    held.add([second], began=1.0)
    assert held.take() == [second] and held.due_in() is None


def test_window_waits_for_no_start_that_nobody_tells() -> None:
    held = HoldBack(told_s=0.0, clock=lambda: 10.0)
    held.add([focus_on("new")], began=10.0)
    assert len(held.take()) == 1


def test_what_is_held_back_is_told_at_the_end() -> None:
    held = HoldBack(told_s=2.0, clock=lambda: 10.0)
    held.add([focus_on("new")], began=10.0)
    assert held.take() == [] and len(held.take(all_of_them=True)) == 1


def test_stop_ends_the_wait_for_a_presence_signal(screen: Script) -> None:
    entered, stop = threading.Event(), Stop()

    @asynccontextmanager
    async def hanging(_: SetPresence) -> AsyncIterator[None]:
        entered.set()
        await asyncio.Event().wait()
        yield

    def run() -> None:
        asyncio.run(follow("script", screen, lambda emitted: None, stop, lambda: None, [hanging]))

    running = threading.Thread(target=run, daemon=True)
    running.start()
    assert entered.wait(WAIT_S)
    stop.set()
    running.join(WAIT_S)
    assert not running.is_alive()
