"""The ledger: whether attempts came true, what they cost, and what they saved."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, cast, func, select, update
from sqlalchemy.orm import Session, aliased

from db.dispatch.dispatches import DONE, DRY, FAILED, HIT, OVERRUN, STOPPED, WASTE, action_key, was_useful
from db.intake import events
from db.models import OPEN, DispatchRow, EventRow, PredictionRow, ScopeRow
from memo.core.predictions import HORIZON_S, wanted

LATE = timedelta(minutes=1)  # after `until`, in which a hit's gain may still become known

Open = tuple[DispatchRow, int, datetime, datetime]
"""An attempt, `seq` and time of the event that its prediction follows, and when the prediction was made."""

Judged = dict[str, tuple[int, list[int]]]
"""The `seq` of a scope's newest event and the ids of its attempts, when these were judged last."""


@dataclass(frozen=True, slots=True)
class SettledAttempt:
    """An attempt whose outcome is known now; `came_at` is when its action came, None if it did not."""

    row: DispatchRow
    came_at: datetime | None

    @property
    def outcome(self) -> str:
        """The outcome as it is stored."""
        return HIT if self.came_at else WASTE


def find_savings(session: Session, scope: str, since: datetime) -> list[tuple[datetime, float]]:
    """Return when attempts came true whose gain is known, and the seconds that each saved, oldest first."""
    known = (DispatchRow.scope == scope, DispatchRow.at >= since, DispatchRow.outcome == HIT)
    query = select(DispatchRow.at, DispatchRow.gain_s).where(*known, DispatchRow.gain_s.is_not(None))
    return [(at, gain) for at, gain in session.execute(query.order_by(DispatchRow.at)) if gain is not None]


def find_settled(session: Session, judged: Judged) -> list[SettledAttempt]:
    """Return the attempts that came true or whose time is over; nothing is changed but `judged`.

    While a scope's newest event and its attempts are those in `judged`, its events were compared with them before, and
    are not read again. An attempt's time begins with the event that its prediction follows, on the clock of events, so
    that a replay is judged as if it happened now.
    """
    by_scope = defaultdict[str, list[Open]](list)
    for row, seq, began, made_at in session.execute(_OPEN):
        by_scope[row.scope].append((row, seq, began, made_at))
    found = []
    for scope, attempts in by_scope.items():
        state = events.find_last_seq(session, scope), [row.id for row, *_ in attempts]
        is_known, judged[scope] = judged.get(scope) == state, state
        came = {} if is_known else _came(session, scope, min(seq for _, seq, _, _ in attempts))
        found += [settled for attempt in attempts if (settled := _settled(attempt, came))]
    return found


_OPEN = (
    select(DispatchRow, EventRow.seq, EventRow.at, PredictionRow.made_at)
    .join(PredictionRow, DispatchRow.prediction_id == PredictionRow.id)
    .join(EventRow, PredictionRow.last_event_id == EventRow.id)
    .where(OPEN)
)


def _came(session: Session, scope: str, after: int) -> dict[str, list[tuple[int, datetime]]]:
    """Return `seq` and time of all events after one, by the keys of their actions."""
    came = defaultdict[str, list[tuple[int, datetime]]](list)
    for row in session.scalars(select(EventRow).where(EventRow.scope == scope, EventRow.seq > after)):
        action = events.as_event(row).action
        for key in {action_key(action), action_key(wanted(action))}:
            came[key].append((row.seq, row.at))
    return came


def _settled(attempt: Open, came: dict[str, list[tuple[int, datetime]]]) -> SettledAttempt | None:
    row, seq, began, made_at = attempt
    assert row.until is not None
    end = began + (row.until - made_at)
    times = [at for number, at in came.get(row.action_key, ()) if number > seq and at <= end]
    if times:
        return SettledAttempt(row, min(times))
    is_over = not made_at <= datetime.now(UTC) < row.until  # it is, too, if it was made while the clock was ahead
    return SettledAttempt(row, None) if is_over else None


