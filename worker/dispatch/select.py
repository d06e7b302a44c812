"""Selection: the candidate that a handler acts on, and its attempt, claimed before and recorded after."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from sqlalchemy.orm import Session

from db.dispatch import dispatches
from db.engine import Store
from db.models import PredictionRow
from db.prediction import feedback, predictions
from memo.core.errors import MemoError
from memo.core.logs import get_logger
from memo.core.predictions import Answer, action_as_dict
from memo.protocols import Handler, NothingToDo
from worker.gates import Gate, objection
from worker.gates.attempt import Attempt, RoutedCandidate
from worker.handlers import reason

log = get_logger(__name__)

NOTHING = "nothing to do"  # in the place of a gate's name, where the handler says so
Act = Callable[[Attempt], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision about an attempt: to carry it out (`dispatches.CLAIMED`), or what to record instead."""

    attempt: Attempt
    status: str
    detail: str = ""


def decide(
    session: Session,
    name: str,
    handler: Handler,
    candidates: Sequence[RoutedCandidate],
    gates: Sequence[Gate],
    *,
    is_on: bool,
) -> Decision | None:
    """Return the best candidate that the handler accepts and no gate stops; else the best one and what stopped it."""
    stopped = None
    for candidate, context in candidates:
        attempt = Attempt(name, candidate, context)
        try:
            if not handler.accepts(candidate.action):
                continue
            cost = handler.cost(candidate, context)
            attempt = Attempt(name, candidate, context, cost, handler.noticed, handler.per_hour)
        except NothingToDo as error:
            stopped = stopped or Decision(attempt, dispatches.STOPPED, f"{NOTHING}: {reason(error)}")
            continue
        except Exception as error:  # whatever a plug-in raises must not reach the next handler
            return Decision(attempt, dispatches.FAILED, log_failure(name, context.prediction_id, error))
        stopped_by = objection(gates, session, attempt)
        if stopped_by is None:
            return Decision(attempt, dispatches.CLAIMED if is_on else dispatches.DRY)
        stopped = stopped or Decision(attempt, dispatches.STOPPED, stopped_by)
    return stopped


def carry_out(store: Store, decisions: Sequence[Decision], act: Act) -> bool:
    """Record the decisions, act on those that are claimed, and record the results; return whether any was done."""
    ids = record(store, decisions)
    claimed = [decision.attempt for decision in decisions if decision.status == dispatches.CLAIMED]
    attempts = [attempt for attempt in claimed if attempt.key in ids]
    results = [{"id": ids[attempt.key]} | _result(attempt, act) for attempt in attempts]
    if results:
        with store.write() as session:
            dispatches.record_results(session, results)
            for attempt, values in zip(attempts, results, strict=True):
                _record_answer(session, attempt, values["result"] or {})
    return any(values["status"] == dispatches.DONE for values in results)


def record(store: Store, decisions: Sequence[Decision]) -> dict[tuple[int, str], int]:
    """Record decisions; return the ids of the new rows by prediction and handler.

    Those about what was forgotten meanwhile are left out.
    """
    if not decisions:
        return {}
    with store.write() as session:
        find_named = cache(partial(predictions.find_actions, session))  # most decisions are about one prediction
        claims = [_claim(decision) for decision in decisions if _is_named(decision.attempt, find_named)]
        return dispatches.add_claims(session, claims)


def _is_named(attempt: Attempt, find_named: Callable[[int], list[dict[str, str]]]) -> bool:
    """Return whether the prediction still names what the attempt is about."""
    return action_as_dict(attempt.candidate.action) in find_named(attempt.context.prediction_id)


def log_failure(name: str, prediction_id: int, error: Exception) -> str:
    """Log a handler's error, and return the text for the row."""
    text = reason(error)
    trace = None if isinstance(error, MemoError) else error
    log.error("handler_failed", handler=name, prediction=prediction_id, reason=text, exc_info=trace)
    return text


def _claim(decision: Decision) -> dispatches.Claim:
    attempt, candidate = decision.attempt, decision.attempt.candidate
    return dispatches.Claim(
        attempt.context.prediction_id,
        attempt.context.scope,
        attempt.handler,
        candidate.action,
        candidate.probability,
        decision.status,
        decision.detail,
        attempt.context.until,
        attempt.cost,
    )


def _result(attempt: Attempt, act: Act) -> dict[str, Any]:
    """Act, and return the result as columns of the row."""
    began = time.perf_counter()
    status, detail, result = dispatches.DONE, "", None
    try:
        result = act(attempt)
    except NothingToDo as error:
        status, detail = dispatches.STOPPED, f"{NOTHING}: {reason(error)}"
    except Exception as error:
        status = dispatches.FAILED
        detail = log_failure(attempt.handler, attempt.context.prediction_id, error)
    return {
        "status": status,
        "detail": detail,
        "duration_ms": (time.perf_counter() - began) * 1e3,
        "result": result,
        "cost_ms": _number(result, "ms", attempt.cost.ms),
        "read_bytes": int(_number(result, "read_bytes", attempt.cost.read_bytes)),
    }


def _number(result: Mapping[str, Any] | None, key: str, default: float) -> float:
    value = (result or {}).get(key)
    return value if isinstance(value, int | float) else default


def _record_answer(session: Session, attempt: Attempt, result: Mapping[str, Any]) -> None:
    """Record a person's answer as feedback, unless what it is about was forgotten meanwhile."""
    answer = result.get("answer")
    if answer in list(Answer) and _is_named(attempt, partial(predictions.find_actions, session)):
        prediction = session.get_one(PredictionRow, attempt.context.prediction_id)
        feedback.add_answer(session, prediction, action_as_dict(attempt.candidate.action), Answer(str(answer)))
