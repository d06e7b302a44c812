"""A new version takes over only where it is better on what came last."""

import math
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from db.engine import Store
from db.intake import events as stored
from db.models import VersionRow
from db.prediction import versions
from memo.core.paths import Home
from memo.core.settings import Settings
from training.build_version import Progress, TooFew, activate, build_version, digest, enough, last_forgotten
from training.evaluation import evaluate, questions
from training.evaluation.evaluate import MODEL, Judged, best_baseline
from training.evaluation.metrics import key_of
from training.evaluation.questions import Question

JUDGED_SHARE = 0.2
"""The last part of the stream, which the candidate does not see."""
MIN_JUDGED, MAX_JUDGED = 30, 500
"""Windows that are asked."""
FLOOR = 1e-4
"""Probability of a truth that is none of the candidates."""
RULE = (
    "promoted where the mean log-loss of the truth over the last windows, which the candidate was not trained on, "
    "is lower than the active version's"
)


def log_loss(judged: Sequence[Judged]) -> float:
    """Mean of -log p(truth), in nats; a truth that was not said has p = `FLOOR`."""
    losses = []
    for entry in judged:
        said = {key_of(one.action, one.detail): one.probability for one in entry.ranking.candidates}
        losses.append(-math.log(max(FLOOR, said.get(entry.truth["next"], 0.0))))
    return sum(losses) / len(losses)


def train_and_promote(store: Store, home: Home, settings: Settings, scope: str, progress: Progress) -> dict[str, Any]:
    """Train a candidate on all but the last part, judge it beside the active version, promote or reject it."""
    forgotten, active = last_forgotten(store), _active(store, settings, scope)
    asked, cut = _questions(store, settings, scope, active)
    seen = questions.stream(asked[:cut])
    known = _trained(store, scope, digest(seen, settings))
    if known is not None:
        return {"version": None, "note": f"nothing new since {known}"}
    candidate = build_version(store, home, settings, seen, scope, progress, forgotten)
    with store.read() as session:
        row = versions.find_version(session, candidate)
    new, old = judge(settings, row, asked, cut), judge(settings, active, asked, cut)
    verdict = {"rule": RULE, "promoted": new["log_loss"] < old["log_loss"], "candidate": new, "active": old}
    _decide(store, scope, candidate, verdict)
    prune(store, settings, scope)
    return {"version": candidate, **verdict}


def _decide(store: Store, scope: str, candidate: str, verdict: dict[str, Any]) -> None:
    with store.write() as session:
        row = versions.find_version(session, candidate)
        row.metrics = row.metrics | {"judged": verdict}
        if verdict["promoted"]:
            activate(session, scope, candidate)
        else:
            row.state = "rejected"


def evaluate_active(store: Store, settings: Settings, scope: str) -> dict[str, Any]:
    """Scores of the version that serves a scope, and of the best baseline, on the last part of its stream."""
    active = _active(store, settings, scope)
    return judge(settings, active, *_questions(store, settings, scope, active))


def _active(store: Store, settings: Settings, scope: str) -> VersionRow | None:
    with store.read() as session:
        return versions.find_serving(session, scope, settings.scope)


def judge(settings: Settings, version: VersionRow | None, asked: Sequence[Question], cut: int) -> dict[str, Any]:
    """Ask a version, which starts from nothing, the questions from `cut` on."""
    from worker.predictors.serving import open_predictor

    name, folder = (version.id, Path(version.path)) if version else (versions.BUILTIN, None)
    predictor = open_predictor(settings.model, name, folder)
    judged = evaluate.chrono(predictor, asked, cut, lambda _done, _total: None)
    found = evaluate.scores(judged)["next"]
    best = best_baseline(found)
    return {
        "version": name,
        "log_loss": log_loss(judged),
        **{name: value for name, value in found[MODEL].items()},
        "baseline": {"name": best, **found[best]},
    }


def _questions(store: Store, settings: Settings, scope: str, active: VersionRow | None) -> tuple[list[Question], int]:
    """The stored stream as questions, and the number of the first that is asked: none that trained the active version.

    Raises TooFew where that leaves too little to train on, or to judge by.
    """
    with store.read() as session:
        events = list(stored.find_all_events(session, scope))
    enough(events, settings)
    asked = questions.from_events(events, settings.window.size, settings.language)
    cut = len(asked) - min(MAX_JUDGED, int(len(asked) * JUDGED_SHARE))
    if active is not None and "span" in active.metrics:
        end = datetime.fromisoformat(active.metrics["span"][1])
        cut = max(cut, next((n for n, question in enumerate(asked) if question.output.at > end), len(asked)))
    if len(asked) - cut < MIN_JUDGED:
        raise TooFew(f"{len(asked) - cut} windows are new to the active version; {MIN_JUDGED} are needed to judge by.")
    return asked, cut


def _trained(store: Store, scope: str, mark: str) -> str | None:
    with store.read() as session:
        return next(
            (row.id for row in versions.find_versions(session, scope) if row.metrics.get("digest") == mark), None
        )


def prune(store: Store, settings: Settings, scope: str) -> list[str]:
    """Remove the files of a scope's older versions, and return which; the rows stay.

    The active version and the one that it replaced keep their files.
    """
    with store.read() as session:
        rows = versions.find_versions(session, scope)
        active = {row.id for row in rows} & versions.find_in_service(session)
        replaced = {before for row in rows if row.id in active for before in row.metrics.get("replaces", {}).values()}
    spare = [row for row in rows if row.id not in active | replaced and Path(row.path).is_dir()]
    old = spare[settings.schedule.keep_versions :]
    for row in old:
        shutil.rmtree(row.path)
    return [row.id for row in old]
