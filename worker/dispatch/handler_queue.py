"""The queue of a slow handler, whose attempts are made in a thread, so that one that hangs delays no other."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from db.dispatch.dispatches import STOPPED
from db.engine import Store
from memo.core.logs import get_logger
from memo.protocols import Handler
from worker.dispatch.handler_process import HandlerFailed, HandlerProcess
from worker.dispatch.job_thread import Due, JobThread
from worker.dispatch.select import Decision, carry_out, decide, record
from worker.gates import Gate
from worker.gates.attempt import Attempt, RoutedCandidate
from worker.gates.one_box import OneBox

# Attempts stopped by gates are recorded together, up to this many seconds late: a burst consists mostly of them, and
# each write keeps the other processes waiting.
RECORD_S = 0.2
IDLE_S = 60.0  # a handler's process ends after this time without an attempt

log = get_logger(__name__)


class HandlerQueue:
    """Selects and carries out the attempts of one handler, one after the other.

    Those that wait when `is_current` ends, as the settings have changed, are dropped.
    """

    def __init__(
        self,
        name: str,
        handler: Handler,
        store: Store,
        gates: Sequence[Gate],
        thread: JobThread,
        *,
        is_on: bool,
        is_current: Callable[[], bool],
        box: OneBox | None,
        idle_s: float,
        back_off_s: tuple[float, float],
    ) -> None:
        self._is_current = is_current
        self._name, self._handler, self._store, self._is_on = name, handler, store, is_on
        self.box, self._idle_s, self.thread = box, idle_s, thread
        self.process = HandlerProcess(name, back_off_s)
        self._gates = [*gates, Gate("back-off", self._await_restart)]
        if box:
            self._gates.append(Gate("one box", box.objection))
            box.handlers |= {name} if is_on else set()
        self._stopped: list[Decision] = []
        self._record_at = 0.0  # when the stopped attempts are to be recorded
        self._end_at = 0.0  # when the process, if it runs, is to end
        thread.add_user(self._due)

    def offer(self, candidates: Sequence[RoutedCandidate], offered_at: float) -> bool:
        """Enqueue an attempt, offered at a monotonic time; return False if the queue is full."""
        return self.thread.put(partial(self._attempt, candidates, offered_at))

    def expire(self, result: dict[str, Any]) -> bool:
        """Enqueue that the handler takes back what it did; return False if the queue is full."""
        return self.thread.put(partial(self._expire, result))

    def join(self) -> None:
        """Wait until the queue is empty and everything is recorded."""
        self.thread.join(self._record_stopped)

    def close(self) -> None:
        """Finish the queue, then end the handler's process."""
        self.thread.join(self._record_stopped, self.process.end)

    def _await_restart(self, session: Session, attempt: Attempt) -> str | None:
        """Block, as a gate, a handler whose process died, until it may be started again."""
        wait_s = self.process.rest_s
        return f"its process died, another one is started in {wait_s:.0f} s" if wait_s else None

    def _due(self) -> Due | None:
        if self._stopped:
            return self._record_at, self._record_stopped
        return (self._end_at, self.process.end) if self.process.pid else None

    def _attempt(self, candidates: Sequence[RoutedCandidate], offered_at: float) -> None:
        if not self._is_current():
            return
        if self.box:
            self.box.offered_at = offered_at
        with self._store.read() as session:
            decision = decide(session, self._name, self._handler, candidates, self._gates, is_on=self._is_on)
        if decision and decision.status == STOPPED:
            if not self._stopped:
                self._record_at = time.monotonic() + RECORD_S
            self._stopped.append(decision)
        elif decision and carry_out(self._store, [decision], self._act) and self.box:
            self.box.shown(self._name)

    def _act(self, attempt: Attempt) -> dict[str, Any]:
        try:
            return self.process.handle(attempt, self._handler.limit_s)
        finally:
            self._end_at = time.monotonic() + self._idle_s

    def _record_stopped(self) -> None:
        stopped, self._stopped = self._stopped, []
        record(self._store, stopped)

    def _expire(self, result: dict[str, Any]) -> None:
        try:
            self.process.expire(result, self._handler.limit_s)
        except HandlerFailed as error:
            log.error("expire_failed", handler=self._name, reason=str(error))
        finally:
            self._end_at = time.monotonic() + self._idle_s
