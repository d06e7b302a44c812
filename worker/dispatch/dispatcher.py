"""Routes a prediction to its handlers: gates, then the act, each go a row.

Quick handlers act here, one after the other; each other one has a lane of its own. What fails is written down, and
stops nobody else.
"""

import sys
from typing import Any

from sqlalchemy.orm import Session

from db.dispatch import dispatches, ledger
from db.models import DispatchRow, PredictionRow
from db.prediction import predictions
from memo.protocols import Handler
from worker.dispatch.handler_queue import LENGTH, HandlerQueue
from worker.dispatch.payoff import judge
from worker.dispatch.savings import measure
from worker.dispatch.select import Decision, carry_out, decide, failed
from worker.effects.machine import Machine
from worker.gates import gates, objection
from worker.gates.attempt import Attempt, RoutedCandidate, route_candidates
from worker.gates.candidate import Confidence
from worker.handlers import as_result, installed, make
from worker.resources import Resources

SWITCH_S = 0.0005
"""Seconds for which a thread holds the interpreter while another waits. With Python's own 5 ms a lane at work delays
what is quick at each of its looks into the store."""


class Dispatcher:
    """Holds the handlers of a process, each made once."""

    def __init__(self, opened: Resources, machine: Machine | None = None) -> None:
        self._opened, self._settings = opened, opened.settings.dispatch
        self._gates = gates(opened.settings, opened.home, machine or Machine())
        self._unlikely = (Confidence(self._settings.minimum_probability),)
        self._installed = set(installed())
        self._handlers: dict[str, Handler] = {}
        self.lanes: dict[str, HandlerQueue] = {}
        sys.setswitchinterval(SWITCH_S)

    def dispatch(self, prediction_id: int) -> None:
        """Let each handler to which the prediction is routed have at most one go at it."""
        with self._opened.store.read() as session:
            prediction = predictions.find_prediction(session, prediction_id)
            if prediction is None:
                return
            routes = route_candidates(prediction, self._settings).items()
            chosen = [self._choose(session, prediction, name, wanted) for name, wanted in routes]
        carry_out(self._opened.store, [choice for choice in chosen if choice], self._act)

    def settle(self) -> None:
        """Write down what came true and what did not; let handlers take back what they did in vain, and judge them."""
        with self._opened.store.read() as session:
            found, gains = ledger.find_settled(session), measure(session)
        done = [one for one in found if one.row.status == dispatches.DONE]
        if found or gains:
            with self._opened.store.write() as session:
                ledger.record_outcomes(session, found)
                ledger.record_gains(session, gains)
                rows = [*(one.row for one in done), *(row for row, _ in gains)]
                judge(session, {(row.scope, row.handler) for row in rows})
        for one in done:
            if one.came_at is None:
                self._expire(one.row)

    def join(self) -> None:
        """Wait until the lanes have nothing to do."""
        for lane in self.lanes.values():
            lane.join()

    def close(self) -> None:
        """End the processes of the handlers."""
        for lane in self.lanes.values():
            lane.close()

    def _choose(
        self, session: Session, prediction: PredictionRow, name: str, wanted: list[RoutedCandidate]
    ) -> Decision | None:
        """What is to be written down or done here; None where that is a lane's, or nobody's."""
        is_on = name in self._settings.on
        if not is_on and name not in self._installed:
            return None
        first = Attempt(name, *wanted[0])
        if words := objection(self._unlikely, session, first):
            return Decision(first, dispatches.STOPPED, words)
        try:
            handler = self._handler(name)
        except Exception as error:  # whatever a plug-in raises when it is loaded
            return Decision(first, dispatches.FAILED, failed(name, prediction.id, error))
        if handler.quick:
            return decide(session, name, handler, wanted, self._gates, is_on=is_on)
        if self._lane(name).offer(wanted):
            return None
        return Decision(first, dispatches.OVERRUN, f"{LENGTH} predictions wait for it")

    def _handler(self, name: str) -> Handler:
        if name not in self._handlers:
            self._handlers[name] = make(name, self._opened.settings, self._opened.home)
        return self._handlers[name]

    def _lane(self, name: str) -> HandlerQueue:
        if name not in self.lanes:
            is_on = name in self._settings.on
            self.lanes[name] = HandlerQueue(name, self._handler(name), self._opened.store, self._gates, is_on=is_on)
        return self.lanes[name]

    def _expire(self, row: DispatchRow) -> None:
        """Where its handler is still on, and has something to take back; else it is too late."""
        if row.handler not in self._settings.on:
            return
        try:
            handler = self._handler(row.handler)
            if handler.quick and _takes_back(handler):
                handler.expire(row.result or {})
            elif _takes_back(handler):
                self._lane(row.handler).expire(row.result or {})
        except Exception as error:  # whatever a plug-in raises
            failed(row.handler, row.prediction_id, error)

    def _act(self, go: Attempt) -> dict[str, Any]:
        return as_result(self._handlers[go.handler].handle(go.candidate, go.context))


def _takes_back(handler: Handler) -> bool:
    """Whether it has an `expire` of its own: else no process is started for nothing."""
    return type(handler).expire is not Handler.expire
