"""The tick: a short, regular check of what is due. It prunes, queues runs of training and requests predictions."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from db.engine import Store
from db.intake import cursors, scopes
from db.prediction import predictions
from db.upkeep import jobs, retention, runs
from forget import erase_files
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import ScheduleSettings, Settings
from memo.stack.running import request_training
from memo.stack.task_queue import LOOK

RETRAIN = "retrain"
EVALUATE = "evaluate"
PRUNE = "prune"
JOBS = (RETRAIN, EVALUATE, PRUNE)
RUN_KINDS = {RETRAIN: "train", EVALUATE: "evaluate"}  # job -> kind of the runs that it queues
MAX_CLOCK_SKEW = timedelta(minutes=5)  # a last run further in the future was recorded by a wrong clock
KEEP_CURSORS = timedelta(days=30)  # how long the cursor of a deleted inbox file is kept, as the file may come back

log = get_logger(__name__)


def run(queue: Any, settings: Settings, store: Store) -> None:
    """Do one tick; write only where something is due."""
    now, home = datetime.now(UTC), Home.find()
    with store.read() as session:
        last_runs = {name: jobs.find_last_run(session, name) for name in JOBS}
        unasked = predictions.find_unasked_scopes(session)
    for scope in unasked:
        _request_prediction(queue, settings, store, scope)
    for name in never_run(last_runs):
        _record_run(store, name, jobs.NOT_YET)
    for name in due(now, last_runs, settings.schedule):
        result = _prune(settings, store, home, now) if name == PRUNE else _queue_runs(store, RUN_KINDS[name])
        _record_run(store, name, result)
        log.info("job_done", job=name, result=result)
    with store.read() as session:
        is_training_due = bool(runs.find_queued(session))
    if is_training_due:
        request_training(home)


def never_run(last_runs: Mapping[str, datetime | None]) -> list[str]:
    """Return the jobs that never ran: their time is only recorded, so that a fresh stack does not train at once."""
    return [name for name in JOBS if last_runs.get(name) is None]


def due(now: datetime, last_runs: Mapping[str, datetime | None], settings: ScheduleSettings) -> list[str]:
    """Return the jobs whose interval has passed; a job missed many times, while the machine slept, is due once."""
    every = {RETRAIN: settings.retrain_every, EVALUATE: settings.evaluate_every, PRUNE: settings.prune_every}
    return [
        name
        for name in JOBS
        if (last := last_runs.get(name)) is not None and (now - last >= every[name] or last - now > MAX_CLOCK_SKEW)
    ]


def _request_prediction(queue: Any, settings: Settings, store: Store, scope: str) -> None:
    """Request a prediction for a scope whose newest event has none, unless a request is under way."""
    with store.write() as session:
        is_new = scopes.record_request(session, scope, settings.predict.stale_s)
    if is_new:
        queue.send_task(LOOK, [scope], expires=settings.predict.stale_s)


def _queue_runs(store: Store, kind: str) -> str:
    """Queue a run for each scope, except those whose last run has just failed; return the job's result."""
    with store.write() as session:
        names = [name for name in scopes.find_scope_names(session) if not runs.is_delayed(session, kind, name)]
        for scope in names:
            runs.add_run(session, kind, scope)
    return f"asked for {len(names)} scopes"


def _prune(settings: Settings, store: Store, home: Home, now: datetime) -> str:
    """Delete what is older than the settings allow; return the job's result."""
    keep, keys = settings.schedule, _cursor_keys(home.inbox)
    if keys:  # an empty inbox may mean that the collector's is on another machine
        with store.write() as session:
            cursors.delete_stale_cursors(session, "inbox", keys, now - KEEP_CURSORS)
    removed = retention.prune(store, now - keep.keep_predictions, now - keep.keep_events, keep.keep_mb)
    if removed["events"]:
        erase_files.clear_learned(home)  # a snapshot may hold what was learned from them
    return f"{removed['events']} events and {removed['predictions']} predictions removed"


def _cursor_keys(inbox: Path) -> set[str]:
    """Return the cursor keys of the files in the inbox."""
    keys = set()
    for path in inbox.rglob("*"):
        with suppress(FileNotFoundError):  # deleted meanwhile
            status = path.lstat()
            keys.add(f"{status.st_dev}:{status.st_ino}")
    return keys


def _record_run(store: Store, name: str, result: str) -> None:
    with store.write() as session:
        jobs.record_run(session, name, result)
