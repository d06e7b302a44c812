"""A version: fine-tuned on a stream, put into its folder, and written into the registry."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from db.engine import Store
from db.intake import scopes
from db.prediction import versions
from db.upkeep import jobs
from forget.erase_files import UNFINISHED
from memo.core.errors import MemoError
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""


class TooFew(MemoError):
    """There is not enough to learn from."""


def enough(events: Sequence[Event], settings: Settings) -> None:
    """Raises TooFew below `train.minimum_events`."""
    needed = settings.train.minimum_events
    if len(events) < needed:
        raise TooFew(
            f"{len(events)} events are too few to train on; {needed} are needed (setting train.minimum_events)."
        )


def digest(events: Sequence[Event], settings: Settings) -> str:
    """What a version is made of: the events and all that shapes the training."""
    seen = hashlib.blake2b(digest_size=8)
    seen.update(json.dumps([settings.model.base, settings.train.model_dump()]).encode())
    for event in events:
        fields = (event.at.isoformat(), event.operation, event.target, event.app, event.detail)
        seen.update("\x1f".join(fields).encode(errors="surrogatepass"))
    return seen.hexdigest()


def train_into(
    events: Sequence[Event], settings: Settings, out: Path, progress: Progress, parent: str | None = None
) -> dict[str, Any]:
    """Fine-tune the base model on the events, or go on where that was interrupted; the adapter's metrics.

    Each version begins at the base, not at the one before it: so it is a function of its events and the seed.
    """
    enough(events, settings)
    from training.fitting.fine_tune import train

    def step(done: int, total: int, _loss: float) -> None:
        progress(done, total)

    return train(events, settings.model.base, out, settings.train, step, settings.model.device, parent)


def last_forgotten(store: Store) -> datetime | None:
    """When something was forgotten last; ask before the events are read."""
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
) -> str:
    """Train a version on the events and register it as a candidate for `scope`; its id.

    The folder has a name made of the data until it is done, so an interrupted training of the same goes on.
    `forgotten` is `last_forgotten` of before: raises MemoError where something was forgotten since.
    """
    with store.read() as session:
        serving = versions.find_serving(session, scope, settings.scope)
    parent, mark = serving.id if serving else None, digest(events, settings)
    unfinished = home.models / f"{UNFINISHED}{mark}"
    metrics = train_into(events, settings, unfinished, progress, parent)
    metrics = metrics | {"digest": mark, "events": len(events), "span": _span(events)}
    with store.write() as session:
        scopes.lock_scope(session, scope)
        if jobs.find_last_run(session, jobs.FORGET) != forgotten:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise MemoError("Something was forgotten while this version was trained; run `memo train` again.")
        version = _next_id(session, home.models)
        folder = home.models / version
        versions.add_version(
            session, version, scope, base=settings.model.base, path=str(folder), parent=parent, metrics=metrics
        )
        unfinished.rename(folder)
    return version


def _span(events: Sequence[Event]) -> list[str]:
    times = [event.at for event in events]
    return [min(times).isoformat(), max(times).isoformat()]


def _next_id(session: Session, models: Path) -> str:
    """One more than all in the store, and than all folders: another store may have used this home."""
    names = [row.id for row in versions.find_versions(session)] + [folder.name for folder in models.iterdir()]
    numbers = [int(name[1:]) for name in names if name.startswith("v") and name[1:].isdecimal()]
    return f"v{max(numbers, default=0) + 1:04d}"


def activate(session: Session, scope: str, version: str) -> None:
    """Let a version serve a scope, and note on it which one it replaces, for `memo model rollback`."""
    check(session, version)
    now = versions.find_serving(session, scope, scope)
    if version != versions.BUILTIN and (now is None or now.id != version):
        row = versions.find_version(session, version)
        replaces = row.metrics.get("replaces", {}) | {scope: now.id if now else versions.BUILTIN}
        row.metrics = row.metrics | {"replaces": replaces, "activated_at": datetime.now(UTC).isoformat()}
    versions.record_active(session, scope, version)


def check(session: Session, version: str) -> None:
    """Raises UsageError for a version that is not there, MemoError where its files are gone."""
    if version != versions.BUILTIN and not Path(path := versions.find_version(session, version).path).is_dir():
        raise MemoError(f"The files of {version} are gone ({path}); activate another version.")


def before(session: Session, scope: str) -> str:
    """The version that was active before the present one. Raises MemoError where there was none."""
    now = versions.find_serving(session, scope, scope)
    if now is None:
        raise MemoError(f"{scope} is served by the built-in version; there is nothing to go back to.")
    return str(now.metrics.get("replaces", {}).get(scope, versions.BUILTIN))
