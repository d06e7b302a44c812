"""Counts of events and predictions by scope, day and version, kept in the transactions that change these rows.

`memo status` sums them, as counting the rows of years takes seconds. Whoever changes a count
holds the lock of its scope.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, String, bindparam, delete, func, select, type_coerce
from sqlalchemy.orm import Session

from db.intake.scopes import find_scope_names, lock_scope
from db.models import DailyCountRow, EventRow, PredictionRow
from db.upsert import INSERTS, build_upserts, execute

CUTS = (1, 3, 5)  # k of hit@k
RANKS = {
    "hit": PredictionRow.outcome_rank,
    "place": PredictionRow.place_rank,
    "person": PredictionRow.person_rank,
    "upcoming": PredictionRow.upcoming_rank,
}
COUNTED: dict[str, ColumnElement[Any]] = {
    "predictions": func.count(),
    "without_model": func.count().filter(~PredictionRow.with_model),
    "late": func.count().filter(PredictionRow.is_late),
    "settled": func.count(PredictionRow.outcome_event_id),
    "acts": func.count(PredictionRow.person_event_id),
    "wants": func.count(PredictionRow.upcoming_event_id),
    **{f"{name}_{k}": func.count().filter(rank <= k) for name, rank in RANKS.items() for k in CUTS},
}
"""What is counted of predictions, by the name of its column."""
NAMES = ("events", *COUNTED)
KEY = ("scope", "day", "version")
DAY = timedelta(days=1)
SHOWN = 60  # newest days with acts, whose rates the page shows

Key = tuple[str, str, str]
"""Scope, day in UTC, and version, which is "" for events."""
Counts = dict[Key, Counter[str]]


def count_events(session: Session, *which: ColumnElement[bool]) -> Counts:
    """Return the number of events that meet all conditions, by scope and day."""
    day = _day(_dialect(session), EventRow.at)
    found = session.execute(select(EventRow.scope, day, func.count()).where(*which).group_by(EventRow.scope, day))
    return {(scope, day, ""): Counter(events=number) for scope, day, number in found}


def count_predictions(session: Session, *which: ColumnElement[bool]) -> Counts:
    """Return the counts of the predictions that meet all conditions, by scope, day and version."""
    return _as_counts(session.execute(_counting(_dialect(session)).where(*which)))


def _counting(dialect: str) -> Select[Any]:
    key = (PredictionRow.scope, _day(dialect, PredictionRow.made_at), PredictionRow.model_version)
    return select(*key, *COUNTED.values()).group_by(*key)


def _as_counts(rows: Iterable[Any]) -> Counts:
    return {
        (scope, day, version): Counter(dict(zip(COUNTED, numbers, strict=True)))
        for scope, day, version, *numbers in rows
    }


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name


def _day(dialect: str, time: Any) -> ColumnElement[str]:
    if dialect == "sqlite":
        return func.substr(type_coerce(time, String), 1, 10)
    return func.to_char(func.timezone("UTC", time), "YYYY-MM-DD")


def add(session: Session, more: Counts, sign: int = 1) -> None:
    """Add counts to those that are kept, or subtract them if `sign` is -1."""
    for scope in sorted({scope for scope, _, _ in more}):
        lock_scope(session, scope)
    rows = [
        dict(zip(KEY, key, strict=True)) | {name: sign * numbers[name] for name in NAMES}
        for key, numbers in sorted(more.items())
    ]
    if rows:
        execute(session, _ADDING, rows)
    if rows and sign < 0:  # delete rows that count nothing more: they would tell on which days something happened
        session.connection().execute(_EMPTY, rows)


_ADDING = build_upserts(
    DailyCountRow, KEY, lambda new: {name: getattr(DailyCountRow, name) + new[name] for name in NAMES}
)
_EMPTY = delete(DailyCountRow).where(
    *(getattr(DailyCountRow, name) == bindparam(name) for name in KEY),
    DailyCountRow.events == 0,
    DailyCountRow.predictions == 0,
)


def record_deletion(session: Session, row: type[EventRow] | type[PredictionRow], which: ColumnElement[bool]) -> None:
    """Subtract rows that are deleted next in this transaction."""
    for scope in sorted(session.scalars(select(row.scope).where(which).distinct())):
        lock_scope(session, scope)
    add(session, count_events(session, which) if row is EventRow else count_predictions(session, which), -1)


@contextmanager
def record_changes(session: Session, ids: Iterable[int]) -> Iterator[set[int]]:
    """Keep the counts right while these predictions change, whose scope is locked.

    The ids of predictions that are stored meanwhile are to be added to the set.
    """
    counted = set(ids)
    before = _count_by_id(session, counted)
    yield counted
    changed = _count_by_id(session, counted)
    for key, numbers in changed.items():
        numbers.subtract(before.get(key, {}))
    add(session, changed)


def _count_by_id(session: Session, ids: set[int]) -> Counts:
    if not ids:
        return {}
    return _as_counts(execute(session, _COUNTING_BY_ID, {"ids": sorted(ids)}))


_COUNTING_BY_ID = {
    dialect: _counting(dialect).where(PredictionRow.id.in_(bindparam("ids", expanding=True))) for dialect in INSERTS
}


def count_by_scope(session: Session) -> dict[str, dict[str, int]]:
    """Return the sum of each count over all days and versions, by scope."""
    sums = (func.sum(getattr(DailyCountRow, name)) for name in NAMES)
    found = session.execute(select(DailyCountRow.scope, *sums).group_by(DailyCountRow.scope))
    return {scope: dict(zip(NAMES, map(int, numbers), strict=True)) for scope, *numbers in found}


def count_all(session: Session) -> Counter[str]:
    """Return the sum of each count over everything."""
    return sum(map(Counter, count_by_scope(session).values()), Counter[str]())


def find_counted_days(session: Session) -> list[tuple[str, datetime]]:
    """Return pairs of scope and day: each day with counts, or from a scope's first event or prediction to its last."""
    days = {(scope, day) for scope, day in session.execute(select(DailyCountRow.scope, DailyCountRow.day))}
    for scope in find_scope_names(session):
        for row, time in ((EventRow, EventRow.at), (PredictionRow, PredictionRow.made_at)):
            first, last = (session.scalar(select(end(time)).where(row.scope == scope)) for end in (func.min, func.max))
            while first and last and first.date() <= last.date():
                days.add((scope, f"{first:%Y-%m-%d}"))
                first += DAY
    return [(scope, datetime.fromisoformat(day).replace(tzinfo=UTC)) for scope, day in sorted(days)]


