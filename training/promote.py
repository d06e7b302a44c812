"""Promotion: a new version takes over only if it predicts a person's newest actions better."""

import shutil
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from db.engine import Store
from db.models import VersionRow
from db.prediction import versions
from db.prediction.versions import Usable
from memo.core.events import HUMAN, Event
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.core.steps import Progress
from memo.store import manifest
from training.apart import call_apart
from training.build_version import (
    TooFew,
    activate,
    build_version,
    compute_digest,
    find_answers,
    find_events,
    find_last_forgotten,
    require_events,
)
from training.evaluation import person_scores
from training.evaluation.person_views import person_steps, truths
from training.judgement import CANDIDATE, PersonAnswers, judge, measure_rules, measure_version

JUDGED_SHARE = 0.2  # newest part of the stream, which the candidate is not trained on
MAX_JUDGED = 500  # actions in that part
MAX_JUDGED_EVENTS = 1_000  # events in that part


class Stream(NamedTuple):
    """A scope's events, the last of which judge a candidate: the person's actions from number `first` on."""

    events: Sequence[Event]
    first: int
    trained: int  # number of events up to that action, which a candidate is trained on


def train_and_promote(
    store: Store, home: Home, settings: Settings, scope: str, progress: Progress, newest: int | None = None
) -> dict[str, Any]:
    """Train a candidate on all but the newest events, compare it with the active version on those, and decide.

    Events after the number `newest` are left out.

    A candidate of the same events whose training or judgement was interrupted is taken up again. Returns the verdict
    and its reason, or a note if a version of the same events was judged before; the table is in the version's metrics.
    """
    forgotten, (active, trained_until) = find_last_forgotten(store), _find_active(store, home, settings, scope)
    stream = find_stream(store, settings, scope, trained_until, newest)
    seen, answers = stream.events[: stream.trained], find_answers(store, scope)
    require_events(seen, settings)
    digest = compute_digest(seen, answers, settings)
    with store.read() as session:
        same = [row for row in versions.find_versions(session, scope) if row.metrics.get("digest") == digest]
    if any(row.state != "candidate" or "judged" in row.metrics for row in same):
        return {"version": None, "note": f"Nothing new since version {same[0].id}."}
    candidate = same[0].id if same else build_version(store, home, settings, seen, scope, progress, forgotten, answers)
    with store.read() as session:
        row = versions.find_version(session, candidate)
    rivals = Usable(candidate, home.version(row.path)), active, Usable(versions.HISTORY, None)
    new, old, history = (ask_version(settings, one, stream) for one in rivals)
    rules = call_apart(measure_rules, stream.events, stream.first)
    verdict = judge(new, old, history, active.name, rules)
    _record_verdict(store, scope, candidate, verdict)
    manifest.add(home.version(row.path), {"judged": verdict})
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


def _find_active(store: Store, home: Home, settings: Settings, scope: str) -> tuple[Usable, datetime | None]:
    """Return what serves a scope, and the time of the last event that it was trained on, if it was."""
    with store.read() as session:
        found = versions.find_usable(session, home, settings.model.base, scope, settings.scope)
        span = found.folder and versions.find_version(session, found.name).metrics.get("span")
    return found, datetime.fromisoformat(span[1]) if span else None


def ask_version(settings: Settings, version: Usable, stream: Stream) -> PersonAnswers:
    """Return the answers of a version that has learned nothing before. Raises MemoError if it can't be loaded."""
    return call_apart(measure_version, settings.model, version.name, version.folder, stream.events, stream.first)


def find_stream(
    store: Store, settings: Settings, scope: str, after: datetime | None, newest: int | None = None
) -> Stream:
    """Return the stored events, divided so that all actions that are judged came `after` a time.

    Raises TooFew where too few are left to train on, or to judge by.
    """
    events = find_events(store, settings, scope, newest)
    require_events(events, settings)
    begin = len(events) - min(MAX_JUDGED_EVENTS, int(len(events) * JUDGED_SHARE))
    acts = [number for number, event in enumerate(events) if event.operation in HUMAN]
    first = max(bisect_left(acts, begin), len(acts) - MAX_JUDGED)
    if after is not None:
        first = max(first, sum(events[number].at <= after for number in acts))
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
    return "table" in row.metrics.get("judged", {})  # a version of an earlier release has none
