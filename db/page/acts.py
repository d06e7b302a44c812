"""What a person did, each act beside the newest prediction made before it."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import EventRow, PredictionRow


def find_last_acts(session: Session, scope: str, limit: int) -> list[tuple[PredictionRow, EventRow]]:
    """Return the last acts that a prediction was judged by, newest first."""
    query = (
        select(PredictionRow, EventRow)
        .join(EventRow, PredictionRow.person_event_id == EventRow.id)
        .where(PredictionRow.scope == scope)
        .order_by(PredictionRow.id.desc())
        .limit(limit)
    )
    return [(prediction, event) for prediction, event in session.execute(query)]
