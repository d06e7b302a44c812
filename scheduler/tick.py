"""The tick: a short look at what is due. It starts things; none of them runs here but the pruning."""

from datetime import UTC, datetime
from typing import Any

from db import events, jobs, predictions, scopes
from db.engine import Store
from memo.logs import get
from memo.queue import EVALUATE, LOOK, TRAIN
from memo.settings import Settings
from scheduler import schedule

TASKS = {schedule.RETRAIN: TRAIN, schedule.EVALUATE: EVALUATE}

log = get(__name__)


def run(queue: Any, settings: Settings, store: Store) -> None:
    """One tick: one short read, and writes only where something is due."""
    now = datetime.now(UTC)
    with store.read() as session:
        seen = {name: jobs.last_run(session, name) for name in schedule.JOBS}
        unasked = predictions.unasked(session)
    for scope in unasked:
        _look(queue, settings, store, scope)
    for name in schedule.unknown(seen):
        _note(store, name, "waits for its first time")
    for name in schedule.due(now, seen, settings.schedule):
        _note(store, name, _start(queue, settings, store, name, now))
        log.info("a job was due", job=name)


def _look(queue: Any, settings: Settings, store: Store, scope: str) -> None:
    """Ask again for a scope whose newest event has no prediction, unless an ask is under way."""
    with store.write() as session:
        asked = scopes.ask(session, scope, settings.predict.stale_s)
    if asked:
        queue.send_task(LOOK, [scope], expires=settings.predict.stale_s)


def _start(queue: Any, settings: Settings, store: Store, name: str, now: datetime) -> str:
    """Start a job; what came of that."""
    if name == schedule.PRUNE:
        with store.write() as session:
            removed = predictions.prune(session, now - settings.schedule.keep_predictions)
        return f"{removed} predictions removed"
    with store.read() as session:
        names = events.names(session)
    for scope in names:
        queue.send_task(TASKS[name], [scope])
    return f"asked for {len(names)} scopes"


def _note(store: Store, name: str, result: str) -> None:
    with store.write() as session:
        jobs.ran(session, name, result)
