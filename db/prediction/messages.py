"""Stored predictions as the messages that go out, now or again: a function of the rows alone."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from db.intake.events import as_event
from db.models import EventRow, PredictionRow
from memo.core.grammar import Language
from memo.messaging.message import SettledPrediction, prediction_message


def build_messages(
    session: Session, rows: Iterable[tuple[PredictionRow, EventRow]], language: Language
) -> list[dict[str, Any]]:
    """The message of each prediction, given with the event that it follows."""
    return [
        prediction_message(prediction, as_event(event), _settled(session, prediction, event), language)
        for prediction, event in rows
    ]


def find_messages_after(
    session: Session, prediction_id: int, limit: int, language: Language, since: datetime | None = None
) -> list[dict[str, Any]]:
    """The messages of the next predictions, of all scopes, by their ids; with `since` of what was published since."""
    query = select(PredictionRow, EventRow).join(EventRow, PredictionRow.last_event_id == EventRow.id)
    if since is not None:
        query = query.where(PredictionRow.published_at >= since)
    rows = session.execute(query.where(PredictionRow.id > prediction_id).order_by(PredictionRow.id).limit(limit))
    return build_messages(session, [(prediction, event) for prediction, event in rows], language)


def _settled(session: Session, prediction: PredictionRow, event: EventRow) -> Sequence[SettledPrediction]:
    """The earlier predictions whose outcome is among the events learned since the prediction before this one."""
    asked_before = exists().where(
        PredictionRow.scope == prediction.scope,
        PredictionRow.last_event_id == EventRow.id,
        PredictionRow.id < prediction.id,
    )
    previous = (
        select(EventRow.seq)
        .where(EventRow.scope == prediction.scope, EventRow.seq <= event.seq, asked_before)
        .order_by(EventRow.seq.desc())
        .limit(1)
    )
    known = session.scalar(previous)
    if known is None:
        return []
    query = (
        select(PredictionRow.id, PredictionRow.outcome_rank, EventRow)
        .join(EventRow, PredictionRow.outcome_event_id == EventRow.id)
        .where(PredictionRow.scope == prediction.scope)
        .where(EventRow.scope == prediction.scope, EventRow.seq > known, EventRow.seq <= event.seq)
    )
    found = [SettledPrediction(number, rank, as_event(truth)) for number, rank, truth in session.execute(query)]
    return sorted((one for one in found if one.id < prediction.id), key=lambda one: one.id)
