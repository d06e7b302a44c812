"""Promotion: a new version takes over only if it predicts a person's newest actions better."""

import shutil
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from db.engine import Store
from db.models import VersionRow
from db.prediction import versions
from memo.core.events import HUMAN, Event
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.core.steps import Progress
from training.build_version import (
    TooFew,
    activate,
    build_version,
    compute_digest,
    find_events,
    find_last_forgotten,
    require_events,
)
from training.evaluation import person_scores
from training.evaluation.evaluate import MODEL
from training.evaluation.person_views import person_steps, truths
from training.judgement import CANDIDATE, PersonAnswers, answer, judge
from worker.predictors.mixed import MixedPredictor

JUDGED_SHARE = 0.2  # newest part of the stream, which the candidate is not trained on
MAX_JUDGED = 500  # actions, the same
MAX_JUDGED_EVENTS = 1_000  # among which they are


class Stream(NamedTuple):
    """A scope's events, of which some are judged by: the person's actions from number `first` on."""

    events: Sequence[Event]
    first: int
    trained: int  # number of events up to that action, which a candidate is trained on


def train_and_promote(
    store: Store, home: Home, settings: Settings, scope: str, progress: Progress, newest: int | None = None
) -> dict[str, Any]:
    """Train a candidate on all but the newest events, compare it with the active version on those, promote or reject.

    Events after the number `newest` are left out.

    A candidate of the same events whose training or judgement was interrupted is taken up again. Returns the verdict
    and its reason, or a note where nothing is new since an existing version; the table is in the version's metrics.
    """
    forgotten, active = find_last_forgotten(store), _find_active(store, settings, scope)
    stream = _find_stream(store, settings, scope, active, newest)
    seen = stream.events[: stream.trained]
    require_events(seen, settings)
    digest = compute_digest(seen, settings)
    with store.read() as session:
        same = [row for row in versions.find_versions(session, scope) if row.metrics.get("digest") == digest]
    if any(row.state != "candidate" or "judged" in row.metrics for row in same):
        return {"version": None, "note": f"Nothing new since version {same[0].id}."}
    candidate = same[0].id if same else build_version(store, home, settings, seen, scope, progress, forgotten)
    with store.read() as session:
        row = versions.find_version(session, candidate)
    new, old = _ask(settings, row, stream), _ask(settings, active, stream)
    history = answer(MixedPredictor(), stream.events, stream.first)
    verdict = judge(new, old, history, active.id if active else versions.BUILTIN)
    _record_verdict(store, scope, candidate, verdict)
    prune(store, settings, scope)
    return {"version": candidate, "promoted": verdict["promoted"], "reason": verdict["reason"]}


def _record_verdict(store: Store, scope: str, candidate: str, verdict: dict[str, Any]) -> None:
    with store.write() as session:
        row = versions.find_version(session, candidate)
        row.metrics = row.metrics | {"judged": verdict}
        if verdict["promoted"]:
            activate(session, scope, candidate)
        else:
            row.state = "rejected"


def evaluate_active(store: Store, settings: Settings, scope: str) -> dict[str, Any]:
    """Return how well the active version, and the best baseline, predict the places of a person's newest actions."""
    active = _find_active(store, settings, scope)
    outcomes = _ask(settings, active, _find_stream(store, settings, scope, active)).outcomes["place"]
    scores = person_scores.score(outcomes)["scores"]
    best = person_scores.best_baseline(scores, "hit@1")
    name = active.id if active else versions.BUILTIN
    return {"version": name, **scores[MODEL], "baseline": {"name": best, **scores[best]}}


def _find_active(store: Store, settings: Settings, scope: str) -> VersionRow | None:
    with store.read() as session:
        found = versions.find_usable(session, Home.find(), settings.model.base, scope, settings.scope)
        return None if found.folder is None else versions.find_version(session, found.name)


def _ask(settings: Settings, version: VersionRow | None, stream: Stream) -> PersonAnswers:
    """Return the answers of a version that has learned nothing before. Raises MemoError if it can't be loaded."""
    from worker.predictors.serving import open_predictor

    name, folder = (version.id, Home.find().version(version.path)) if version else (versions.BUILTIN, None)
    return answer(open_predictor(settings.model, name, folder), stream.events, stream.first)


def _find_stream(
    store: Store, settings: Settings, scope: str, active: VersionRow | None, newest: int | None = None
) -> Stream:
    """Return the stored events, divided so that no action that is judged by trained the active version.

    Raises TooFew where too few are left to train on, or to judge by.
    """
    events = find_events(store, settings, scope, newest)
    require_events(events, settings)
    begin = len(events) - min(MAX_JUDGED_EVENTS, int(len(events) * JUDGED_SHARE))
    acts = [number for number, event in enumerate(events) if event.operation in HUMAN]
    first = max(bisect_left(acts, begin), len(acts) - MAX_JUDGED)
    if active is not None and "span" in active.metrics:
        end = datetime.fromisoformat(active.metrics["span"][1])
        first = max(first, sum(events[number].at <= end for number in acts))
    steps = list(person_steps(events))
    asked = sum("place" in truths(steps, number) for number in range(first, len(steps)))
    if asked < person_scores.FEWEST:
        raise TooFew(f"{asked} actions are new to the active version; {person_scores.FEWEST} are needed to judge by.")
    return Stream(events, first, acts[first] + 1)


def prune(store: Store, settings: Settings, scope: str) -> list[str]:
    """Delete the files of a scope's older versions and return their ids; the rows stay.

    The active version, the one it replaced, and the best one keep their files, as do the newest
    `schedule.keep_versions` others.
    """
    home = Home.find()
    with store.read() as session:
        rows = versions.find_versions(session, scope)
        active = {row.id for row in rows} & versions.find_in_service(session)
        replaced = {before for row in rows if row.id in active for before in row.metrics.get("replaces", {}).values()}
    kept = active | replaced | _find_best(rows)
    spare = [row for row in rows if row.id not in kept and home.version(row.path).is_dir()]
    old = spare[settings.schedule.keep_versions :]
    for row in old:
        shutil.rmtree(home.version(row.path))
    return [row.id for row in old]


def _find_best(rows: Sequence[VersionRow]) -> set[str]:
    """Return the version with the lowest log-loss of all that were judged."""
    losses = {row.id: row.metrics["judged"]["table"]["place"][CANDIDATE]["log_loss"] for row in rows if _has_table(row)}
    return {min(losses, key=lambda name: losses[name])} if losses else set()


def _has_table(row: VersionRow) -> bool:
    return "table" in row.metrics.get("judged", {})  # of an earlier release it has none
