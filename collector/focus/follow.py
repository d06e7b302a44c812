"""Follow a screen: turn focus changes and the person's presence into events, and hand them over to be stored."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from typing import Protocol

from collector.focus.hold_back import HoldBack
from collector.focus.presence import PresenceSignal, suspend_drift, wall_clock_drift, watch_logind
from collector.focus.tracker import FocusTracker
from memo.core.system_zone import local_now
from memo.protocols import Batch, Emit, Presence, Stop


class Screen(Protocol):
    """A window system that reports focus changes; its descriptor is readable when there may be one."""

    def fileno(self) -> int:
        """Return the descriptor to wait for."""

    def read(self, focus: FocusTracker) -> None:
        """Report to `focus` what has changed, and at first what stands. Raises if the connection is lost.

        It does not block. A window that the first call reports had the focus before; a screen that does not know by
        then reports it later, as a change.
        """


@asynccontextmanager
async def until_stopped(stop: Stop) -> AsyncIterator[None]:
    """Break off whatever the block waits for once `stop` is set, and go on after the block."""
    loop, limit = asyncio.get_running_loop(), asyncio.timeout(None)

    def break_off() -> None:
        loop.remove_reader(stop)
        limit.reschedule(loop.time())

    try:
        async with limit:
            loop.add_reader(stop, break_off)
            try:
                yield
            finally:
                loop.remove_reader(stop)
    except TimeoutError:
        if not limit.expired():
            raise


async def follow(
    source: str,
    screen: Screen,
    emit: Emit,
    stop: Stop,
    ready: Callable[[], None],
    signals: Sequence[PresenceSignal] = (watch_logind,),
    tracker: FocusTracker | None = None,
    told_s: float = 0.0,
) -> None:
    """Emit a screen's events until `stop` is set or the screen is lost; call `ready` each time it has been read.

    Sleeps until the screen changes, a presence signal arrives, or a pending change has lasted long enough to count.
    The first events of an app wait until its process is `told_s` old.
    """
    with ThreadPoolExecutor(1) as executor:  # the screen is read even while a batch waits for the disk

        def submit(reported: Batch | Presence) -> Future[None]:
            return executor.submit(emit, reported)

        followed = _FollowedScreen(source, tracker or FocusTracker(), submit, HoldBack(told_s))
        async with AsyncExitStack() as stack:
            async with until_stopped(stop):
                for signal in signals:
                    await stack.enter_async_context(signal(followed.set_presence))
            for file in (screen, stop):
                asyncio.get_running_loop().add_reader(file, followed.woken.set)
            try:
                screen.read(followed.focus)
                followed.focus.note_standing()
                while not stop.is_set():
                    followed.woken.clear()
                    followed.check_clocks()
                    screen.read(followed.focus)
                    followed.submit_events()
                    ready()
                    await followed.wait()
            finally:
                await followed.end()


class _FollowedScreen:
    """The focus on a screen, and the batches submitted but not stored yet."""

    def __init__(
        self, source: str, focus: FocusTracker, submit: Callable[[Batch | Presence], Future[None]], held: HoldBack
    ) -> None:
        self._source = source
        self.focus, self.woken, self._held = focus, asyncio.Event(), held
        self._suspended, self._clock = suspend_drift(), wall_clock_drift()
        self._submit, self._pending = submit, deque[asyncio.Future[None]]()
        self._is_there = True

    def check_clocks(self) -> None:
        """Notice a suspend, and a change of the wall clock."""
        if by := self._clock.seconds():
            self.focus.shift_clock(timedelta(seconds=by))
        if slept_s := self._suspended.seconds():
            self.focus.set_away("asleep", local_now() - timedelta(seconds=slept_s))
            self.focus.set_back("asleep")

    def set_presence(self, reason: str, away: bool, for_s: float = 0.0) -> None:
        """Record that the person has left or returned; a `collector.focus.presence.SetPresence`."""
        self.check_clocks()
        if away:
            self.focus.set_away(reason, local_now() - timedelta(seconds=for_s))
        else:
            self.focus.set_back(reason)
        self.woken.set()

    def submit_events(self, all_of_them: bool = False) -> None:
        """Submit the events that are certain and due. Raises what storing an earlier batch raised."""
        self._held.add(self.focus.take_events(time.monotonic(), local_now()), self.focus.began)
        if standing := self.focus.take_standing():
            self._add(self._submit(Batch(standing, self._source, {}, stood=True)))
        if events := self._held.take(all_of_them):
            self._add(self._submit(Batch(events, self._source, {})))
        self._submit_presence()  # after the usage that it ended
        while self._pending and self._pending[0].done():
            self._pending.popleft().result()

    def _submit_presence(self) -> None:
        left_at = self.focus.left_at
        if self._is_there == (left_at is not None):
            self._is_there = left_at is None
            for_s = max(0.0, (local_now() - left_at).total_seconds()) if left_at else 0.0
            self._add(self._submit(Presence(self._is_there, for_s)))

    def _add(self, future: Future[None]) -> None:
        self._pending.append(asyncio.wrap_future(future))
        self._pending[-1].add_done_callback(lambda _: self.woken.set())

    async def wait(self) -> None:
        """Sleep until something changes, or a change is due to count."""
        dues = [due for due in (self.focus.due_in(time.monotonic()), self._held.due_in()) if due is not None]
        with suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), min(dues, default=None))

    async def end(self) -> None:
        """Close the current usage and wait until everything is stored."""
        self.focus.set_away("ended", local_now())
        self.submit_events(all_of_them=True)
        await asyncio.gather(*self._pending)
