"""The tick: a short look at what is due. It starts things; none of them runs here but the pruning."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from db.engine import Store
from db.intake import cursors, scopes
from db.prediction import predictions
from db.upkeep import jobs, retention
from forget import erase_files
from forget.erase_files import clear_learned
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack.task_queue import EVALUATE, LOOK, TRAIN
from scheduler import schedule

TASKS = {schedule.RETRAIN: TRAIN, schedule.EVALUATE: EVALUATE}
KEEP_CURSORS = timedelta(days=30)
"""How long the place in a file of the inbox is kept at least; a file that went may come back."""

log = get_logger(__name__)


def run(queue: Any, settings: Settings, store: Store) -> None:
    """One tick: one short read, and writes only where something is due."""
    now = datetime.now(UTC)
    with store.read() as session:
        seen = {name: jobs.find_last_run(session, name) for name in schedule.JOBS}
        unasked = predictions.find_unasked_scopes(session)
    for scope in unasked:
        _look(queue, settings, store, scope)
    for name in schedule.unknown(seen):
        _note(store, name, jobs.NOT_YET)
    for name in schedule.due(now, seen, settings.schedule):
        _note(store, name, _start(queue, settings, store, name, now))
        log.info("a job was due", job=name)


def _look(queue: Any, settings: Settings, store: Store, scope: str) -> None:
    """Ask again for a scope whose newest event has no prediction, unless an ask is under way."""
    with store.write() as session:
        asked = scopes.record_request(session, scope, settings.predict.stale_s)
    if asked:
        queue.send_task(LOOK, [scope], expires=settings.predict.stale_s)


def _start(queue: Any, settings: Settings, store: Store, name: str, now: datetime) -> str:
    """Start a job; what came of that."""
    if name == schedule.PRUNE:
        return _prune(settings, store, now)
    with store.read() as session:
        names = scopes.find_scope_names(session)
    for scope in names:
        queue.send_task(TASKS[name], [scope])
    return f"asked for {len(names)} scopes"


def _prune(settings: Settings, store: Store, now: datetime) -> str:
    home, kept = Home.find(), settings.schedule
    files = _inbox(home.inbox)
    if files:  # without one, it may be that the inbox is the collector's alone, on another machine
        with store.write() as session:
            cursors.delete_stale_cursors(session, "inbox", files, now - KEEP_CURSORS)
    removed = retention.prune(store, now - kept.keep_predictions, now - kept.keep_events, kept.keep_mb)
    if removed["events"]:
        clear_learned(home)  # a snapshot may have learned from them
    if removed["events"]:
        erase_files.clear_learned(home)
    return f"{removed['events']} events and {removed['predictions']} predictions removed"


def _inbox(folder: Path) -> set[str]:
    """The cursor keys of the files that are there."""
    keys = set()
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # it went meanwhile
            found = path.lstat()
            keys.add(f"{found.st_dev}:{found.st_ino}")
    return keys


def _note(store: Store, name: str, result: str) -> None:
    with store.write() as session:
        jobs.record_run(session, name, result)
