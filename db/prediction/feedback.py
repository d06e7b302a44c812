"""Feedback: answers to suggestions. A row outlives its prediction, as a "never" holds until it is forgotten."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from db.intake import events
from db.models import FeedbackRow, PredictionRow
from memo.core.errors import UsageError
from memo.core.events import Action
from memo.core.predictions import Answer, action_as_dict, action_from_dict, wanted


class Picks(NamedTuple):
    """How many picks there were, how many in the first lines, and how many windows were open at them on average."""

    picks: int
    top: int
    windows: float | None


def add_answer(
    session: Session,
    prediction: PredictionRow,
    action: dict[str, Any],
    answer: Answer,
    line: int | None = None,
    windows: int | None = None,
) -> FeedbackRow:
    """Store the answer to a suggestion of a prediction, given in a line of `memo pick` or otherwise.

    `windows` were open then. A second answer is another row.
    """
    row = FeedbackRow(
        scope=prediction.scope,
        at=datetime.now(UTC),
        prediction_id=prediction.id,
        after=action_as_dict(events.find_action_before(session, prediction.last_event_id)),
        action=action,
        answer=answer.value,
        line=line,
        windows=windows,
    )
    session.add(row)
    session.flush()
    return row


def find_picks(session: Session, scope: str, last_line: int) -> Picks:
    """Return the figures of a scope's picks; those in lines up to `last_line` are in the first lines."""
    row = FeedbackRow
    query = select(func.count(), func.count().filter(row.line <= last_line), func.avg(row.windows))
    picked = row.scope == scope, row.answer == Answer.YES, row.line.is_not(None)
    picks, top, windows = session.execute(query.where(*picked)).one()
    return Picks(picks, top, None if windows is None else float(windows))


def find_answers_after(session: Session, scope: str, feedback_id: int) -> Sequence[FeedbackRow]:
    """Return the answers since a row."""
    return session.scalars(_ANSWERED, {"scope": scope, "id": feedback_id}).all()


_ANSWERED = (
    select(FeedbackRow)
    .where(FeedbackRow.scope == bindparam("scope"), FeedbackRow.id > bindparam("id"))
    .order_by(FeedbackRow.id)
)


def find_refusal(session: Session, scope: str, action: Action) -> datetime | None:
    """Return when a person said "never" to an action, or None if nobody did or "yes" was said since."""
    rows = session.connection().execute(_LASTING, {"scope": scope})
    names = {action.identity, wanted(action)}
    same = (row for row in rows if action_from_dict(row[0]).identity in names)
    _, at, answer = next(same, (None, None, None))
    return at if answer == Answer.NEVER else None


def find_refusals(session: Session, scope: str) -> list[FeedbackRow]:
    """Return the answers "never" that hold, newest first."""
    lasting = FeedbackRow.answer.in_((Answer.NEVER, Answer.YES))
    query = select(FeedbackRow).where(FeedbackRow.scope == scope, lasting).order_by(FeedbackRow.id.desc())
    newest = dict[Action, FeedbackRow]()
    for row in session.scalars(query):
        newest.setdefault(action_from_dict(row.action).identity, row)
    return [row for row in newest.values() if row.answer == Answer.NEVER]


def record_return(session: Session, scope: str, refusal: int) -> None:
    """Say yes to what a "never" was said to. Raises UsageError if there is no such answer in the scope."""
    row = session.get(FeedbackRow, refusal)
    if row is None or (row.scope, row.answer) != (scope, Answer.NEVER):
        raise UsageError("This answer was forgotten meanwhile, so nothing was stored.")
    same = {"scope": scope, "prediction_id": row.prediction_id, "after": row.after, "action": row.action}
    session.add(FeedbackRow(at=datetime.now(UTC), answer=Answer.YES.value, **same))


_LASTING = (
    select(FeedbackRow.action, FeedbackRow.at, FeedbackRow.answer)
    .where(FeedbackRow.scope == bindparam("scope"), FeedbackRow.answer.in_((Answer.NEVER, Answer.YES)))
    .order_by(FeedbackRow.id.desc())
)


def delete_answers(session: Session, scopes: Sequence[str], is_named: Callable[[str, dict[str, Any]], bool]) -> int:
    """Delete the answers whose action, or the one before, is named; return their number."""
    rows = session.scalars(select(FeedbackRow).where(FeedbackRow.scope.in_(scopes))).all()
    gone = [row for row in rows if any(is_named(row.scope, {"action": named}) for named in (row.action, row.after))]
    for row in gone:
        session.delete(row)
    return len(gone)
