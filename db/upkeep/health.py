"""Whether work goes on: an event whose prediction does not come is told as a problem."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from db.prediction.predictions import find_unpredicted
from memo.core.paths import Home

WAITS = timedelta(minutes=1)  # from an event to its prediction; it takes less than a second where all is well


def find_delays(session: Session, home: Home) -> list[str]:
    """Return a sentence for each scope whose newest event has waited for its prediction for long."""
    latest = datetime.now(UTC) - WAITS
    return [
        f"The newest event of {event.scope}, stored at {event.stored_at.astimezone():%Y-%m-%d %H:%M}, has no "
        f"prediction yet. If that lasts, see {home.logs / 'worker.log'}, then run `memo down` and `memo up`."
        for event in find_unpredicted(session)
        if event.stored_at < latest
    ]
