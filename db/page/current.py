"""The answers to the newest prediction, and row ids by which the view *now* notices a change."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.intake import events
from db.models import DispatchRow, EventRow, FeedbackRow, PredictionRow
from db.prediction import predictions

MARKED = (EventRow, PredictionRow, FeedbackRow, DispatchRow)  # tables whose newest row is watched


def find_marks(session: Session) -> tuple[int, ...]:
    """Return the id of the newest row of each table that the view *now* shows."""
    newest = [select(func.max(table.id)).scalar_subquery() for table in MARKED]
    return tuple(number or 0 for number in session.execute(select(*newest)).one())


def find_shown_scope(session: Session, own: str) -> str:
    """Return `own` if it has a prediction, else the scope whose event was stored last."""
    if predictions.find_newest(session, own):
        return own
    return events.find_last_active_scope(session) or own


def find_answers(session: Session, prediction: PredictionRow) -> Sequence[FeedbackRow]:
    """Return the answers to a prediction, oldest first."""
    query = select(FeedbackRow).where(FeedbackRow.scope == prediction.scope, FeedbackRow.prediction_id == prediction.id)
    return session.scalars(query.order_by(FeedbackRow.id)).all()
