"""The dispatcher: routes a prediction to its handlers, through the gates; each attempt becomes a row.

Quick handlers act here, one after the other; each other handler has a queue of its own, except that those that show a
box take turns in one thread. A failure is recorded and stops no other handler.
"""

import sys
import time
from collections.abc import Mapping
from threading import Thread
from typing import Any

from sqlalchemy.orm import Session

from db.dispatch import dispatches, ledger
from db.intake import events
from db.models import DispatchRow, PredictionRow
from db.prediction import predictions
from memo.config.live import LiveSettings
from memo.core.settings import Settings
from memo.desktop.machine import Machine
from memo.protocols import Handler
from memo.stack.backoff import BACK_OFF_S
from worker.dispatch.handler_queue import IDLE_S, HandlerQueue
from worker.dispatch.job_thread import LENGTH, JobThread
from worker.dispatch.payoff import JUDGED, judge, measure
from worker.dispatch.select import Decision, carry_out, decide, log_failure
from worker.gates import gates, objection
from worker.gates.attempt import Attempt, RoutedCandidate, route_candidates
from worker.gates.one_box import OneBox
from worker.handlers import as_result, installed, make
from worker.resources import Resources

# Seconds for which a thread holds the interpreter while another waits. With Python's default of 5 ms, a busy queue
# would delay quick handlers at each of its reads of the store.
SWITCH_S = 0.0005
DONE = 50  # latest actions of a person that tell what is in use

Offers = list[tuple[int, str, list[RoutedCandidate]]]
"""Box ranks and names of handlers with a queue, and the candidates for each."""


