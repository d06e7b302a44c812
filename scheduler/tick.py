"""The tick: a regular check of what is due. It queues runs of training, and requests predictions and upkeep."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from db.engine import Store, open_store
from db.intake import scopes
from db.prediction import predictions
from db.store_access import refuse_damaged
from db.upkeep import jobs, runs
from memo.config.live import LiveSettings
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import ScheduleSettings, Settings
from memo.stack.broker import broker_url, key_prefix
from memo.stack.running import request_training, request_upkeep
from memo.stack.task_queue import LOOK, make_app

RETRAIN = "retrain"
EVALUATE = "evaluate"
UPKEEP = (jobs.PRUNE, jobs.BACKUP)
JOBS = (RETRAIN, EVALUATE, *UPKEEP)
RUN_KINDS = {RETRAIN: "train", EVALUATE: "evaluate"}  # job -> kind of the runs that it queues
BACKUP_EVERY = timedelta(days=1)
MAX_CLOCK_SKEW = timedelta(minutes=5)  # a last run further in the future was recorded by a wrong clock

log = get_logger(__name__)


@cache
def _open() -> tuple[Any, LiveSettings, Store]:
    """Return this process's queue, settings and store."""
    home, settings = Home.find(), Settings.load()
    queue = make_app(broker_url(home, settings), key_prefix(settings))
    return queue, LiveSettings(settings, home), open_store(settings, home)


def tick() -> None:
    """Do one tick in the dispatcher's process."""
    queue, settings, store = _open()
    run(queue, settings.now(), store)


def run(queue: Any, settings: Settings, store: Store) -> None:
    """Do one tick; write only where something is due. Raises StoreError if the store was lost."""
    home = Home.find()
    refuse_damaged(settings, home)
    with store.read() as session:
        last_runs = jobs.find_last_runs(session, JOBS)
        unasked = predictions.find_unasked_scopes(session)
    for scope in unasked:
        _request_prediction(queue, settings, store, scope)
    for name in never_run(last_runs):
        record_run(store, name, jobs.NOT_YET)
    waiting = due(datetime.now(UTC), last_runs, settings.schedule)
    for name in waiting:
        if name in RUN_KINDS:
            result = _queue_runs(store, RUN_KINDS[name])
            record_run(store, name, result)
            log.info("job_done", job=name, result=result)
    if any(name in UPKEEP for name in waiting):
        request_upkeep(home)
    with store.read() as session:
        is_training_due = bool(runs.find_queued(session))
    if is_training_due:
        request_training(home)


def find_due(settings: Settings, store: Store, now: datetime) -> list[str]:
    """Return the jobs that are due."""
    with store.read() as session:
        return due(now, jobs.find_last_runs(session, JOBS), settings.schedule)


def never_run(last_runs: Mapping[str, datetime]) -> list[str]:
    """Return the jobs that never ran: their time is only recorded, so that a fresh stack does not train at once.

    The backup is none of them: it is due at once.
    """
    return [name for name in JOBS if last_runs.get(name) is None and name != jobs.BACKUP]


def due(now: datetime, last_runs: Mapping[str, datetime], settings: ScheduleSettings) -> list[str]:
    """Return the jobs whose interval has passed; a job missed many times, while the machine slept, is due once."""
    every = {
        RETRAIN: settings.retrain_every,
        EVALUATE: settings.evaluate_every,
        jobs.PRUNE: settings.prune_every,
        jobs.BACKUP: BACKUP_EVERY,
    }
    waiting = never_run(last_runs)
    return [
        name
        for name in JOBS
        if name not in waiting
        if (last := last_runs.get(name)) is None or now - last >= every[name] or last - now > MAX_CLOCK_SKEW
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


def record_run(store: Store, name: str, result: str) -> None:
    """Record that a job ran now."""
    with store.write() as session:
        jobs.record_run(session, name, result)
