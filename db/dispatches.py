"""Dispatches: the claim of an effect, and how it went."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.models import DispatchRow, PredictionRow
from memo.events import Action
from memo.predictions import action_from_dict
from memo.protocols import Cost

CLAIMED, DONE, DRY, FAILED, STOPPED, OVERRUN = "claimed", "done", "dry", "failed", "stopped", "overrun"
GONE = (CLAIMED, DONE, DRY)
"""What counts as a go; what failed costs no budget."""
LAST_HITS = 100
"""What a hit saves is learned from so many."""


def key(action: Action) -> str:
    """What an action is found by: a digest of its identity."""
    one = action.identity
    parts = "\x1f".join((one.operation.value, one.target, one.place))
    return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def claim(
    session: Session,
    prediction: PredictionRow,
    handler: str,
    action: dict[str, Any],
    probability: float,
    status: str = CLAIMED,
    detail: str = "",
    until: datetime | None = None,
    cost: Cost = Cost(),  # noqa: B008 - it can't be changed
) -> DispatchRow | None:
    """Take a handler's one go at a prediction; None where it was taken before."""
    row = DispatchRow(
        prediction_id=prediction.id,
        scope=prediction.scope,
        handler=handler,
        at=datetime.now(UTC),
        action=action,
        action_key=key(action_from_dict(action)),
        probability=probability,
        status=status,
        detail=detail,
        until=until,
        cost_ms=cost.ms,
        read_bytes=cost.read_bytes,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        return None
    return row


def of(session: Session, prediction_id: int) -> Sequence[DispatchRow]:
    """What the handlers did about a prediction, or why not."""
    query = select(DispatchRow).where(DispatchRow.prediction_id == prediction_id)
    return session.scalars(query.order_by(DispatchRow.id)).all()


def handlers(session: Session, prediction_id: int) -> set[str]:
    """Which handlers have taken their go at a prediction."""
    return set(session.scalars(select(DispatchRow.handler).where(DispatchRow.prediction_id == prediction_id)))


def finish(session: Session, dispatch_id: int, status: str, detail: str, duration_ms: float, **values: Any) -> None:
    """Write down how it went, unless it was forgotten meanwhile; `values` are more columns."""
    values |= {"status": status, "detail": detail, "duration_ms": duration_ms}
    session.execute(update(DispatchRow).where(DispatchRow.id == dispatch_id).values(**values))


def last(session: Session, scope: str, handler: str, action: Action) -> DispatchRow | None:
    """A handler's last go at this action."""
    query = select(DispatchRow).where(
        DispatchRow.scope == scope,
        DispatchRow.handler == handler,
        DispatchRow.action_key == key(action),
        DispatchRow.status.in_(GONE),
    )
    return session.scalar(query.order_by(DispatchRow.at.desc()).limit(1))


def last_hour(session: Session, scope: str, handler: str) -> tuple[int, int]:
    """A handler's goes in the last hour, and the bytes that they read."""
    since = datetime.now(UTC) - timedelta(hours=1)
    query = select(func.count(), func.coalesce(func.sum(DispatchRow.read_bytes), 0)).where(
        DispatchRow.scope == scope,
        DispatchRow.handler == handler,
        DispatchRow.at >= since,
        DispatchRow.status.in_(GONE),
    )
    goes, read = session.execute(query).one()
    return goes, int(read)


def hits(session: Session, scope: str, handler: str) -> tuple[int, float | None]:
    """How many of a handler's goes came true, up to `LAST_HITS`, and what one saved on average where that is known."""
    latest = (
        select(DispatchRow.gain_s)
        .where(DispatchRow.scope == scope, DispatchRow.handler == handler, DispatchRow.outcome == "hit")
        .order_by(DispatchRow.at.desc())
        .limit(LAST_HITS)
        .subquery()
    )
    count, saved = session.execute(select(func.count(), func.avg(latest.c.gain_s)).select_from(latest)).one()
    return count, saved