def record_outcomes(session: Session, found: Sequence[SettledAttempt]) -> None:
    """Store the outcomes, and the gain of each hit whose handler reported it."""
    for settled in found:
        row, values = settled.row, dict[str, Any](outcome=settled.outcome)
        if settled.came_at and row.status == DONE:
            given = (row.result or {}).get("gain_s")
            values["gain_s"] = float(given) if isinstance(given, int | float) else None
        session.execute(update(DispatchRow).where(DispatchRow.id == row.id).values(**values))


def find_unmeasured(session: Session, handlers: Iterable[str]) -> Sequence[DispatchRow]:
    """Return the recent hits of these handlers whose gain is unknown."""
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


def record_gains(session: Session, gains: Iterable[tuple[DispatchRow, float]]) -> None:
    """Store the gains of hits, in seconds."""
    for row, gain in gains:
        session.execute(update(DispatchRow).where(DispatchRow.id == row.id).values(gain_s=gain))


@dataclass(frozen=True, slots=True)
class Balance:
    """Numbers and seconds of some attempts with an outcome; the gain is known of `known` hits.

    Other hits do not count, and waste counts in the proportion in which gains are known: otherwise a handler whose
    gains nobody measures would seem to lose time. A hit that had nothing to do counts as waste.
    """

    goes: int
    hits: int
    known: int
    saved_s: float
    known_cost_s: float
    waste_cost_s: float

    @property
    def cost_s(self) -> float:
        """Cost of what counts."""
        return self.known_cost_s + self.waste_cost_s * (self.known / self.hits if self.hits else 1.0)


def find_last_balance(session: Session, scope: str, handler: str, since: datetime | None, number: int) -> Balance:
    """Return the balance of a handler's last `number` attempts with an outcome, after `since`."""
    last = select(DispatchRow).where(
        DispatchRow.scope == scope, DispatchRow.handler == handler, DispatchRow.status == DONE, _IS_OVER
    )
    if since:
        last = last.where(DispatchRow.at > since)
    goes = aliased(DispatchRow, last.order_by(DispatchRow.at.desc()).limit(number).subquery())
    return Balance(*session.execute(select(*_balance(goes))).one())


_IS_OVER = DispatchRow.outcome.is_not(None)


def _balance(row: type[DispatchRow]) -> list[ColumnElement[Any]]:
    """Return the columns of a `Balance`."""
    over, cost_s = (row.status == DONE) & row.outcome.is_not(None), row.cost_ms / 1e3
    hit, waste = over & was_useful(row), over & ~was_useful(row)
    known = hit & row.gain_s.is_not(None)
    numbers = [func.count().filter(which) for which in (over, hit, known)]
    return [*numbers, _sum(known, row.gain_s), _sum(known, cost_s), _sum(waste, cost_s)]


def _sum(condition: ColumnElement[bool], what: Any) -> ColumnElement[Any]:
    return func.coalesce(func.sum(what).filter(condition), 0.0)


def find_totals(session: Session, scope: str) -> dict[str, dict[str, Any]]:
    """Return attempts, hits, waste, bytes read (and in vain), seconds saved and spent of each handler, as JSON."""
    done, wasted = DispatchRow.status == DONE, DispatchRow.outcome == WASTE
    columns = {
        "goes": func.count().filter(done),
        **{status: func.count().filter(DispatchRow.status == status) for status in (DRY, FAILED, OVERRUN, STOPPED)},
        "hits": func.count().filter(DispatchRow.outcome == HIT),
        "waste": func.count().filter(wasted),
        "read_bytes": cast(_sum(done, DispatchRow.read_bytes), BigInteger),
        "vain_bytes": cast(_sum(done & wasted, DispatchRow.read_bytes), BigInteger),
    }
    query = (
        select(DispatchRow.handler, *columns.values(), *_balance(DispatchRow))
        .where(DispatchRow.scope == scope)
        .group_by(DispatchRow.handler)
    )
    found = {}
    for name, *figures in session.execute(query):
        balance = Balance(*figures[len(columns) :])
        seconds = {"known": balance.known, "saved_s": balance.saved_s, "cost_s": balance.cost_s}
        found[name] = dict(zip(columns, figures, strict=False)) | seconds
    return found
