"""The ledger: whether what was done came true, what it cost, and what it saved."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, case, cast, func, or_, select, update
from sqlalchemy.orm import Session

from db import events
from db.dispatches import DONE, DRY, key
from db.models import OPEN, DispatchRow, EventRow, PredictionRow, ScopeRow
from memo.predictions import HORIZON_S

HIT, WASTE = "hit", "waste"
COUNTS = or_(DispatchRow.outcome == WASTE, DispatchRow.gain_s.is_not(None))
"""Goes that count in a balance: a hit of which nobody knows what it saved does not."""
LATE = timedelta(minutes=1)
"""After its life, in which it may still become known what a hit saved."""
Open = tuple[DispatchRow, int, datetime, datetime]
"""A go, `seq` and time of the event that its prediction follows, and when that was made."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A go whose outcome is known now; `came_at` is when its action came, None where it did not."""

    row: DispatchRow
    came_at: datetime | None

    @property
    def outcome(self) -> str:
        """As it is written."""
        return HIT if self.came_at else WASTE


def settled(session: Session) -> list[Settled]:
    """Goes that came true, and those whose life is over; what stands in the store is not changed.

    A go's life begins with the event that its prediction follows, by the clock of events: so a replay is judged as if
    it happened now.
    """
    by_scope = defaultdict[str, list[Open]](list)
    for row, seq, began, made_at in session.execute(_OPEN):
        by_scope[row.scope].append((row, seq, began, made_at))
    found = []
    for scope, ones in by_scope.items():
        came = _came(session, scope, min(seq for _, seq, _, _ in ones))
        found += [settled for one in ones if (settled := _settled(one, came))]
    return found


_OPEN = (
    select(DispatchRow, EventRow.seq, EventRow.at, PredictionRow.made_at)
    .join(PredictionRow, DispatchRow.prediction_id == PredictionRow.id)
    .join(EventRow, PredictionRow.last_event_id == EventRow.id)
    .where(OPEN)
)


def _came(session: Session, scope: str, after: int) -> dict[str, list[tuple[int, datetime]]]:
    """What happened after an event: `seq` and time of each, by the keys of actions."""
    came = defaultdict[str, list[tuple[int, datetime]]](list)
    for row in session.scalars(select(EventRow).where(EventRow.scope == scope, EventRow.seq > after)):
        came[key(events.as_event(row).action)].append((row.seq, row.at))
    return came


def _settled(one: Open, came: dict[str, list[tuple[int, datetime]]]) -> Settled | None:
    row, seq, began, made_at = one
    assert row.until is not None
    end = began + (row.until - made_at)
    times = [at for number, at in came.get(row.action_key, ()) if number > seq and at <= end]
    if times:
        return Settled(row, min(times))
    return Settled(row, None) if row.until <= datetime.now(UTC) else None


def settle(session: Session, found: Sequence[Settled]) -> None:
    """Write the outcomes, and what a hit saved where the handler said so."""
    for one in found:
        values: dict[str, Any] = {"outcome": one.outcome}
        if one.came_at and one.row.status == DONE:
            values["gain_s"] = _number((one.row.result or {}).get("gain_s"))
        session.execute(update(DispatchRow).where(DispatchRow.id == one.row.id).values(**values))


def unmeasured(session: Session, handlers: Iterable[str]) -> Sequence[DispatchRow]:
    """Late hits of these handlers of which nobody knows what they saved."""
    now = datetime.now(UTC)
    query = select(DispatchRow).where(
        DispatchRow.scope.in_(select(ScopeRow.name)),
        DispatchRow.handler.in_(handlers),
        DispatchRow.at >= now - timedelta(seconds=HORIZON_S) - LATE,
        DispatchRow.until >= now - LATE,
        DispatchRow.outcome == HIT,
        DispatchRow.status == DONE,
        DispatchRow.gain_s.is_(None),
    )
    return session.scalars(query).all()


def measured(session: Session, gains: Iterable[tuple[DispatchRow, float]]) -> None:
    """Write what hits saved."""
    for row, gain in gains:
        session.execute(update(DispatchRow).where(DispatchRow.id == row.id).values(gain_s=gain))


def _number(given: Any) -> float | None:
    return float(given) if isinstance(given, int | float) else None


@dataclass(frozen=True, slots=True)
class Balance:
    """Of some goes: their number, and seconds."""

    goes: int
    saved_s: float
    cost_s: float


def last_balance(session: Session, scope: str, handler: str, since: datetime | None, number: int) -> Balance:
    """What a handler's last so many goes saved and cost, of those that count, after `since`."""
    last = select(DispatchRow.gain_s, DispatchRow.cost_ms).where(
        DispatchRow.scope == scope, DispatchRow.handler == handler, DispatchRow.status == DONE, COUNTS
    )
    if since:
        last = last.where(DispatchRow.at > since)
    goes = last.order_by(DispatchRow.at.desc()).limit(number).subquery()
    count, saved, cost = session.execute(
        select(func.count(), func.sum(goes.c.gain_s), func.sum(goes.c.cost_ms)).select_from(goes)
    ).one()
    return Balance(count, saved or 0.0, (cost or 0.0) / 1e3)


def totals(session: Session, scope: str) -> dict[str, dict[str, Any]]:
    """Of each handler in a scope: goes, hits, waste, what it read, what it saved and cost, as JSON."""

    def number(condition: Any) -> Any:
        return func.sum(case((condition, 1), else_=0))

    done = DispatchRow.status == DONE
    columns = {
        "goes": number(done),
        "dry": number(DispatchRow.status == DRY),
        "failed": number(DispatchRow.status == "failed"),
        "overrun": number(DispatchRow.status == "overrun"),
        "stopped": number(DispatchRow.status == "stopped"),
        "hits": number(DispatchRow.outcome == HIT),
        "waste": number(DispatchRow.outcome == WASTE),
        "read_bytes": cast(func.sum(case((done, DispatchRow.read_bytes), else_=0)), BigInteger),
        "saved_s": func.coalesce(func.sum(DispatchRow.gain_s), 0.0),
        "cost_s": func.sum(case((done & COUNTS, DispatchRow.cost_ms), else_=0.0)) / 1e3,
    }
    query = (
        select(DispatchRow.handler, *columns.values()).where(DispatchRow.scope == scope).group_by(DispatchRow.handler)
    )
    return {name: dict(zip(columns, figures, strict=True)) for name, *figures in session.execute(query)}