def record_day(session: Session, scope: str, day: datetime) -> bool:
    """Count the rows of a day again and replace wrong counts by these; return whether the stored counts were right."""
    lock_scope(session, scope)
    kept = (DailyCountRow.scope == scope) & (DailyCountRow.day == f"{day:%Y-%m-%d}")
    before = {
        (row.scope, row.day, row.version): +Counter({name: getattr(row, name) for name in NAMES})
        for row in session.scalars(select(DailyCountRow).where(kept))
    }
    within = count_events(session, EventRow.scope == scope, EventRow.at >= day, EventRow.at < day + DAY)
    made = PredictionRow.made_at
    within |= count_predictions(session, PredictionRow.scope == scope, made >= day, made < day + DAY)
    if before == {key: +numbers for key, numbers in within.items()}:
        return True
    session.execute(delete(DailyCountRow).where(kept))
    add(session, within)
    return False


def find_daily_rates(session: Session, scope: str) -> Sequence[Any]:
    """Return day in UTC, acts, and those whose place was first and among the first three, oldest day first."""
    row = DailyCountRow
    counts = [func.sum(column) for column in (row.acts, row.place_1, row.place_3)]
    query = select(row.day, *counts).where(row.scope == scope).group_by(row.day).having(func.sum(row.acts) > 0)
    return session.execute(query.order_by(row.day.desc()).limit(SHOWN)).all()[::-1]
