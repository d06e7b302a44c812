"""The tick: a regular check of what is due. It queues runs of training, and requests predictions and upkeep."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from db.engine import Store
from db.intake import scopes
from db.prediction import predictions
from db.store_access import process_store, refuse_damaged
from db.upkeep import jobs, retrain, runs
from db.upkeep.retrain import MAX_CLOCK_SKEW
from forget import retire
from memo.config.live import LiveSettings
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import ScheduleSettings, Settings
from memo.stack import running
from memo.stack.broker import broker_url, key_prefix
from memo.stack.task_queue import LOOK, make_app

UPKEEP = (jobs.PRUNE, jobs.BACKUP)
JOBS = (jobs.RETRAIN, jobs.EVALUATE, *UPKEEP)
BACKUP_EVERY = timedelta(days=1)
FIRST_BACKUP = timedelta(minutes=10)  # after the first tick; an earlier copy of a new store would hold next to nothing

log = get_logger(__name__)


@cache
def _open() -> tuple[Any, LiveSettings, Store]:
    """Return this process's queue, settings and store."""
    home, settings = Home.find(), Settings.load()
    queue = make_app(broker_url(home, settings), key_prefix(settings))
    return queue, LiveSettings(settings, home), process_store()


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
        are_rules_new = retire.is_due(session, home, settings.privacy)
    for scope in unasked:
        _request_prediction(queue, settings, store, scope)
    now = datetime.now(UTC)
    if new := never_run(last_runs):
        with store.write() as session:
            for name in new:
                jobs.record_run(session, name, jobs.NOT_YET, at=counted_from(name, now))
    waiting = due(now, last_runs, settings.schedule)
    if are_rules_new or any(name in UPKEEP for name in waiting):
        running.request(home, running.UPKEEP)
    with store.read() as session:
        untrained = retrain.find_due_scopes(session, settings.schedule, now)
    if untrained:
        _queue_runs(store, jobs.RETRAIN, runs.TRAIN, untrained)
    if jobs.EVALUATE in waiting:
        with store.read() as session:
            unjudged = [name for name in scopes.find_scope_names(session) if runs.is_free(session, runs.EVALUATE, name)]
        _queue_runs(store, jobs.EVALUATE, runs.EVALUATE, unjudged)
    with store.read() as session:
        may_train = runs.find_queued(session) and not retrain.find_obstacle(session, home, settings.schedule, now)
    if may_train:
        running.request(home, running.TRAINING)


def never_run(last_runs: Mapping[str, datetime]) -> list[str]:
    """Return the jobs that never ran: their time is only recorded, so that a fresh stack does not train at once."""
    return [name for name in JOBS if name not in last_runs]


def counted_from(name: str, now: datetime) -> datetime:
    """Return the time from which the first period of a job is counted."""
    return now + FIRST_BACKUP - BACKUP_EVERY if name == jobs.BACKUP else now


def due(now: datetime, last_runs: Mapping[str, datetime], settings: ScheduleSettings) -> list[str]:
    """Return the jobs whose interval has passed; a job missed many times, while the machine slept, is due once.

    Whether a retrain is due depends on its scope: see `db.upkeep.retrain`.
    """
    every = {
        jobs.EVALUATE: settings.evaluate_every,
        jobs.PRUNE: settings.prune_every,
        jobs.BACKUP: BACKUP_EVERY,
    }
    return [
        name
        for name in every
        if (last := last_runs.get(name)) and (now - last >= every[name] or last - now > MAX_CLOCK_SKEW)
    ]


def _request_prediction(queue: Any, settings: Settings, store: Store, scope: str) -> None:
    """Request a prediction for a scope whose newest event has none, unless a request is under way."""
    with store.write() as session:
        is_new = scopes.record_request(session, scope, settings.predict.stale_s)
    if is_new:
        queue.send_task(LOOK, [scope], expires=settings.predict.stale_s)


def _queue_runs(store: Store, job: str, kind: str, names: Sequence[str]) -> None:
    """Queue a run of a job for each of these scopes."""
    result = f"asked for {len(names)} scopes"
    with store.write() as session:
        for scope in names:
            runs.add_run(session, kind, scope)
        jobs.record_run(session, job, result)
    log.info("job_done", job=job, result=result)


def record_run(store: Store, name: str, result: str) -> None:
    """Record that a job ran now."""
    with store.write() as session:
        jobs.record_run(session, name, result)
