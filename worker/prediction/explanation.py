"""Why a prediction was made: its events are read again and weighed with today's weights."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from db.dispatch import dispatches
from db.engine import Store
from db.intake import events, scopes
from db.intake.events import LogEntry
from db.models import DispatchRow, PredictionRow, ScopeRow
from db.prediction import predictions, versions
from db.store_access import read_store
from memo.core.errors import UsageError
from memo.core.events import Action
from memo.core.paths import Home
from memo.core.predictions import HISTORY, Ranking, action_as_dict, action_from_dict, place_from_dict, round_down
from memo.core.settings import Settings
from memo.core.steps import Progress
from memo.privacy.exclusions import make_action_matcher
from worker.prediction.scope_model import ScopeModel
from worker.prediction.scope_models import ScopeModels
from worker.predictors.evidence import find_evidence
from worker.predictors.mixed import MixedPredictor
from worker.predictors.serving import BUILTIN, Serving
from worker.resources import StoreResources

REASONS = 4  # reasons given, the strongest first
TOP = 3  # candidates given


def explain(settings: Settings, home: Home, prediction: int, progress: Progress) -> dict[str, Any]:
    """Return why the first answers of a prediction were first, as JSON; `progress` counts the events read again."""
    with read_store(settings, home) as store:
        asked = _find_asked(store, home, prediction) if store else None
        if store is None or asked is None:
            raise UsageError(f"There is no prediction {prediction}; `memo history` lists the ids.")
        models = ScopeModels(StoreResources(home, settings, store), Serving(settings.model))
        model, again = models.read(asked.scope, asked.version, asked.newest.seq, progress)
        row, actions = asked.row, [action_from_dict(candidate["action"]) for candidate in asked.row.candidates]
        with store.read() as session:
            past = _find_past(session, asked, actions[0]) if actions else None
    is_excluded = make_action_matcher(settings.privacy)
    now = model.rank(TOP, is_excluded)
    return {
        "id": row.id,
        "scope": row.scope,
        "at": asked.newest.local_at,
        "events": model.learned,
        "read_again": again,
        "problem": models.serving.problem,
        **_person(row, model.predictor),
        "candidates": _likely(row.candidates),
        "reasons": _strongest(model.predictor.reasons, actions),
        "past": past,
        "now": _candidates(now),
        "without_language_model": _candidates(_rank_alone(model, is_excluded)),
        "handlers": asked.attempts,
    }


class Asked(NamedTuple):
    """A prediction that is to be explained, and what it was made from."""

    row: PredictionRow
    newest: LogEntry  # the event after which it was made
    scope: ScopeRow
    version: versions.Usable
    attempts: list[dict[str, Any]]


def _find_asked(store: Store, home: Home, prediction: int) -> Asked | None:
    with store.read() as session:
        row = predictions.find_prediction(session, prediction)
        if row is None:
            return None
        name, scope = row.model_version, scopes.find_scope(session, row.scope)
        assert scope is not None  # it has events
        is_trained = name not in (BUILTIN, HISTORY)
        folder = home.version(versions.find_version(session, name).path) if is_trained else None
        attempts = [_attempt(attempt) for attempt in dispatches.find_dispatches(session, row.id)]
        newest = events.find_entry(session, row.last_event_id)
        return Asked(row, newest, scope, versions.Usable(name, folder), attempts)


def _rank_alone(model: ScopeModel, is_excluded: Callable[[Action], bool]) -> Ranking:
    """Return what a model would answer without its language model, which it loses."""
    model.predictor.resume(None, model.predictor.weights(), ())
    return model.rank(TOP, is_excluded)


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


def _find_past(session: Session, asked: Asked, predicted: Action) -> dict[str, Any]:
    scope, actions = asked.row.scope, events.find_actions(session, asked.row.scope, asked.newest.seq)
    evidence = find_evidence([action for _, action in actions], predicted)
    context = [action_as_dict(action) for action in evidence.context]
    followed = events.find_times(session, scope, [actions[number][0] for number in evidence.followed])
    return {"context": context, "met": evidence.met, "followed": followed}


def _candidates(ranking: Ranking) -> list[dict[str, Any]]:
    return [
        {"action": action_as_dict(one.action), "probability": round_down(one.probability)} for one in ranking.candidates
    ]


def _attempt(row: DispatchRow) -> dict[str, Any]:
    """Return what a handler did; if a gate stopped it, the detail begins with the name of the gate."""
    names = ("handler", "status", "detail", "action", "probability", "outcome")
    return {name: getattr(row, name) for name in names}
