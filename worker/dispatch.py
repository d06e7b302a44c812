"""Routes a prediction: gates, then the handlers that its operation names, each go a row.

A handler that raises is logged with the prediction's id, and the next one runs.
"""

import time
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from typing import Any

from db import dispatches, predictions
from db.models import PredictionRow
from memo.grammar import clean
from memo.logs import get
from memo.paths import Home
from memo.predictions import HORIZON_S, Candidate, action_from_dict
from memo.protocols import DispatchContext, Handler
from worker.context import Context
from worker.gates import gates

STOPPED = "none"
"""In place of a handler's name, where a gate stopped all of them."""

log = get(__name__)
_MADE: dict[tuple[str, Home], Handler] = {}


def dispatch(opened: Context, prediction_id: int) -> None:
    """Let each routed handler act once on the first candidate, if every gate lets it pass."""
    with opened.store.read() as session:
        prediction = predictions.find(session, prediction_id)
    if prediction is None or not prediction.candidates:
        return
    candidate = prediction.candidates[0]
    if _passes(opened, prediction, candidate):
        for name in opened.settings.dispatch.routes.get(action_from_dict(candidate["action"]).operation, []):
            _go(opened, prediction, candidate, name)


def _passes(opened: Context, prediction: PredictionRow, candidate: dict[str, Any]) -> bool:
    with opened.store.write() as session:
        if taken := dispatches.handlers(session, prediction.id):  # asked before: its own acts are no objection
            return STOPPED not in taken
        for gate in gates(opened.settings.dispatch):
            if objection := gate.objection(session, prediction, candidate):
                action, probability = candidate["action"], candidate["probability"]
                row = dispatches.claim(session, prediction, STOPPED, action, probability)
                if row is not None:
                    row.status, row.detail = "stopped", f"{gate.name}: {objection}"
                return False
    return True


def _go(opened: Context, prediction: PredictionRow, candidate: dict[str, Any], name: str) -> None:
    with opened.store.write() as session:
        claimed = dispatches.claim(session, prediction, name, candidate["action"], candidate["probability"])
    if claimed is None:
        return
    began = time.perf_counter()
    try:
        result = handler(name, opened).handle(as_candidate(candidate), _context_of(prediction))
        status, detail = "done", str(result or "")
    except Exception as error:  # whatever a plug-in raises must not reach the next handler
        log.exception("a handler failed", handler=name, prediction=prediction.id)
        status, detail = "failed", f"{type(error).__name__}: {error}"
    with opened.store.write() as session:
        dispatches.finish(session, claimed.id, status, clean(detail), (time.perf_counter() - began) * 1e3)


def handler(name: str, opened: Context) -> Handler:
    """The handler of the entry point `name`, made once. Raises LookupError where there is none."""
    found = _MADE.get((name, opened.home))
    if found is None:
        entry = next(iter(entry_points(group="memo.handlers", name=name)), None)
        if entry is None:
            raise LookupError(f"no handler is installed under the name {name}")
        found = _MADE[name, opened.home] = entry.load()(opened.settings, opened.home)
    return found


def as_candidate(given: dict[str, Any]) -> Candidate:
    """The candidate of a prediction's row."""
    return Candidate(
        action_from_dict(given["action"]),
        given["probability"],
        datetime.fromisoformat(given["expected_at"]),
        executable=given["executable"],
        spread_s=given.get("spread_s", 0),
    )


def _context_of(prediction: PredictionRow) -> DispatchContext:
    made_at = prediction.made_at.astimezone(UTC)
    return DispatchContext(prediction.id, prediction.scope, made_at, made_at + timedelta(seconds=HORIZON_S))
