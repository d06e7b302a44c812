"""Dispatches: the claim of an effect, and what came of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.models import DispatchRow, PredictionRow


def claim(
    session: Session, prediction: PredictionRow, handler: str, action: dict[str, Any], probability: float
) -> DispatchRow | None:
    """Take a handler's one go at a prediction; None where it was taken before."""
    row = DispatchRow(
        prediction_id=prediction.id,
        scope=prediction.scope,
        handler=handler,
        at=datetime.now(UTC),
        action=action,
        probability=probability,
        status="claimed",
        detail="",
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return None
    return row


def handlers(session: Session, prediction_id: int) -> set[str]:
    """Which handlers have taken their go at a prediction."""
    return set(session.scalars(select(DispatchRow.handler).where(DispatchRow.prediction_id == prediction_id)))


def finish(session: Session, dispatch_id: int, status: str, detail: str, duration_ms: float) -> None:
    """Write down how it went, unless it was forgotten meanwhile."""
    values = {"status": status, "detail": detail, "duration_ms": duration_ms}
    session.execute(update(DispatchRow).where(DispatchRow.id == dispatch_id).values(**values))


def last_done(session: Session, scope: str, action: dict[str, Any], since: datetime) -> datetime | None:
    """When this action was last acted on in a scope, not before `since`."""
    query = select(DispatchRow).where(
        DispatchRow.scope == scope, DispatchRow.at >= since, DispatchRow.status.in_(("claimed", "done"))
    )
    return max((row.at for row in session.scalars(query) if row.action == action), default=None)


def count_last_hour(session: Session, scope: str) -> int:
    """How many predictions of a scope were acted on in the last hour."""
    since = datetime.now(UTC) - timedelta(hours=1)
    query = select(func.count(DispatchRow.prediction_id.distinct())).where(
        DispatchRow.scope == scope, DispatchRow.at >= since, DispatchRow.status.in_(("claimed", "done"))
    )
    return session.scalar(query) or 0
