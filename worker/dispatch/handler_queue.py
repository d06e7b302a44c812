"""A lane for each slow handler: a thread with a bounded queue, so that one that is stuck delays no other."""

import queue
import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Event, Thread
from typing import Any

from sqlalchemy.orm import Session

from db.dispatch.dispatches import STOPPED
from db.engine import Store
from memo.core.logs import get_logger
from memo.protocols import Handler
from worker.dispatch.handler_process import HandlerFailed, HandlerProcess
from worker.dispatch.select import Decision, carry_out, decide, note
from worker.gates import Gate
from worker.gates.attempt import Attempt, RoutedCandidate

LENGTH = 16
"""Predictions that wait for a handler; what comes then is written down as overrun."""
NOTED_S = 0.2
"""So long what gates stopped may wait to be written down, all together: a burst is mostly that, and who writes keeps
the others waiting, the longer the more there is to write."""
IDLE_S = 60.0
"""After so long without a go a handler's process ends."""

log = get_logger(__name__)


class BackOff:
    """A gate: a handler whose process died rests before the next one."""

    name = "back-off"

    def __init__(self, hand: HandlerProcess) -> None:
        self._hand = hand

    def objection(self, session: Session, go: Attempt) -> str | None:
        """It rests."""
        wait = self._hand.rest_s
        return f"its process died, another one is started in {wait:.0f} s" if wait else None


class HandlerQueue:
    """Chooses and carries out the goes of one handler, one after the other."""

    def __init__(self, name: str, handler: Handler, store: Store, gates: Sequence[Gate], *, is_on: bool) -> None:
        self._name, self._handler, self._store, self._is_on = name, handler, store, is_on
        self.hand = HandlerProcess(name)
        self._gates = (*gates, BackOff(self.hand))
        self._asks: queue.Queue[Callable[[], object] | None] = queue.Queue(LENGTH)
        self._stopped: list[Decision] = []
        self._due = 0.0
        """When they are to be written down."""
        self._thread = Thread(target=self._run, name=f"lane {name}", daemon=True)
        self._thread.start()

    def offer(self, wanted: Sequence[RoutedCandidate]) -> bool:
        """Let the handler have its go when its turn comes; false where too many wait already."""
        return self._put(partial(self._go, wanted))

    def expire(self, result: dict[str, Any]) -> bool:
        """Let the handler take back what it did; false where too many wait already."""
        return self._put(partial(self._expire, result))

    def join(self) -> None:
        """Wait until nothing waits, and all is written down."""
        done = Event()
        for ask in (self._write_down, done.set):
            self._asks.put(ask)
        done.wait()

    def close(self) -> None:
        """End the handler's process, once what waits is done."""
        for ask in (self._write_down, self.hand.end, None):
            self._asks.put(ask)
        self._thread.join()

    def _put(self, ask: Callable[[], object]) -> bool:
        try:
            self._asks.put_nowait(ask)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (ask := self._next()) is not None:
            try:
                ask()
            except Exception:  # the store may be away for a while; the lane is needed after that
                log.exception("a go was lost", handler=self._name)

    def _next(self) -> Callable[[], object] | None:
        """What is to be done now; None to end."""
        wait_s = IDLE_S if self.hand.pid else None
        if self._stopped and (wait_s := self._due - time.monotonic()) <= 0:
            return self._write_down
        try:
            return self._asks.get(timeout=wait_s)
        except queue.Empty:
            return self._write_down if self._stopped else self.hand.end

    def _go(self, wanted: Sequence[RoutedCandidate]) -> None:
        with self._store.read() as session:
            choice = decide(session, self._name, self._handler, wanted, self._gates, is_on=self._is_on)
        if choice and choice.status == STOPPED:
            self._due = self._due if self._stopped else time.monotonic() + NOTED_S
            self._stopped.append(choice)
        elif choice:
            carry_out(self._store, [choice], lambda go: self.hand.handle(go, self._handler.limit_s))

    def _write_down(self) -> None:
        stopped, self._stopped = self._stopped, []
        note(self._store, stopped)

    def _expire(self, result: dict[str, Any]) -> None:
        try:
            self.hand.expire(result, self._handler.limit_s)
        except HandlerFailed as error:
            log.error("a handler could not take back what it did", handler=self._name, reason=str(error))
