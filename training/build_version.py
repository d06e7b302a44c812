"""Build a version: fine-tune an adapter on a stream, store its files, and register it; activate a version."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from db.engine import Store
from db.intake import events as stored
from db.intake import scopes
from db.models import FeedbackRow
from db.prediction import feedback, versions
from db.upkeep import jobs
from forget.erase_files import UNFINISHED, VERSION
from memo.core.errors import MemoError
from memo.core.events import Action, Event
from memo.core.files import force_to_disk
from memo.core.paths import Home
from memo.core.predictions import Answer, action_from_dict
from memo.core.settings import Settings
from memo.core.steps import Progress
from memo.privacy.exclusions import digest_rules, make_event_matcher
from memo.store import manifest
from training.fitting.examples import GivenAnswer

CONTENT_DIGITS = 12  # of the content's hash, in the name of a version's folder


class TooFew(MemoError):
    """There are too few events to train or to judge a version."""


def require_events(events: Sequence[Event], settings: Settings) -> None:
    """Raise TooFew if there are fewer than `train.minimum_events`."""
    needed = settings.train.minimum_events
    if len(events) < needed:
        raise TooFew(
            f"{len(events)} events are too few to train on; {needed} are needed (setting train.minimum_events)."
        )


def find_events(store: Store, settings: Settings, scope: str, newest: int | None = None) -> list[Event]:
    """Return the stored events to train on, by time, up to the number `newest`, without what is excluded by now."""
    is_excluded = make_event_matcher(settings.privacy)
    with store.read() as session:
        return [event for event in stored.find_newest_events(session, scope, newest) if not is_excluded(event)]


def find_answers(store: Store, scope: str) -> list[GivenAnswer]:
    """Return the last answer of a person to each suggestion in a scope, without each "never" that was taken back."""
    last = dict[tuple[int, Action], GivenAnswer]()
    with store.read() as session:
        for row in feedback.find_answers_after(session, scope, 0):
            given = _as_given(row)
            before = last.pop((row.prediction_id, given.about), None)
            if not before or (before.answer, given.answer) != (Answer.NEVER, Answer.YES):
                last[row.prediction_id, given.about] = given
    return list(last.values())


def _as_given(row: FeedbackRow) -> GivenAnswer:
    after, about = action_from_dict(row.after).identity, action_from_dict(row.action).identity
    return GivenAnswer(row.at, after, about, Answer(row.answer))


def compute_digest(events: Sequence[Event], answers: Sequence[GivenAnswer], settings: Settings) -> str:
    """Return a digest of everything that determines a version: events, answers and the settings of the training."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(json.dumps([settings.model.base, settings.train.model_dump()]).encode())
    for event in events:
        fields = (event.at.isoformat(), event.operation, event.target, event.app, event.detail)
        digest.update("\x1f".join(fields).encode(errors="surrogatepass"))
    for given in answers:
        if events and given.at <= events[-1].at:
            digest.update(repr(given).encode(errors="surrogatepass"))
    return digest.hexdigest()


def train_adapter(
    events: Sequence[Event],
    settings: Settings,
    out: Path,
    progress: Progress,
    parent: str | None = None,
    answers: Sequence[GivenAnswer] = (),
) -> dict[str, Any]:
    """Fine-tune the base model on events and answers into `out`, resuming an interrupted run; return metrics.

    Each version starts from the base model, not from its parent, so it depends on its examples and the seed alone.
    """
    require_events(events, settings)
    from training.fitting.fine_tune import train

    def report_step(done: int, total: int, _loss: float) -> None:
        progress(done, total)

    model = settings.model
    return train(
        events, model.base, out, settings.train, report_step, device=model.device, parent=parent, answers=answers
    )


def find_last_forgotten(store: Store) -> datetime | None:
    """Return when `memo forget` last ran; call this before the events are read."""
    with store.read() as session:
        return jobs.find_last_run(session, jobs.FORGET)


