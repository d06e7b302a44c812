"""The daily review of what was served: a version that lost its lead is taken back, and drift is acted upon."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from db.engine import Store
from db.intake import events
from db.models import ServedScoreRow
from db.page.acts import ActFilter, find_acts
from db.prediction import served_scores, versions
from db.upkeep import jobs, retrain
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from training.build_version import TooFew
from training.drift import find_drift
from training.evaluation import metrics, person_scores
from training.evaluation.evaluate import MODEL
from training.evaluation.person_views import Outcome, View
from training.evaluation.served import RULES, JudgedAct, judge, read_acts
from training.judgement import PersonAnswers, describe_live, measure_lead
from training.notice import tell_owner
from training.promote import MAX_JUDGED, ask_version, find_stream

REVIEWED = 5_000  # newest acts
SHOWN = 500  # newest of them, whose scores are the result

log = get_logger("training")


def review(
    store: Store, home: Home, settings: Settings, scope: str, ask: Callable[..., PersonAnswers] = ask_version
) -> dict[str, Any]:
    """Record how well served predictions were, act on it, and return the newest scores and what was changed.

    Versions are asked by `ask`. Raises TooFew if a person did too little for any score.
    """
    changed = _take_back(store, home, settings, scope, ask)
    with store.read() as session:
        acts = read_acts(find_acts(session, scope, ActFilter(), REVIEWED))
    judged = list(judge(acts))
    with store.write() as session:
        newest = served_scores.find_newest_day(session, scope)  # earlier ones are complete
        served_scores.record_scores(session, _score_days(scope, judged, newest))
    changed = changed or _act_on_drift(store, scope, judged)
    if changed:
        log.warning("predictions_became_worse", scope=scope, reason=changed)
        if scope == settings.scope:  # `memo status` says nothing of a replay, or of another machine
            tell_owner(settings)
    found = person_scores.score([one.outcomes["place"] for one in judged[-SHOWN:]], RULES)
    if "scores" not in found:
        raise TooFew(f"{found['n']} actions are too few to review; {person_scores.FEWEST} are needed.")
    best = person_scores.best_baseline(found["scores"], "hit@1")
    baseline = {"name": best, **found["scores"][best]}
    return {"version": judged[-1].act.version, **found["scores"][MODEL], "baseline": baseline, "changed": changed}


def _take_back(store: Store, home: Home, settings: Settings, scope: str, ask: Callable[..., PersonAnswers]) -> str:
    """Let the version before a promoted one serve again if it would have predicted better since; return why, or "".

    Both are asked what the person did since, for the last time once the person has done `MAX_JUDGED` actions.
    """
    base = settings.model.base
    with store.read() as session:
        now = versions.find_usable(session, home, base, scope, scope)  # a version of the default scope is judged there
        row = versions.find_version(session, now.name) if now.folder else None
        if row is None or not _is_on_trial(row.metrics):
            return ""
        began = datetime.fromisoformat(row.metrics["activated_at"])
        acts = events.count_human_actions(session, scope, began, MAX_JUDGED)
        before = versions.find_usable_before(session, home, base, row, scope)
        if now.problem or before.problem:
            return ""
    try:
        stream = find_stream(store, settings, scope, began)
    except TooFew:
        return ""
    lead = measure_lead(*(ask(settings, one, stream) for one in (now, before)))
    with store.write() as session:
        row = versions.find_version(session, now.name)
        row.metrics = row.metrics | {"live": (live := lead | {"against": before.name, "acts": acts})}
        reason = describe_live(live)
        is_worse = lead["95"][1] < 0
        if is_worse and versions.record_taken_back(session, now.name, reason, scope):
            return f"{now.name} was taken back: {reason}"
    return ""


def _is_on_trial(version: dict[str, Any]) -> bool:
    was_promoted = version.get("judged", {}).get("promoted", False) and "activated_at" in version
    return was_promoted and version.get("live", {}).get("acts", 0) < MAX_JUDGED


def _act_on_drift(store: Store, scope: str, judged: Sequence[JudgedAct]) -> str:
    """Let history answer alone if predictions became too bad, so that a training is due; return why, or ""."""
    name = retrain.name_drift(scope)
    with store.write() as session:
        if versions.find_serving_name(session, scope, scope) == versions.HISTORY:
            return ""
        last = jobs.find_last_run(session, name)
        reason = find_drift([one for one in judged if last is None or one.act.at > last])
        if reason:
            jobs.record_run(session, name, reason)
            versions.record_history_alone(session, scope, reason)
    return reason and f"history answers alone: {reason}"


def _score_days(scope: str, judged: Sequence[JudgedAct], first: str) -> list[ServedScoreRow]:
    days = defaultdict[tuple[str, str, View], list[Outcome]](list)
    for one in judged:
        if (day := one.act.at.date().isoformat()) >= first:
            for view, outcome in one.outcomes.items():
                days[day, one.act.version, view].append(outcome)
    return [_score_day(scope, *key, outcomes) for key, outcomes in days.items()]


def _score_day(scope: str, day: str, version: str, view: View, outcomes: Sequence[Outcome]) -> ServedScoreRow:
    rates = {name: metrics.hit_rates([one.ranks[name] for one in outcomes]) for name in (MODEL, *RULES)}
    columns = {MODEL: "hit"} | {rule: rule for rule in RULES}
    return ServedScoreRow(
        scope=scope,
        day=day,
        version=version,
        view=view,
        acts=len(outcomes),
        log_loss=metrics.log_loss(one.truth for one in outcomes),
        ece=metrics.ece(person_scores.first_answers(outcomes)),
        **{f"{column}_{cut}": rates[name][f"hit@{cut}"] for name, column in columns.items() for cut in (1, 3)},
    )
