"""Why a prediction was made: its events are read again and weighed with today's weights."""

from collections.abc import Callable, Sequence
from typing import Any

from db.dispatch import dispatches
from db.intake import events, scopes
from db.models import DispatchRow, PredictionRow
from db.prediction import checkpoints, feedback, predictions, versions
from db.store_access import read_session
from memo.core.errors import UsageError
from memo.core.paths import Home
from memo.core.predictions import Answer, Ranking, action_as_dict, action_from_dict, place_from_dict, round_down
from memo.core.settings import Settings
from memo.core.steps import Progress, with_progress
from worker.prediction.scope_model import RANKED
from worker.predictors.evidence import PastEvidence, find_evidence
from worker.predictors.mixed import MixedPredictor
from worker.predictors.serving import BUILTIN, Serving

REASONS = 4  # reasons given, the strongest first
TOP = 3  # candidates given


def explain(settings: Settings, home: Home, prediction: int, progress: Progress) -> dict[str, Any]:
    """Return why the first answers of a prediction were first, as JSON; `progress` counts the events read again."""
    with read_session(settings, home) as session:
        row = predictions.find_prediction(session, prediction) if session else None
        if row is None:
            raise UsageError(f"There is no prediction {prediction}; `memo history` lists the ids.")
        newest = events.find_seq(session, row.last_event_id)
        entries = events.find_learned(session, row.scope, newest)
        scope = scopes.find_scope(session, row.scope)
        checkpoint = (
            checkpoints.find_weights(session, row.scope, row.model_version, scope.generation) if scope else None
        )
        answers = feedback.find_answers_after(session, row.scope, 0)
        attempts = dispatches.find_dispatches(session, row.id)
        is_builtin = row.model_version == BUILTIN
        folder = None if is_builtin else home.version(versions.find_version(session, row.model_version).path)
    weights = checkpoint.weights if checkpoint else None
    serving = Serving(settings.model)
    predictor = serving.predictor(row.model_version, folder, weights)
    history_alone = MixedPredictor(None, weights)
    log = [events.as_event(entry) for entry in entries]
    for number, event in enumerate(with_progress(log, len(log), progress)):
        for learner in (predictor, history_alone):
            learner.learn(event, ranks=number >= len(log) - RANKED)
    for answer in answers:
        for learner in (predictor, history_alone):
            learner.feedback.learn(
                action_from_dict(answer.after), action_from_dict(answer.action), Answer(answer.answer)
            )
    rankings = {"now": predictor.predict(log[-1:], TOP), "without_language_model": history_alone.predict(log[-1:], TOP)}
    actions = [action_from_dict(candidate["action"]) for candidate in row.candidates]
    return {
        "id": row.id,
        "scope": row.scope,
        "at": log[-1].at,
        "events": len(log),
        "problem": serving.problem,
        **_person(row, predictor),
        "candidates": _likely(row.candidates),
        "reasons": _strongest(predictor.reasons, actions),
        "past": _past(find_evidence(log, actions[0])) if actions else None,
        **{name: _candidates(ranking) for name, ranking in rankings.items()},
        "handlers": [_attempt(attempt) for attempt in attempts],
    }


def _person(row: PredictionRow, predictor: MixedPredictor) -> dict[str, Any]:
    """Return the likeliest places and actions of the person, and why the first ones were first."""
    places = [place_from_dict(place) for place in row.places]
    actions = [action_from_dict(entry["action"]) for entry in row.person]
    return {
        "places": row.places[:TOP],
        "place_reasons": _strongest(predictor.place_reasons, places),
        "person": _likely(row.person),
        "person_reasons": _strongest(predictor.thing_reasons, actions),
    }


def _strongest(reasons: Callable[[Any, Any], dict[str, float]], ranked: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what most puts the first one ahead of the second."""
    found = reasons(ranked[0], ranked[1]) if len(ranked) > 1 else {}
    strongest = sorted(found.items(), key=lambda reason: -reason[1])[:REASONS]
    return [{"feature": name, "nats": round(nats, 3)} for name, nats in strongest if nats > 0]


def _likely(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: one[name] for name in ("action", "probability")} for one in entries[:TOP]]


def _past(before: PastEvidence) -> dict[str, Any]:
    context = [action_as_dict(action) for action in before.context]
    return {"context": context, "met": before.met, "followed": list(before.followed)}


def _candidates(ranking: Ranking) -> list[dict[str, Any]]:
    return [
        {"action": action_as_dict(one.action), "probability": round_down(one.probability)} for one in ranking.candidates
    ]


def _attempt(row: DispatchRow) -> dict[str, Any]:
    """Return what a handler did; if a gate stopped it, the detail begins with the name of the gate."""
    names = ("handler", "status", "detail", "action", "probability", "outcome")
    return {name: getattr(row, name) for name in names}
