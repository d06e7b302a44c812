"""`memo why`: explain a prediction, or what the privacy rules did."""

from collections.abc import Callable, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.terminal.options import Json, argument
from cli.terminal.output import print_json, print_text
from cli.terminal.progress import progress_bar
from db.store_access import read_session
from memo.core.errors import UsageError
from memo.core.events import Action, Operation
from memo.core.grammar import Language
from memo.core.paths import Home
from memo.core.predictions import Answer, Ranking, action_as_dict, action_from_dict, place_from_dict, round_down
from memo.core.settings import Settings
from memo.core.steps import with_progress
from memo.display.text import reason, short

if TYPE_CHECKING:
    from db.models import DispatchRow, PredictionRow
    from worker.predictors.evidence import PastEvidence
    from worker.predictors.mixed import MixedPredictor

REASONS = 4  # reasons shown, the strongest first
TOP = 3  # candidates and past moments shown
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "place": "Where you go next: {}",
        "person": "What you do next: {}",
        "candidates": "The next event of any kind: {}",
        "nothing": "It names nothing: only {} events had been seen, and what was never seen can't be predicted.",
        "degraded": "Explained without the language model, which can't be used: {}",
        "no place": "It does not say where you go next.",
        "no person": "It does not say what you do next.",
        "no candidates": "It does not say which event of any kind comes next.",
        "because": "The first ranks above {} because of",
        "never": "{} never happened before.",
        "followed": "After {}, seen {} times before, it came next {} times.",
        "without": "Without the language model: {}",
    },
    "zh": {
        "place": "你接下来去哪里：{}",
        "person": "你接下来做什么：{}",
        "candidates": "接下来的任何事件：{}",
        "nothing": "它没有预测任何动作：当时只有 {} 个事件，从未出现过的动作无法预测。",
        "degraded": "以下解释未用语言模型，因为它无法使用：{}",
        "no place": "它没有说明你接下来去哪里。",
        "no person": "它没有说明你接下来做什么。",
        "no candidates": "它没有说明接下来发生什么事件。",
        "because": "第一个排在“{}”之前，原因是：",
        "never": "“{}”以前从未出现过。",
        "followed": "“{}”以前出现过 {} 次，其中 {} 次之后是它。",
        "without": "没有语言模型时：{}",
    },
}


