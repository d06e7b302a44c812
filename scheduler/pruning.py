"""Pruning: what is older than the settings allow is deleted, once two readings of the clock agree on the time.

What is deleted is gone for good, and a wrong clock is set right again sooner or later.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from db.engine import Store
from db.intake import cursors
from db.upkeep import jobs, retention
from forget import erase_files
from memo.clock.reading import Reading
from memo.core.paths import Home
from memo.core.settings import Settings

CLOCK = "clock"  # name of the job whose result is the last reading
CLOCK_SET = "clock set"  # name of the job that ran when two readings last disagreed
APART = timedelta(hours=2)  # least time between two readings
SETTLED = timedelta(days=3)  # how long readings have to agree again after that
KEEP_CURSORS = timedelta(days=30)  # how long the cursor of a deleted inbox file is kept, as the file may come back
FIRST_READING = "removed nothing: the next run compares its clock with this one's"
TOO_EARLY = "removed nothing: the clock was read less than two hours ago"
NOT_SETTLED = "removed nothing: the clock was set less than three days ago"


def prune(settings: Settings, store: Store, home: Home, now: Reading) -> str:
    """Delete what had been too old at the last reading of the clock already; return the job's result."""
    with store.write() as session:
        earlier, set_at = _find_reading(session), jobs.find_last_run(session, CLOCK_SET)
        agrees = earlier is not None and now.agrees_with(earlier)
        if earlier and agrees and now.at - earlier.at < APART:
            return TOO_EARLY
        jobs.record_run(session, CLOCK, str(now))
        if earlier and not agrees:
            jobs.record_run(session, CLOCK_SET, str(earlier))
    if earlier is None:
        return FIRST_READING
    if not agrees:
        return f"{jobs.CLOCK_WAS_SET} from {earlier.at:%Y-%m-%d %H:%M} to {now.at:%Y-%m-%d %H:%M} UTC"
    if set_at and now.at - set_at < SETTLED:
        return NOT_SETTLED
    return _delete(settings, store, home, earlier.at)


def _find_reading(session: Session) -> Reading | None:
    with suppress(ValueError):
        return Reading.parse(jobs.find_last_result(session, CLOCK))
    return None


def _delete(settings: Settings, store: Store, home: Home, now: datetime) -> str:
    keep, keys = settings.schedule, _cursor_keys(home.inbox)
    if keys:  # an empty inbox may mean that the collector's is on another machine
        with store.write() as session:
            cursors.delete_stale_cursors(session, "inbox", keys, now - KEEP_CURSORS)
    removed = retention.prune(store, now - keep.keep_predictions, now - keep.keep_events, keep.keep_mb)
    if removed["events"]:
        erase_files.clear_learned(home)  # a snapshot may hold what was learned from them
    rest = "; a run removes no more, the next one goes on" if removed["limited"] else ""
    return f"{removed['events']} events and {removed['predictions']} predictions removed{rest}"


def _cursor_keys(inbox: Path) -> set[str]:
    """Return the cursor keys of the files in the inbox."""
    keys = set()
    for path in inbox.rglob("*"):
        with suppress(FileNotFoundError):  # deleted meanwhile
            status = path.lstat()
            keys.add(f"{status.st_dev}:{status.st_ino}")
    return keys