class Dispatcher:
    """The handlers of a process, each created once."""

    def __init__(
        self,
        resources: Resources,
        machine: Machine | None = None,
        *,
        idle_s: float = IDLE_S,
        back_off_s: tuple[float, float] = BACK_OFF_S,
    ) -> None:
        self._resources, self._machine = resources, machine or Machine()
        self._live = LiveSettings(resources.settings, resources.home)
        self._installed = set(installed())
        self._idle_s, self._back_off_s = idle_s, back_off_s
        self.queues: dict[str, HandlerQueue] = {}
        self._box = OneBox()
        self._use(resources.settings)
        self._judged: ledger.Judged = {}
        sys.setswitchinterval(SWITCH_S)

    def _use(self, settings: Settings) -> None:
        """Begin again with these settings. Handlers end by themselves, as one may take long."""
        Thread(target=_end, args=[self.queues], daemon=True).start()
        self.queues, self._box.handlers = {}, set()
        self._handlers: dict[str, Handler] = {}
        self._all, self._settings = settings, settings.dispatch
        self._gates = gates(settings, self._resources.home, self._machine)

    def _follow(self) -> None:
        """Use the settings in force."""
        settings = self._live.now()
        if settings is not self._all:
            self._use(settings)

    def dispatch(self, prediction_id: int) -> None:
        """Let each handler that the prediction is routed to make at most one attempt."""
        self._follow()
        with self._resources.store.read() as session:
            prediction = predictions.find_prediction(session, prediction_id)
            if prediction is None:
                return
            done = events.find_done(session, prediction.last_event_id, DONE)
            routes = route_candidates(prediction, done, self._settings).items()
            offers: Offers = []
            decisions = [self._decide(session, prediction, name, candidates, offers) for name, candidates in routes]
        decisions += self._enqueue(offers)
        carry_out(self._resources.store, [decision for decision in decisions if decision], self._act)

    def settle(self, judged: int = JUDGED) -> None:
        """Record which attempts were hits, judge their handlers, and let them take back what was in vain."""
        self._follow()
        with self._resources.store.read() as session:
            settled, gains = ledger.find_settled(session, self._judged), measure(session)
        done = [entry for entry in settled if entry.row.status == dispatches.DONE]
        if settled or gains:
            with self._resources.store.write() as session:
                ledger.record_outcomes(session, settled)
                ledger.record_gains(session, gains)
                rows = [*(entry.row for entry in done), *(row for row, _ in gains)]
                judge(session, {(row.scope, row.handler) for row in rows}, judged)
        for entry in done:
            if entry.came_at is None:
                self._expire(entry.row)

    def join(self) -> None:
        """Wait until all queues are empty."""
        for queue in self.queues.values():
            queue.join()

    def close(self) -> None:
        """End the processes of the handlers."""
        _end(self.queues)

    def _decide(
        self,
        session: Session,
        prediction: PredictionRow,
        name: str,
        candidates: list[RoutedCandidate],
        offers: Offers,
    ) -> Decision | None:
        """Return what to record or do here; None if there is no such handler, or it has a queue: see `offers` then."""
        is_on = name in self._settings.on
        if not is_on and name not in self._installed:
            return None
        first = Attempt(name, *candidates[0])
        if reason := objection(self._gates[:1], session, first):  # confidence, which needs no handler
            return Decision(first, dispatches.STOPPED, reason)
        try:
            handler = self._handler(name)
            rank = int(handler.box_rank or 0)
        except Exception as error:  # whatever a plug-in raises when it is loaded
            return Decision(first, dispatches.FAILED, log_failure(name, prediction.id, error))
        if handler.quick:
            return decide(session, name, handler, candidates, self._gates, is_on=is_on)
        offers.append((rank, name, candidates))
        return None

    def _enqueue(self, offers: Offers) -> list[Decision]:
        """Offer candidates to the queues; return what to record where a queue is full."""
        offered_at = time.monotonic()
        in_order = sorted(offers, key=lambda offer: offer[0])
        full = [offer for offer in in_order if not self._queue(offer[1]).offer(offer[2], offered_at)]
        return [
            Decision(Attempt(name, *candidates[0]), dispatches.OVERRUN, f"{LENGTH} attempts wait before it")
            for _, name, candidates in full
        ]

    def _handler(self, name: str) -> Handler:
        if name not in self._handlers:
            self._handlers[name] = make(name, self._all, self._resources.home)
        return self._handlers[name]

    def _queue(self, name: str) -> HandlerQueue:
        if name not in self.queues:
            settings, handler = self._all, self._handler(name)
            box = None if handler.box_rank is None else self._box
            self.queues[name] = HandlerQueue(
                name,
                handler,
                self._resources.store,
                self._gates,
                self._box_thread(name) if box else JobThread(name),
                is_on=name in self._settings.on,
                is_current=lambda: self._live.now() is settings,
                box=box,
                idle_s=self._idle_s,
                back_off_s=self._back_off_s,
            )
        return self.queues[name]

    def _box_thread(self, name: str) -> JobThread:
        """Return the thread that all handlers share that show a box."""
        shared = (queue.thread for queue in self.queues.values() if queue.box)
        return next(shared, None) or JobThread(name)

    def _expire(self, row: DispatchRow) -> None:
        """Let a handler take back what it did in vain, if it is still on and can do so."""
        if row.handler not in self._settings.on:
            return
        try:
            handler = self._handler(row.handler)
            if type(handler).expire is Handler.expire:
                return  # it takes nothing back, so no process is started for it
            if handler.quick:
                handler.expire(row.result or {})
            else:
                self._queue(row.handler).expire(row.result or {})
        except Exception as error:  # whatever a plug-in raises
            log_failure(row.handler, row.prediction_id, error)

    def _act(self, attempt: Attempt) -> dict[str, Any]:
        return as_result(self._handlers[attempt.handler].handle(attempt.candidate, attempt.context))


def _end(queues: Mapping[str, HandlerQueue]) -> None:
    """Finish queues, then end their threads, which some of them share."""
    for queue in queues.values():
        queue.close()
    for thread in {queue.thread for queue in queues.values()}:
        thread.close()