def why(
    prediction: Annotated[int | None, argument(metavar="ID", help="Id of the prediction, see `memo history`.")] = None,
    redacted: Annotated[
        bool, typer.Option("--redacted", help="Show instead how often each privacy rule acted, and when last.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Explain a prediction, or what the privacy rules did.

    For a prediction it shows first where you would go and what you would do next, and why; then why the first event of
    any kind was first, and what it would be without the language model; then what each handler did or which gate
    stopped it. The last 100,000 events before that prediction are read again and weighed with today's weights, which
    have changed since then.
    """
    from memo.core import logs

    settings, home = Settings.load(), Home.find()
    if redacted == (prediction is not None):
        raise UsageError("Give the id of a prediction, as listed by `memo history`, or --redacted.")
    if prediction is None:
        _show_redacted(settings, home, as_json)
        return
    logs.setup(home.logs, "cli")
    found = _explain(settings, home, prediction)
    if as_json:
        print_json(found)
    else:
        _show(found, settings)


def _show_redacted(settings: Settings, home: Home, as_json: bool) -> None:
    from db.intake import redactions

    with read_session(settings, home) as session:
        found = redactions.count_by_rule(session) if session else []
    if as_json:
        print_json(found)
        return
    chinese = settings.language == "zh"
    for row in found:
        last = datetime.fromisoformat(row["last_at"]).astimezone(settings.zone)
        words = "个事件，最近一次在" if chinese else " events, last at"
        print_text(f"{row['rule']:16}{row['events']:>8}{words} {last:%Y-%m-%d %H:%M:%S}")
    if not found:
        print("还没有隐私规则起过作用。" if chinese else "No privacy rule has acted yet.")


def _explain(settings: Settings, home: Home, prediction: int) -> dict[str, Any]:
    from db.dispatch import dispatches
    from db.intake import events, scopes
    from db.prediction import checkpoints, feedback, predictions, versions
    from worker.prediction.scope_model import RANKED
    from worker.predictors.evidence import find_evidence
    from worker.predictors.mixed import MixedPredictor
    from worker.predictors.serving import BUILTIN, Serving

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
    with progress_bar("reading the events") as progress:
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


def _person(row: "PredictionRow", predictor: "MixedPredictor") -> dict[str, Any]:
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


def _past(before: "PastEvidence") -> dict[str, Any]:
    context = [action_as_dict(action) for action in before.context]
    return {"context": context, "met": before.met, "followed": list(before.followed)}


def _candidates(ranking: Ranking) -> list[dict[str, Any]]:
    return [
        {"action": action_as_dict(one.action), "probability": round_down(one.probability)} for one in ranking.candidates
    ]


def _attempt(row: "DispatchRow") -> dict[str, Any]:
    """Return what a handler did; if a gate stopped it, the detail begins with the name of the gate."""
    names = ("handler", "status", "detail", "action", "probability", "outcome")
    return {name: getattr(row, name) for name in names}


def _show(found: dict[str, Any], settings: Settings) -> None:
    language, zone = settings.language, settings.zone
    words = WORDS[language]
    print_text(f"#{found['id']}  {found['at'].astimezone(zone):%Y-%m-%d %H:%M:%S}")
    if found["problem"]:
        print_text(words["degraded"].format(found["problem"]))
    if not any(found[name] for name in ("places", "person", "candidates")):
        print_text(words["nothing"].format(found["events"]))
        return _show_handlers(found["handlers"], language)
    places = [one | {"action": _as_action(one)} for one in found["places"]]
    for question, entries, reasons in (
        ("place", places, found["place_reasons"]),
        ("person", found["person"], found["person_reasons"]),
        ("candidates", found["candidates"], found["reasons"]),
    ):
        print_text(words[question].format(_with_odds(entries, language)) if entries else words[f"no {question}"])
        if reasons:
            print_text(words["because"].format(_named(entries[1], language)))
        for entry in reasons:
            print_text(f"  {entry['nats']:+.2f}  {reason(entry['feature'], language)}")
    if found["past"]:
        _show_past(found["past"], language, zone)
        print_text(words["without"].format(_with_odds(found["without_language_model"], language)))
    _show_handlers(found["handlers"], language)


def _show_handlers(attempts: Sequence[dict[str, Any]], language: Language) -> None:
    for attempt in attempts:
        detail = f" ({attempt['detail']})" if attempt["detail"] else ""
        result = attempt["outcome"] or attempt["status"]
        print_text(f"{attempt['handler']}: {_with_odds([attempt], language)}, {result}{detail}")


def _as_action(place: dict[str, Any]) -> dict[str, str]:
    """Return a place as an action with its name, which is shown like one."""
    return action_as_dict(Action(Operation(place["operation"]), place["name"]))


def _named(entry: dict[str, Any], language: Language) -> str:
    return short(action_from_dict(entry["action"]), language)


def _with_odds(entries: Sequence[dict[str, Any]], language: Language) -> str:
    return ", ".join(f"{_named(entry, language)} {entry['probability']:.0%}" for entry in entries)


def _show_past(past: dict[str, Any], language: Language, zone: tzinfo) -> None:
    words, followed, met = WORDS[language], len(past["followed"]), past["met"]
    context = " → ".join(short(action_from_dict(action), language) for action in past["context"])
    print_text(words["followed"].format(context, met, followed) if met else words["never"].format(context))
    for at in past["followed"][-TOP:]:
        print_text(f"  {at.astimezone(zone):%Y-%m-%d %H:%M:%S}")
