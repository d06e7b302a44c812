"""Resting handlers, and for how long they rest. One that turned itself off while the clock was ahead does not rest."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import HandlerRow

FIRST = timedelta(hours=1)  # first rest; doubles each time
LONGEST = timedelta(days=7)


def find_resting(session: Session, scope: str, handler: str) -> HandlerRow | None:
    """Return the row of a handler if it rests now, else None."""
    row = session.get(HandlerRow, (scope, handler))
    return row if row and row.since <= datetime.now(UTC) < row.until else None


def find_all_resting(session: Session, scope: str) -> list[dict[str, Any]]:
    """Return the resting handlers of a scope: name, end of the rest and reason, as JSON."""
    now = datetime.now(UTC)
    query = select(HandlerRow).where(HandlerRow.scope == scope, HandlerRow.since <= now, HandlerRow.until > now)
    return [
        {"handler": row.handler, "until": row.until.isoformat(), "reason": row.reason}
        for row in session.scalars(query.order_by(HandlerRow.handler))
    ]


def find_judged_since(session: Session, scope: str, handler: str) -> datetime | None:
    """Return the time after which a handler's attempts are judged, or None if all are."""
    row = session.get(HandlerRow, (scope, handler))
    return row.since if row else None


def record_rest(session: Session, scope: str, handler: str, reason: str) -> HandlerRow:
    """Turn a handler off, twice as long as the time before; return its row."""
    now, before = datetime.now(UTC), session.get(HandlerRow, (scope, handler))
    times = before.times + 1 if before else 1
    until = now + min(LONGEST, FIRST * 2 ** min(times - 1, 20))
    return session.merge(HandlerRow(scope=scope, handler=handler, times=times, since=now, until=until, reason=reason))


def reset_backoff(session: Session, scope: str, handler: str) -> None:
    """Make the next rest of a handler as short as the first: its attempts since the last one were worth it."""
    if row := session.get(HandlerRow, (scope, handler)):
        row.times, row.since = 0, datetime.now(UTC)
