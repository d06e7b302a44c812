"""When a person did what: their acts in a span of time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import EventRow, PredictionRow
from memo.core.events import HUMAN, Operation

MOST = 50_000  # acts in an answer: about three times what a busy month holds


def find_day_acts(session: Session, scope: str, since: datetime, until: datetime) -> Sequence[Any]:
    """Return time, operation, target, app, detail, executable and place rank of each act in the span, by time.

    The rank is that of its place in the prediction that it judged; it is null without one.
    """
    row, event = PredictionRow, EventRow
    query = (
        select(event.at, event.operation, event.target, event.app, event.detail, event.executable, row.place_rank)
        .outerjoin(row, (row.person_event_id == event.id) & (row.scope == event.scope))
        .where(event.scope == scope, event.at >= since, event.at < until)
        .where(event.operation.in_([Operation(name).value for name in HUMAN]))
    )
    return session.execute(query.order_by(event.at, event.seq).limit(MOST)).all()
