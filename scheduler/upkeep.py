"""Upkeep: pruning, the backup and retiring versions, in a process of their own: each may take minutes."""

from db.engine import Store, sqlite_path, store_url
from db.upkeep import backups, jobs
from forget import retire
from memo.clock.reading import Reading
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import Settings
from scheduler.pruning import prune
from scheduler.tick import JOBS, UPKEEP, due, record_run

EXCLUSIONS = "exclusions"  # no periodic job: when versions were retired last, and which

log = get_logger(__name__)


def run(settings: Settings, store: Store) -> None:
    """Retire versions where a privacy rule is new, then do the jobs that are due.

    A job that fails is due again one period later, as any other.
    """
    home, now = Home.find(), Reading.now()
    if retired := retire.retire_excluded(store, home, settings.privacy):
        record_run(store, EXCLUSIONS, retire.describe(retired))
        log.info("versions_retired", versions=retired)
    with store.read() as session:
        last_runs = jobs.find_last_runs(session, JOBS)
    for name in due(now.at, last_runs, settings.schedule):
        if name in UPKEEP:
            result = _do(name, settings, store, home, now)
            record_run(store, name, result)
            log.info("job_done", job=name, result=result)


def _do(name: str, settings: Settings, store: Store, home: Home, now: Reading) -> str:
    """Do a job; return its result."""
    try:
        if name == jobs.PRUNE:
            return prune(settings, store, home, now)
        file = sqlite_path(store_url(settings, home))
        return backups.back_up(file, home, now.at) if file else "left to Postgres, which has pg_dump"
    except Exception as error:
        log.exception("job_failed", job=name)
        return f"failed ({type(error).__name__}: {error}); the next one tries again"
