"""Feedback: what a person answered to a suggestion. It outlives the prediction, for a "never" holds until forgotten."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from db.intake import events
from db.models import FeedbackRow, PredictionRow
from memo.core.events import Action
from memo.core.predictions import Answer, action_as_dict, action_from_dict


def add_answer(session: Session, prediction: PredictionRow, action: dict[str, Any], answer: Answer) -> FeedbackRow:
    """Note the answer to a suggestion of a prediction's; a second one is another answer."""
    row = FeedbackRow(
        scope=prediction.scope,
        at=datetime.now(UTC),
        prediction_id=prediction.id,
        after=action_as_dict(events.find_action_before(session, prediction.last_event_id)),
        action=action,
        answer=answer.value,
    )
    session.add(row)
    session.flush()
    return row


def find_answers_after(session: Session, scope: str, feedback_id: int) -> Sequence[FeedbackRow]:
    """What was answered since."""
    query = select(FeedbackRow).where(FeedbackRow.scope == scope, FeedbackRow.id > feedback_id)
    return session.scalars(query.order_by(FeedbackRow.id)).all()


def find_refusal(session: Session, scope: str, action: Action) -> datetime | None:
    """When a person said "never" to an action; None where nobody did, or said "yes" since."""
    rows = session.connection().execute(_LASTING, {"scope": scope})
    same = (row for row in rows if action_from_dict(row[0]).identity == action.identity)
    _, at, answer = next(same, (None, None, None))
    return at if answer == Answer.NEVER else None


_LASTING = (
    select(FeedbackRow.action, FeedbackRow.at, FeedbackRow.answer)
    .where(FeedbackRow.scope == bindparam("scope"), FeedbackRow.answer.in_((Answer.NEVER, Answer.YES)))
    .order_by(FeedbackRow.id.desc())
)


def delete_answers(session: Session, scopes: Sequence[str], is_named: Callable[[str, dict[str, Any]], bool]) -> int:
    """Remove the answers that name what is forgotten; how many went."""
    rows = session.scalars(select(FeedbackRow).where(FeedbackRow.scope.in_(scopes))).all()
    gone = [row for row in rows if any(is_named(row.scope, {"action": one}) for one in (row.action, row.after))]
    for row in gone:
        session.delete(row)
    return len(gone)