def build_version(
    store: Store,
    home: Home,
    settings: Settings,
    events: Sequence[Event],
    scope: str,
    progress: Progress,
    forgotten: datetime | None,
    answers: Sequence[GivenAnswer] = (),
) -> str:
    """Train a version on the events and answers, register it as a candidate for `scope`, and return its id.

    Until it is registered its folder is named by the digest, so that an interrupted training on the same events
    resumes. `forgotten` is what `find_last_forgotten` returned before the events were read; if something was forgotten
    since then, the version is deleted and MemoError is raised, as it is if another process trains.
    """
    with store.read() as session:
        serving = versions.find_serving(session, scope, settings.scope)
    parent = serving.id if serving else None
    digest = compute_digest(events, answers, settings)
    unfinished = home.models / f"{UNFINISHED}{digest}"
    metrics = {"digest": digest, "events": len(events), "span": _span(events), "rules": digest_rules(settings.privacy)}
    with _alone(home):
        metrics = train_adapter(events, settings, unfinished, progress, parent, answers) | metrics
        return _register(store, home, settings, scope, unfinished, parent, metrics, forgotten)


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Hold the folder of the versions. Raises MemoError at once if another process trains.

    Containers share this folder and nothing else of the home, so a file in `run` would not do.
    """
    folder = os.open(home.models, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MemoError("Another training is under way; try again once it has ended.") from error
        yield
    finally:
        os.close(folder)


def _register(
    store: Store,
    home: Home,
    settings: Settings,
    scope: str,
    unfinished: Path,
    parent: str | None,
    metrics: dict[str, Any],
    forgotten: datetime | None,
) -> str:
    """Give a finished folder its name and its row; return the version's id."""
    with store.write() as session:
        scopes.lock_scope(session, scope)
        if jobs.find_last_run(session, jobs.FORGET) != forgotten:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise MemoError("Something was forgotten while this version was trained; run `memo train` again.")
        metrics["content"] = manifest.read(unfinished)["content"]
        version = _next_id(session, home.models)
        jobs.record_run(session, jobs.NEWEST_VERSION, version)
        folder = home.models / f"{version}-{metrics['content'][:CONTENT_DIGITS]}"
        path = f"{home.models.name}/{folder.name}"  # within the home, which may be moved
        versions.add_version(
            session, version, scope, base=settings.model.base, path=path, parent=parent, metrics=metrics
        )
        unfinished.rename(folder)
        force_to_disk(home.models)
    return version


def _span(events: Sequence[Event]) -> list[str]:
    times = [event.at for event in events]
    return [min(times).isoformat(), max(times).isoformat()]


def _next_id(session: Session, models: Path) -> str:
    """Return an id that no version ever had, as a worker may still hold the adapter of one that was deleted.

    Folders count too, since another store may have used this home.
    """
    names = [row.id for row in versions.find_versions(session)] + [folder.name for folder in models.iterdir()]
    names.append(jobs.find_last_result(session, jobs.NEWEST_VERSION))
    numbers = [int(found[1]) for name in names if (found := VERSION.fullmatch(name))]
    return f"v{max(numbers, default=0) + 1:04d}"


def activate(session: Session, scope: str, version: str) -> None:
    """Make a version active for a scope, and record in its metrics which one it replaces, for `memo model rollback`."""
    require_files(session, version)
    now = versions.find_serving_name(session, scope, scope)
    if version not in (*versions.ROWLESS, now):
        row = versions.find_version(session, version)
        replaces = row.metrics.get("replaces", {}) | {scope: now}
        row.metrics = row.metrics | {"replaces": replaces, "activated_at": datetime.now(UTC).isoformat()}
    _let_serve(session, scope, version)


def _let_serve(session: Session, scope: str, version: str) -> None:
    if version == versions.HISTORY:
        versions.record_history_alone(session, scope, reason="")
    else:
        versions.record_active(session, scope, version)


def require_files(session: Session, version: str) -> None:
    """Raise UsageError for an unknown version, MemoError if its files are gone."""
    if version in versions.ROWLESS:
        return
    path = Home.find().version(versions.find_version(session, version).path)
    if not path.is_dir():
        raise MemoError(f"The files of {version} are gone ({path}); activate another version.")


def roll_back(session: Session, scope: str) -> str:
    """Let the version before the active one serve a scope again; return its name."""
    version = find_replaced(session, scope)
    require_files(session, version)
    _let_serve(session, scope, version)
    return version


def find_replaced(session: Session, scope: str) -> str:
    """Return what served before. Raises MemoError if the built-in version serves."""
    name = versions.find_serving_name(session, scope, scope)
    if name == versions.BUILTIN:
        raise MemoError(f"{scope} is served by the built-in version; there is nothing to go back to.")
    if name == versions.HISTORY:
        return scopes.lock_scope(session, scope).active_version or versions.BUILTIN
    return versions.name_replaced(versions.find_version(session, name), (scope,))
