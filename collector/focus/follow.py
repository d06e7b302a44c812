"""A screen is followed: what has the focus there, and whether somebody is there, becomes events that are stored."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from typing import Protocol

from collector.focus.presence import Sign, clock_set, logind, slept
from collector.focus.tracker import FocusTracker
from memo.core.events import Event
from memo.protocols import Batch, Stop


class Screen(Protocol):
    """A window system that says what has the focus; its descriptor is readable when that may have changed."""

    def fileno(self) -> int:
        """The descriptor to wait for."""

    def read(self, focus: FocusTracker) -> None:
        """Tell `focus` what has changed, without waiting. Raises where the connection is lost."""


def follow(
    source: str,
    screen: Screen,
    emit: Callable[[Batch], None],
    stop: Stop,
    ready: Callable[[], None],
    signs: Sequence[Sign] = (logind,),
) -> None:
    """Emit what happens on a screen until `stop` is set or the screen is lost; `ready` is called once it is watched.

    It sleeps until something changes: the screen, a sign whether somebody is there, or a time after which a change
    counts.
    """
    asyncio.run(attend(source, screen, emit, stop, ready, signs))


async def attend(
    source: str,
    screen: Screen,
    emit: Callable[[Batch], None],
    stop: Stop,
    ready: Callable[[], None],
    signs: Sequence[Sign],
) -> None:
    """The same, in a loop that runs already."""
    with ThreadPoolExecutor(1) as store:  # while it waits for the disk, the screen is still read
        one = _Followed(lambda events: store.submit(emit, Batch(events, source, {})))
        for file in (screen, stop):
            asyncio.get_running_loop().add_reader(file, one.woken.set)
        async with AsyncExitStack() as stack:
            for sign in signs:
                await stack.enter_async_context(sign(one.mark))
            try:
                while not stop.is_set():
                    one.woken.clear()
                    one.look_at_clocks()
                    screen.read(one.focus)
                    one.tell()
                    ready()
                    await one.wait()
            finally:
                await one.end()


class _Followed:
    """What is known of a screen, and what of it is handed over and not stored yet."""

    def __init__(self, store: Callable[[list[Event]], Future[None]]) -> None:
        self.focus, self.woken = FocusTracker(), asyncio.Event()
        self._sleep, self._clock = slept(), clock_set()
        self._store, self._told = store, deque[asyncio.Future[None]]()

    def look_at_clocks(self) -> None:
        """Take notice of a sleep, and of a clock that was set."""
        if by := self._clock.seconds():
            self.focus.clock_set(timedelta(seconds=by))
        if slept_s := self._sleep.seconds():
            self.focus.away("asleep", _now() - timedelta(seconds=slept_s))
            self.focus.back("asleep")

    def mark(self, reason: str, away: bool, for_s: float = 0.0) -> None:
        """Somebody has gone, or is back; a `collector.focus.presence.Mark`."""
        self.look_at_clocks()
        if away:
            self.focus.away(reason, _now() - timedelta(seconds=for_s))
        else:
            self.focus.back(reason)
        self.woken.set()

    def tell(self) -> None:
        """Hand over what is certain. Raises what storing raised."""
        if events := self.focus.take(time.monotonic(), _now()):
            self._told.append(asyncio.wrap_future(self._store(events)))
            self._told[-1].add_done_callback(lambda _: self.woken.set())
        while self._told and self._told[0].done():
            self._told.popleft().result()

    async def wait(self) -> None:
        """Sleep until something has changed, or a change counts."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), self.focus.wait(time.monotonic()))

    async def end(self) -> None:
        """Nobody is followed any more; returns once all is stored."""
        self.focus.away("ended", _now())
        self.tell()
        await asyncio.gather(*self._told)


def _now() -> datetime:
    return datetime.now().astimezone()
