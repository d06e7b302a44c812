"""How well served predictions foresaw what a person did, by local day, version and view.

They are kept for good, for whoever asks by SQL; predictions and events are not.
"""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import ServedScoreRow


def record_scores(session: Session, rows: Iterable[ServedScoreRow]) -> None:
    """Store scores, in place of those of the same day."""
    for row in rows:
        session.merge(row)


def find_newest_day(session: Session, scope: str) -> str:
    """Return the newest day with scores; "" if there is none."""
    return session.scalar(select(func.max(ServedScoreRow.day)).where(ServedScoreRow.scope == scope)) or ""
