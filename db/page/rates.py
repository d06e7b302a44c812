"""How often the place of an act was foreseen, day by day."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from db.models import PredictionRow

DAYS = 60  # newest days with acts


def find_daily_rates(session: Session, scope: str) -> Sequence[Any]:
    """Return day in UTC, acts, and those whose place was first and among the first three, oldest day first."""
    row = PredictionRow
    day = func.date(row.made_at)
    first, three = (func.sum(case((row.place_rank <= rank, 1), else_=0)) for rank in (1, 3))
    query = select(day, func.count(), first, three).where(row.scope == scope, row.person_event_id.is_not(None))
    return session.execute(query.group_by(day).order_by(day.desc()).limit(DAYS)).all()[::-1]
