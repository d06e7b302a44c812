"""Which of its candidates a handler acts on, and how that goes: claimed before, written down after."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from db.dispatch import dispatches
from db.engine import Store
from db.prediction import feedback, predictions
from memo.core.errors import MemoError
from memo.core.logs import get_logger
from memo.core.predictions import Answer, action_as_dict
from memo.protocols import Handler, NothingToDo
from worker.gates import Gate, objection
from worker.gates.attempt import Attempt, RoutedCandidate
from worker.handlers import reason

log = get_logger(__name__)
NOTHING = "nothing to do"
"""Stands where a gate's name would."""

Act = Callable[[Attempt], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Decision:
    """What shall become of a go: `dispatches.CLAIMED` to carry it out, or what is written down instead."""

    go: Attempt
    status: str
    detail: str = ""


def decide(
    session: Session,
    name: str,
    handler: Handler,
    wanted: Sequence[RoutedCandidate],
    gates: Sequence[Gate],
    *,
    is_on: bool,
) -> Decision | None:
    """The best candidate on which it can act and no gate stops; with none, the best one and what stopped it."""
    stopped = None
    for candidate, context in wanted:
        try:
            if not handler.accepts(candidate.action):
                continue
            go = Attempt(name, candidate, context, handler.cost(candidate, context), handler.noticed, handler.per_hour)
        except NothingToDo as none:
            stopped = stopped or Decision(
                Attempt(name, candidate, context), dispatches.STOPPED, f"{NOTHING}: {reason(none)}"
            )
            continue
        except Exception as error:  # whatever a plug-in raises must not reach the next handler
            return Decision(
                Attempt(name, candidate, context), dispatches.FAILED, failed(name, context.prediction_id, error)
            )
        words = objection(gates, session, go)
        if words is None:
            return Decision(go, dispatches.CLAIMED if is_on else dispatches.DRY)
        stopped = stopped or Decision(go, dispatches.STOPPED, words)
    return stopped


def carry_out(store: Store, choices: Sequence[Decision], act: Act) -> None:
    """Claim what was chosen; act on what is to be acted on; write down how it went."""
    ids = note(store, choices)
    wanted = [choice.go for choice in choices if choice.status == dispatches.CLAIMED]
    goes = [go for go in wanted if go.key in ids]
    ended = [{"id": ids[go.key]} | _ended(go, act) for go in goes]
    if ended:
        with store.write() as session:
            dispatches.record_results(session, ended)
            for go, values in zip(goes, ended, strict=True):
                _take_answer(session, go, values["result"] or {})


def note(store: Store, choices: Sequence[Decision]) -> dict[tuple[int, str], int]:
    """Write down what was chosen; the ids of the rows, by prediction and handler."""
    if not choices:
        return {}
    with store.write() as session:
        return dispatches.add_claims(session, [_claim(choice) for choice in choices])


def failed(name: str, prediction_id: int, error: Exception) -> str:
    """Log it; what stands in the row."""
    words = reason(error)
    trace = None if isinstance(error, MemoError) else error
    log.error("a handler failed", handler=name, prediction=prediction_id, reason=words, exc_info=trace)
    return words


def _claim(choice: Decision) -> dispatches.Claim:
    go, candidate = choice.go, choice.go.candidate
    return dispatches.Claim(
        go.context.prediction_id,
        go.context.scope,
        go.handler,
        candidate.action,
        candidate.probability,
        choice.status,
        choice.detail,
        go.context.until,
        go.cost,
    )


def _ended(go: Attempt, act: Act) -> dict[str, Any]:
    """How it went, as columns."""
    began = time.perf_counter()
    status, detail, result = dispatches.DONE, "", None
    try:
        result = act(go)
    except Exception as error:
        status, detail = dispatches.FAILED, failed(go.handler, go.context.prediction_id, error)
    return {
        "status": status,
        "detail": detail,
        "duration_ms": (time.perf_counter() - began) * 1e3,
        "result": result,
        "cost_ms": _number(result, "ms", go.cost.ms),
        "read_bytes": int(_number(result, "read_bytes", go.cost.read_bytes)),
    }


def _number(result: Mapping[str, Any] | None, key: str, otherwise: float) -> float:
    given = (result or {}).get(key)
    return given if isinstance(given, int | float) else otherwise


def _take_answer(session: Session, go: Attempt, result: Mapping[str, Any]) -> None:
    """What a person answered is feedback, unless the prediction was forgotten meanwhile."""
    answer = result.get("answer")
    given = answer in list(Answer)
    if given and (prediction := predictions.find_prediction(session, go.context.prediction_id)):
        feedback.add_answer(session, prediction, action_as_dict(go.candidate.action), Answer(str(answer)))
