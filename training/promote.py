"""Promotion: a new version takes over only if it is better on the newest events."""

import shutil
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from db.engine import Store
from db.intake import events as stored
from db.models import VersionRow
from db.prediction import versions
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.core.steps import Progress
from training.build_version import (
    TooFew,
    activate,
    build_version,
    compute_digest,
    find_last_forgotten,
    require_events,
)
from training.evaluation import evaluate, metrics, questions
from training.evaluation.evaluate import MODEL, Judged, best_baseline
from training.evaluation.questions import Question

JUDGED_SHARE = 0.2  # newest part of the stream, which the candidate is not trained on
MIN_JUDGED = 30  # windows
MAX_JUDGED = 500  # windows
RULE = (
    "promoted if the mean log-loss of the truth over the newest windows, which the candidate was not trained on, "
    "is lower than that of the active version"
)


def log_loss(judged: Sequence[Judged]) -> float:
    """Return the log-loss of the truths; one that is not among the candidates counts as `metrics.FLOOR`."""
    return metrics.log_loss(_truth_probability(entry) for entry in judged)


def _truth_probability(judged: Judged) -> float:
    probabilities = {metrics.key_of(one.action, one.detail): one.probability for one in judged.ranking.candidates}
    return probabilities.get(judged.truth["next"], 0.0)


def train_and_promote(
    store: Store, home: Home, settings: Settings, scope: str, progress: Progress, newest: int | None = None
) -> dict[str, Any]:
    """Train a candidate on all but the newest events, compare it with the active version on those, promote or reject.

    Events after the number `newest` are left out.

    A candidate of the same events whose training or judgement was interrupted is taken up again. Returns the verdict,
    or a note where nothing is new since an existing version.
    """
    forgotten, active = find_last_forgotten(store), _find_active(store, settings, scope)
    asked, cut = _find_questions(store, settings, scope, active, newest)
    seen = questions.stream(asked[:cut])
    digest = compute_digest(seen, settings)
    with store.read() as session:
        same = [row for row in versions.find_versions(session, scope) if row.metrics.get("digest") == digest]
    if any(row.state != "candidate" or "judged" in row.metrics for row in same):
        return {"version": None, "note": f"Nothing new since version {same[0].id}."}
    candidate = same[0].id if same else build_version(store, home, settings, seen, scope, progress, forgotten)
    with store.read() as session:
        row = versions.find_version(session, candidate)
    new, old = judge(settings, row, asked, cut), judge(settings, active, asked, cut)
    verdict = {"rule": RULE, "promoted": new["log_loss"] < old["log_loss"], "candidate": new, "active": old}
    _record_verdict(store, scope, candidate, verdict)
    prune(store, settings, scope)
    return {"version": candidate, **verdict}


def _record_verdict(store: Store, scope: str, candidate: str, verdict: dict[str, Any]) -> None:
    with store.write() as session:
        row = versions.find_version(session, candidate)
        row.metrics = row.metrics | {"judged": verdict}
        if verdict["promoted"]:
            activate(session, scope, candidate)
        else:
            row.state = "rejected"


def evaluate_active(store: Store, settings: Settings, scope: str) -> dict[str, Any]:
    """Return the scores of the active version and of the best baseline on the newest part of a scope's stream."""
    active = _find_active(store, settings, scope)
    return judge(settings, active, *_find_questions(store, settings, scope, active))


def _find_active(store: Store, settings: Settings, scope: str) -> VersionRow | None:
    with store.read() as session:
        return versions.find_serving(session, scope, settings.scope)


def judge(settings: Settings, version: VersionRow | None, asked: Sequence[Question], cut: int) -> dict[str, Any]:
    """Return the scores of a version, with nothing learned before, on the questions from `cut` on."""
    from worker.predictors.serving import open_predictor

    name, folder = (version.id, Home.find().version(version.path)) if version else (versions.BUILTIN, None)
    predictor = open_predictor(settings.model, name, folder)
    judged = evaluate.ask_in_order(predictor, asked, cut, lambda _done, _total: None)
    scores = evaluate.score(judged)["next"]
    best = best_baseline(scores)
    return {"version": name, "log_loss": log_loss(judged), **scores[MODEL], "baseline": {"name": best, **scores[best]}}


def _find_questions(
    store: Store, settings: Settings, scope: str, active: VersionRow | None, newest: int | None = None
) -> tuple[list[Question], int]:
    """Return the stored stream as questions, and the number of the first to ask: none trained the active version.

    Raises TooFew where too few are left to train on, or to judge by.
    """
    with store.read() as session:
        events = stored.find_newest_events(session, scope, newest)
    require_events(events, settings)
    asked = questions.from_events(events, settings.window.size, settings.language)
    cut = len(asked) - min(MAX_JUDGED, int(len(asked) * JUDGED_SHARE))
    if active is not None and "span" in active.metrics:
        end = datetime.fromisoformat(active.metrics["span"][1])
        cut = max(cut, next((n for n, question in enumerate(asked) if question.output.at > end), len(asked)))
    if len(asked) - cut < MIN_JUDGED:
        raise TooFew(f"{len(asked) - cut} windows are new to the active version; {MIN_JUDGED} are needed to judge by.")
    return asked, cut


def prune(store: Store, settings: Settings, scope: str) -> list[str]:
    """Delete the files of a scope's older versions and return their ids; the rows stay.

    The active version and the one it replaced keep their files, as do the newest `schedule.keep_versions` others.
    """
    home = Home.find()
    with store.read() as session:
        rows = versions.find_versions(session, scope)
        active = {row.id for row in rows} & versions.find_in_service(session)
        replaced = {before for row in rows if row.id in active for before in row.metrics.get("replaces", {}).values()}
    spare = [row for row in rows if row.id not in active | replaced and home.version(row.path).is_dir()]
    old = spare[settings.schedule.keep_versions :]
    for row in old:
        shutil.rmtree(home.version(row.path))
    return [row.id for row in old]
