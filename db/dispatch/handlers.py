"""Handlers that turned themselves off, and for how long."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import HandlerRow

FIRST, LONGEST = timedelta(hours=1), timedelta(days=7)
"""Pauses; each is twice the one before."""


def find_resting(session: Session, scope: str, handler: str) -> HandlerRow | None:
    """The row of a handler that rests now."""
    row = session.get(HandlerRow, (scope, handler))
    return row if row and row.until > datetime.now(UTC) else None


def find_all_resting(session: Session, scope: str) -> list[dict[str, Any]]:
    """Those that rest now: name, until when, and why."""
    query = select(HandlerRow).where(HandlerRow.scope == scope, HandlerRow.until > datetime.now(UTC))
    return [
        {"handler": row.handler, "until": row.until.isoformat(), "reason": row.reason}
        for row in session.scalars(query.order_by(HandlerRow.handler))
    ]


def find_judged_since(session: Session, scope: str, handler: str) -> datetime | None:
    """From when on a handler's goes are judged; None where all are."""
    row = session.get(HandlerRow, (scope, handler))
    return row.since if row else None


def record_rest(session: Session, scope: str, handler: str, reason: str) -> HandlerRow:
    """Let it rest, each time twice as long."""
    now, before = datetime.now(UTC), session.get(HandlerRow, (scope, handler))
    times = before.times + 1 if before else 1
    until = now + min(LONGEST, FIRST * 2 ** min(times - 1, 20))
    return session.merge(HandlerRow(scope=scope, handler=handler, times=times, since=now, until=until, reason=reason))


def reset_backoff(session: Session, scope: str, handler: str) -> None:
    """What it did since it last rested was worth it: the next pause is the first one again."""
    if row := session.get(HandlerRow, (scope, handler)):
        row.times, row.since = 0, datetime.now(UTC)
