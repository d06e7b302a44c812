"""`memo why`: what puts a prediction's first candidate first."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.terminal.progress import progress_bar
from cli.terminal.store_access import read_session
from cli.terminal.text import reason, safe, short
from memo.core.errors import UsageError
from memo.core.events import Action, Event
from memo.core.paths import Home
from memo.core.predictions import Answer, Ranking, action_as_dict, action_from_dict, round_down
from memo.core.settings import Settings

if TYPE_CHECKING:
    from db.models import DispatchRow, PredictionRow
    from worker.predictors.evidence import PastEvidence

REASONS = 4
"""The strongest that are shown."""
TOP = 3
EVERY = 500
"""Events between two steps of the progress bar."""


def why(
    prediction: Annotated[
        int | None, typer.Argument(metavar="ID", help="Its id, as in `memo history`.", show_default=False)
    ] = None,
    redacted: Annotated[bool, typer.Option("--redacted", help="Instead: which privacy rules acted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of words.")] = False,
) -> None:
    """Say why a prediction put its first candidate first, what it would have been without the language model, and
    what each handler did about it, or which gate stopped that and by how much.

    The past is read anew up to that prediction and weighed by today's weights, which have learned since.
    With --redacted: which privacy rules acted, how often, and when last; what they kept out MEMO does not know either.
    """
    from memo.core import logs

    settings, home = Settings.load(), Home.find()
    if redacted == (prediction is not None):
        raise UsageError("Name a prediction by its id, as in `memo history`, or give --redacted.")
    if prediction is None:
        _show_redacted(settings, home, as_json)
        return
    logs.setup(home.logs, "cli")
    found = _explain(settings, home, prediction)
    if as_json:
        print(json.dumps(found, default=datetime.isoformat))
    else:
        _show(found, settings)


def _show_redacted(settings: Settings, home: Home, as_json: bool) -> None:
    from db.intake import redactions

    with read_session(settings, home) as session:
        found = redactions.count_by_rule(session) if session else []
    chinese = settings.language == "zh"
    if as_json:
        print(json.dumps(found))
        return
    for one in found:
        last = datetime.fromisoformat(one["last_at"]).astimezone(settings.zone)
        words = "个事件，最近一次在" if chinese else " events, last at"
        print(f"{one['rule']:16}{one['events']:>8}{words} {last:%Y-%m-%d %H:%M:%S}")
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
            raise UsageError(f"There is no prediction {prediction} with a candidate; `memo history` lists their ids.")
        log = events.find_up_to(session, row.scope, row.last_event_id)
        scope = scopes.find_scope(session, row.scope)
        checkpoint = (
            checkpoints.find_weights(session, row.scope, row.model_version, scope.generation) if scope else None
        )
        answered = feedback.find_answers_after(session, row.scope, 0)
        acts = dispatches.find_dispatches(session, row.id)
        folder = None if row.model_version == BUILTIN else Path(versions.find_version(session, row.model_version).path)
    weights = checkpoint.weights if checkpoint else None
    serving = Serving(settings.model)
    predictor, alone = serving.predictor(row.model_version, folder, weights), MixedPredictor(None, weights)
    _learn(log, predictor, alone)
    for one in answered:
        for each in (predictor, alone):
            each.feedback.learn(action_from_dict(one.after), action_from_dict(one.action), Answer(one.answer))
    rankings = {"now": predictor.predict(log[-1:], TOP), "without_language_model": alone.predict(log[-1:], TOP)}
    first, *others = [action_from_dict(candidate["action"]) for candidate in row.candidates]
    reasons = predictor.reasons(first, others[0]) if others else {}
    return _as_json(row, log[-1], reasons, find_evidence(log, first), rankings) | {
        "handlers": [_act(one) for one in acts]
    }


def _learn(log: list[Event], *predictors: Any) -> None:
    with progress_bar("reading the past") as progress:
        for number, event in enumerate(log, 1):
            for predictor in predictors:
                predictor.learn(event)
            if number % EVERY == 0 or number == len(log):
                progress(number, len(log))


def _as_json(
    row: "PredictionRow", last: Event, reasons: dict[str, float], before: "PastEvidence", rankings: dict[str, Ranking]
) -> dict[str, Any]:
    strongest = sorted(reasons.items(), key=lambda reason: -reason[1])[:REASONS]
    return {
        "id": row.id,
        "at": last.at,
        "candidates": [
            {"action": candidate["action"], "probability": candidate["probability"]}
            for candidate in row.candidates[:TOP]
        ],
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


def _act(row: "DispatchRow") -> dict[str, Any]:
    """What a handler did about it; where it was stopped, the detail begins with the gate's name."""
    names = ("handler", "status", "detail", "action", "probability", "outcome")
    return {name: getattr(row, name) for name in names}


def _show(found: dict[str, Any], settings: Settings) -> None:
    chinese = settings.language == "zh"
    zone = settings.zone

    def said(candidate: dict[str, Any]) -> str:
        return f"{_named(candidate['action'], settings)} {candidate['probability']:.0%}"

    first, *others = found["candidates"]
    print(f"#{found['id']}  {found['at'].astimezone(zone):%Y-%m-%d %H:%M:%S}  → {said(first)}")
    if others and found["reasons"]:
        second = _named(others[0]["action"], settings)
        print(f"比“{second}”更靠前，因为：" if chinese else f"It is ahead of {second} because of")
        for entry in found["reasons"]:
            print(f"  {entry['nats']:+.2f}  {reason(entry['feature'], settings.language)}")
    before = found["past"]
    context = " → ".join(_named(action, settings) for action in before["context"])
    followed, met = len(before["followed"]), before["met"]
    if chinese:
        print(f"“{context}”以前出现过 {met} 次，其后 {followed} 次是它。")
    else:
        print(f"After {context}, seen {met} times before, it came {followed} times.")
    for at in before["followed"][-TOP:]:
        print(f"  {at.astimezone(zone):%Y-%m-%d %H:%M:%S}")
    without = ", ".join(said(candidate) for candidate in found["without_language_model"])
    print(f"没有语言模型时：{without}" if chinese else f"Without the language model: {without}")
    for act in found["handlers"]:
        detail = f" ({act['detail']})" if act["detail"] else ""
        print(safe(f"{act['handler']}: {said(act)}, {act['outcome'] or act['status']}{detail}"))


def _named(action: dict[str, str], settings: Settings) -> str:
    known: Action = action_from_dict(action)
    return short(known, settings.language)
