"""A bounded queue and a thread for each slow handler, so that one that hangs delays no other."""

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
from worker.dispatch.handler_process import BACK_OFF_S, HandlerFailed, HandlerProcess
from worker.dispatch.select import Decision, carry_out, decide, record
from worker.gates import Gate
from worker.gates.attempt import Attempt, RoutedCandidate

LENGTH = 16  # predictions that may wait for a handler; further ones are recorded as overrun
# Attempts stopped by gates are recorded together, up to this many seconds late: a burst consists mostly of them, and
# each write keeps the other processes waiting.
RECORD_S = 0.2
IDLE_S = 60.0  # a handler's process ends after this time without an attempt

log = get_logger(__name__)


class RestartDelay:
    """A gate: a handler whose process died is started again only after a delay."""

    name = "back-off"

    def __init__(self, process: HandlerProcess) -> None:
        self._process = process

    def objection(self, session: Session, attempt: Attempt) -> str | None:
        """Return the seconds that are left of the delay, or None."""
        wait_s = self._process.rest_s
        return f"its process died, another one is started in {wait_s:.0f} s" if wait_s else None


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
        *,
        is_on: bool,
        is_current: Callable[[], bool] = lambda: True,
        idle_s: float = IDLE_S,
        back_off_s: tuple[float, float] = BACK_OFF_S,
    ) -> None:
        self._is_current = is_current
        self._name, self._handler, self._store, self._is_on = name, handler, store, is_on
        self._idle_s = idle_s
        self.process = HandlerProcess(name, back_off_s)
        self._gates = (*gates, RestartDelay(self.process))
        self._jobs: queue.Queue[Callable[[], object] | None] = queue.Queue(LENGTH)
        self._stopped: list[Decision] = []
        self._record_at = 0.0  # when the stopped attempts are to be recorded
        self._thread = Thread(target=self._run, name=f"queue {name}", daemon=True)
        self._thread.start()

    def offer(self, candidates: Sequence[RoutedCandidate]) -> bool:
        """Enqueue an attempt; return False if the queue is full."""
        return self._put(partial(self._attempt, candidates))

    def expire(self, result: dict[str, Any]) -> bool:
        """Enqueue the handler's taking back of what it did; return False if the queue is full."""
        return self._put(partial(self._expire, result))

    def join(self) -> None:
        """Wait until the queue is empty and everything is recorded."""
        done = Event()
        for job in (self._record_stopped, done.set):
            self._jobs.put(job)
        done.wait()

    def close(self) -> None:
        """Finish the queue, then end the handler's process."""
        for job in (self._record_stopped, self.process.end, None):
            self._jobs.put(job)
        self._thread.join()

    def _put(self, job: Callable[[], object]) -> bool:
        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:  # the store may be unavailable for a while; the queue is needed after that
                log.exception("attempt_lost", handler=self._name)

    def _next(self) -> Callable[[], object] | None:
        """Return the next job, or None to end."""
        wait_s = self._idle_s if self.process.pid else None
        if self._stopped and (wait_s := self._record_at - time.monotonic()) <= 0:
            return self._record_stopped
        try:
            return self._jobs.get(timeout=wait_s)
        except queue.Empty:
            return self._record_stopped if self._stopped else self.process.end

    def _attempt(self, candidates: Sequence[RoutedCandidate]) -> None:
        if not self._is_current():
            return
        with self._store.read() as session:
            decision = decide(session, self._name, self._handler, candidates, self._gates, is_on=self._is_on)
        if decision and decision.status == STOPPED:
            if not self._stopped:
                self._record_at = time.monotonic() + RECORD_S
            self._stopped.append(decision)
        elif decision:
            limit_s = self._handler.limit_s
            carry_out(self._store, [decision], lambda attempt: self.process.handle(attempt, limit_s))

    def _record_stopped(self) -> None:
        stopped, self._stopped = self._stopped, []
        record(self._store, stopped)

    def _expire(self, result: dict[str, Any]) -> None:
        try:
            self.process.expire(result, self._handler.limit_s)
        except HandlerFailed as error:
            log.error("expire_failed", handler=self._name, reason=str(error))
