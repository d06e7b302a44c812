"""Whether work goes on: a prediction that does not come, and a backup that could not be made, are problems."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from db.prediction.predictions import find_unpredicted
from db.upkeep.backups import FAILED
from db.upkeep.jobs import BACKUP, find_last_result
from memo.core.paths import Home
from memo.store.damage import find_marked

WAITS = timedelta(minutes=1)  # from an event to its prediction; it takes less than a second where all is well


def find_problems(session: Session, home: Home, is_running: bool) -> list[str]:
    """Return a sentence for each thing that is wrong."""
    delays = _find_delays(session, home) if is_running else []
    return [*_find_damage(session, home), *delays]


def _find_damage(session: Session, home: Home) -> list[str]:
    """Return that the store is damaged, or that the last backup could not be made for another reason."""
    result = find_last_result(session, BACKUP)
    if damage := find_marked(home):
        return [damage]
    return [f"The last daily job {result}; the next one tries again."] if result.startswith(FAILED) else []


def _find_delays(session: Session, home: Home) -> list[str]:
    """Return a sentence for each scope whose newest event has waited for its prediction for long."""
    latest = datetime.now(UTC) - WAITS
    return [
        f"The newest event of {event.scope}, stored at {event.stored_at.astimezone():%Y-%m-%d %H:%M}, has no "
        f"prediction yet. If that lasts, see {home.logs / 'worker.log'}, then run `memo down` and `memo up`."
        for event in find_unpredicted(session)
        if event.stored_at < latest
    ]
