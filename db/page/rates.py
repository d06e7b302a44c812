"""How often the place of an act was foreseen, day by day."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import DailyCountRow

DAYS = 60  # newest days with acts


def find_daily_rates(session: Session, scope: str) -> Sequence[Any]:
    """Return day in UTC, acts, and those whose place was first and among the first three, oldest day first."""
    row = DailyCountRow
    counts = [func.sum(column) for column in (row.acts, row.place_1, row.place_3)]
    query = select(row.day, *counts).where(row.scope == scope).group_by(row.day).having(func.sum(row.acts) > 0)
    return session.execute(query.order_by(row.day.desc()).limit(DAYS)).all()[::-1]
