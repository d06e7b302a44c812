"""`memo why`: explain a prediction, or what the privacy rules did."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.terminal.options import Json, argument
from cli.terminal.output import print_json
from cli.terminal.progress import progress_bar
from cli.terminal.store_access import read_session
from cli.terminal.text import reason, safe, short
from memo.core.errors import UsageError
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.predictions import Answer, Ranking, action_as_dict, action_from_dict, round_down
from memo.core.settings import Settings
from memo.core.steps import with_progress

if TYPE_CHECKING:
    from db.models import DispatchRow, PredictionRow
    from worker.predictors.evidence import PastEvidence

REASONS = 4  # reasons shown, the strongest first
TOP = 3  # candidates and past moments shown


def why(
    prediction: Annotated[int | None, argument(metavar="ID", help="Id of the prediction, see `memo history`.")] = None,
    redacted: Annotated[
        bool, typer.Option("--redacted", help="Show instead how often each privacy rule acted, and when last.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Explain a prediction, or what the privacy rules did.

    For a prediction it shows why the first candidate is first, what would be predicted without the language model, and
    what each handler did or which gate stopped it. The events before that prediction are read again and weighed with
    today's weights, which have changed since then.
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
        print(f"{row['rule']:16}{row['events']:>8}{words} {last:%Y-%m-%d %H:%M:%S}")
    if not found:
        print("还没有隐私规则起过作用。" if chinese else "No privacy rule has acted yet.")


def _explain(settings: Settings, home: Home, prediction: int) -> dict[str, Any]:
    from db.dispatch import dispatches
    from db.intake import events, scopes
    from db.prediction import checkpoints, feedback, predictions, versions
    from worker.predictors.evidence import find_evidence
    from worker.predictors.mixed import MixedPredictor
    from worker.predictors.serving import BUILTIN, Serving

    with read_session(settings, home) as session:
        row = predictions.find_prediction(session, prediction) if session else None
        if row is None or not row.candidates:
            raise UsageError(f"There is no prediction {prediction} with a candidate; `memo history` lists the ids.")
        log = events.find_up_to(session, row.scope, row.last_event_id)
        scope = scopes.find_scope(session, row.scope)
        checkpoint = (
            checkpoints.find_weights(session, row.scope, row.model_version, scope.generation) if scope else None
        )
        answers = feedback.find_answers_after(session, row.scope, 0)
        attempts = dispatches.find_dispatches(session, row.id)
        folder = None if row.model_version == BUILTIN else Path(versions.find_version(session, row.model_version).path)
    weights = checkpoint.weights if checkpoint else None
    predictor = Serving(settings.model).predictor(row.model_version, folder, weights)
    history_alone = MixedPredictor(None, weights)
    with progress_bar("reading the events") as progress:
        for event in with_progress(log, len(log), progress):
            predictor.learn(event)
            history_alone.learn(event)
    for answer in answers:
        for learner in (predictor, history_alone):
            learner.feedback.learn(
                action_from_dict(answer.after), action_from_dict(answer.action), Answer(answer.answer)
            )
    rankings = {"now": predictor.predict(log[-1:], TOP), "without_language_model": history_alone.predict(log[-1:], TOP)}
    first, *others = [action_from_dict(candidate["action"]) for candidate in row.candidates]
    reasons = predictor.reasons(first, others[0]) if others else {}
    return _as_json(row, log[-1], reasons, find_evidence(log, first), rankings) | {
        "handlers": [_attempt(attempt) for attempt in attempts]
    }


def _as_json(
    row: "PredictionRow", last: Event, reasons: dict[str, float], before: "PastEvidence", rankings: dict[str, Ranking]
) -> dict[str, Any]:
    strongest = sorted(reasons.items(), key=lambda reason: -reason[1])[:REASONS]
    return {
        "id": row.id,
        "at": last.at,
        "candidates": [{name: one[name] for name in ("action", "probability")} for one in row.candidates[:TOP]],
        "reasons": [{"feature": name, "nats": round(nats, 3)} for name, nats in strongest if nats > 0],
        "past": {
            "context": [action_as_dict(action) for action in before.context],
            "met": before.met,
            "followed": list(before.followed),
        },
        **{
            name: [
                {"action": action_as_dict(one.action), "probability": round_down(one.probability)}
                for one in ranking.candidates
            ]
            for name, ranking in rankings.items()
        },
    }


def _attempt(row: "DispatchRow") -> dict[str, Any]:
    """Return what a handler did; if a gate stopped it, the detail begins with the name of the gate."""
    names = ("handler", "status", "detail", "action", "probability", "outcome")
    return {name: getattr(row, name) for name in names}


def _show(found: dict[str, Any], settings: Settings) -> None:
    chinese, zone = settings.language == "zh", settings.zone

    def named(action: dict[str, str]) -> str:
        return short(action_from_dict(action), settings.language)

    def with_odds(candidate: dict[str, Any]) -> str:
        return f"{named(candidate['action'])} {candidate['probability']:.0%}"

    first, *others = found["candidates"]
    print(f"#{found['id']}  {found['at'].astimezone(zone):%Y-%m-%d %H:%M:%S}  → {with_odds(first)}")
    if others and found["reasons"]:
        second = named(others[0]["action"])
        print(f"它排在“{second}”之前，原因是：" if chinese else f"It ranks above {second} because of")
        for entry in found["reasons"]:
            print(f"  {entry['nats']:+.2f}  {reason(entry['feature'], settings.language)}")
    past = found["past"]
    context = " → ".join(named(action) for action in past["context"])
    followed, met = len(past["followed"]), past["met"]
    if not met:
        print(f"“{context}”以前从未出现过。" if chinese else f"{context} never happened before.")
    elif chinese:
        print(f"“{context}”以前出现过 {met} 次，其中 {followed} 次之后是它。")
    else:
        print(f"After {context}, seen {met} times before, it came next {followed} times.")
    for at in past["followed"][-TOP:]:
        print(f"  {at.astimezone(zone):%Y-%m-%d %H:%M:%S}")
    without = ", ".join(with_odds(candidate) for candidate in found["without_language_model"])
    print(f"没有语言模型时：{without}" if chinese else f"Without the language model: {without}")
    for attempt in found["handlers"]:
        detail = f" ({attempt['detail']})" if attempt["detail"] else ""
        result = attempt["outcome"] or attempt["status"]
        print(safe(f"{attempt['handler']}: {with_odds(attempt)}, {result}{detail}"))
