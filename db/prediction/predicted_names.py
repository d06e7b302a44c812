"""Which actions the predictions of each day name, so that a forget need not read all predictions.

A day's rows are written with its predictions. They may name more than these do by now, never less.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, select, true, tuple_
from sqlalchemy.orm import Session

from db.intake.events import chunks
from db.intake.names import find_distinct
from db.intake.scopes import find_scope_names, lock_scope
from db.models import PredictedNameRow, PredictionRow
from db.upsert import build_inserts, execute
from memo.core.events import Operation
from memo.core.predictions import place_from_dict

Name = tuple[str, str, str]
"""Operation, place and target of an action; of a place in an answer, its name and no target."""
Day = tuple[str, str]
"""Scope and day in UTC."""
Which = ColumnElement[bool]
"""Condition of rows."""
LISTS = (PredictionRow.places, PredictionRow.candidates, PredictionRow.upcoming, PredictionRow.person)


def record_names(session: Session, row: PredictionRow) -> None:
    """Store what a prediction, which was just stored, names beyond the one before it on the same day."""
    day = _day(row.made_at)
    before = {"scope": row.scope, "begin": _begin(day), "end": _begin(day) + timedelta(days=1), "id": row.id}
    last = session.connection().execute(_LAST, before).first()
    new = _names(*(getattr(row, column.key) or [] for column in LISTS)) - (_names(*last) if last else set())
    _add(session, row.scope, day, new)


_LAST = (
    select(*LISTS)
    .where(PredictionRow.scope == bindparam("scope"), PredictionRow.id < bindparam("id"))
    .where(PredictionRow.made_at >= bindparam("begin"), PredictionRow.made_at < bindparam("end"))
    .order_by(PredictionRow.made_at.desc(), PredictionRow.id.desc())
    .limit(1)
)


def _add(session: Session, scope: str, day: str, names: set[Name]) -> int:
    """Store the names that are new on a day; return their number."""
    of_day = {"scope": scope, "day": day}
    rows = [dict(zip(("operation", "place", "target"), name, strict=True), **of_day) for name in sorted(names)]
    return execute(session, _ADDING, rows).rowcount if rows else 0


_ADDING = build_inserts(lambda insert: insert(PredictedNameRow).on_conflict_do_nothing())


def find_unrecorded(session: Session, scope: str, day: str) -> list[int]:
    """Return the predictions of a day that name what no row does, as an earlier version of MEMO may have made them."""
    kept = _find_kept(session, scope, day)
    found = find_entries(session, made_on(scope, day))
    return [number for number, _, *lists in found if not _names(*lists) <= kept]


def record_unrecorded(session: Session, scope: str, day: str, ids: Sequence[int]) -> int:
    """Store what these predictions of a day name; return how many names were missing."""
    lock_scope(session, scope)
    found = session.execute(select(*LISTS).where(PredictionRow.id.in_(ids)))
    return _add(session, scope, day, {name for lists in found for name in _names(*lists)})


def _names(places: list[dict[str, Any]], *lists: list[dict[str, Any]]) -> set[Name]:
    actions = (entry["action"] for entry in chain(*lists))
    names = {(action["operation"], action["place"], action["target"]) for action in actions}
    return names | {(*place_from_dict(place), "") for place in places}


def _day(made_at: datetime) -> str:
    return made_at.astimezone(UTC).date().isoformat()


def _begin(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def made_in(scope: str | None) -> Which:
    """Return the condition of the predictions of a scope, or of all scopes."""
    return true() if scope is None else PredictionRow.scope == scope


def made_on(scope: str, day: str) -> Which:
    """Return the condition of a scope's predictions of a day."""
    begin, made_at = _begin(day), PredictionRow.made_at
    return made_in(scope) & (made_at >= begin) & (made_at < begin + timedelta(days=1))


def find_entries(session: Session, which: Which) -> Iterator[Sequence[Any]]:
    """Yield id, scope, places, and all lists of entries with an action, of predictions."""
    query = select(PredictionRow.id, PredictionRow.scope, *LISTS).where(which)
    with session.execute(query.execution_options(yield_per=100)) as found:  # not all of it may be read
        yield from found


def find_named(
    session: Session, scope: str, operations: Iterable[Operation], is_named: Callable[[Name], bool], by_place: bool
) -> Iterator[Which]:
    """Yield conditions of the rows of a scope whose action is named and has one of these operations.

    With `by_place`, all actions at a place are named if one without a target is.
    """
    row = PredictedNameRow
    for operation in operations:
        of_operation = _of(scope, operation.value)
        for place in find_distinct(session, row.place, of_operation):
            there = of_operation & (row.place == place)
            if place and by_place:
                yield from [there] if is_named((operation, place, "")) else []
            else:
                targets = find_distinct(session, row.target, there)
                yield from _in(there, [target for target in targets if is_named((operation, place, target))])


def match_actions(actions: Iterable[tuple[str, str, str, str]]) -> Iterator[Which]:
    """Yield conditions of the rows with one of these actions (scope, operation, target, place), or their places."""
    names = {(scope, operation, place, target) for scope, operation, target, place in actions}
    names |= {(scope, operation, target, "") for scope, operation, place, target in names if not place}
    for (scope, operation, place), found in groupby(sorted(names), lambda name: name[:3]):
        there = _of(scope, operation) & (PredictedNameRow.place == place)
        yield from _in(there, [name[3] for name in found])


def _of(scope: str, operation: str) -> Which:
    return (PredictedNameRow.scope == scope) & (PredictedNameRow.operation == operation)


def _in(there: Which, targets: Sequence[str]) -> Iterator[Which]:
    return (there & PredictedNameRow.target.in_(chunk) for chunk in chunks(targets))


def find_days(session: Session, which: Iterable[Which]) -> list[Day]:
    """Return the days of the rows that meet one of the conditions."""
    days = select(PredictedNameRow.scope, PredictedNameRow.day).distinct()
    return sorted({(scope, day) for one in which for scope, day in session.execute(days.where(one))})


def find_days_of(session: Session, ids: Sequence[int]) -> set[Day]:
    """Return the days of predictions."""
    query = select(PredictionRow.scope, PredictionRow.made_at)
    rows = (session.execute(query.where(PredictionRow.id.in_(chunk))) for chunk in chunks(ids))
    return {(scope, _day(made_at)) for scope, made_at in chain.from_iterable(rows)}


def find_unnamed(session: Session, scope: str, day: str) -> tuple[list[Name], int]:
    """Return what a day's rows name and none of its predictions does, and the id of the newest prediction read."""
    names, newest = _find_kept(session, scope, day), 0
    for number, _, *lists in find_entries(session, made_on(scope, day)):
        names -= _names(*lists)
        newest = max(newest, number)
        if not names:  # as on most days of which only an event or a prediction went
            break
    return sorted(names), newest


def _find_kept(session: Session, scope: str, day: str) -> set[Name]:
    row = PredictedNameRow
    kept = select(row.operation, row.place, row.target).where(row.scope == scope, row.day == day)
    return {(operation, place, target) for operation, place, target in session.execute(kept)}


def delete_names(session: Session, scope: str, day: str, names: Sequence[Name], newest: int) -> None:
    """Delete rows of a day, unless predictions after the id `newest` name the same."""
    lock_scope(session, scope)
    for _, _, *lists in find_entries(session, made_on(scope, day) & (PredictionRow.id > newest)):
        later = _names(*lists)
        names = [name for name in names if name not in later]
    row = PredictedNameRow
    of_day, name_of = (row.scope == scope) & (row.day == day), tuple_(row.operation, row.place, row.target)
    for chunk in chunks(names):
        session.execute(delete(row).where(of_day, name_of.in_(chunk)).execution_options(synchronize_session=False))


def find_past_days(session: Session, most: int) -> list[Day]:
    """Return days of rows before the first prediction of their scope, which is locked."""
    past: list[Day] = []
    for scope in sorted(find_scope_names(session)):
        lock_scope(session, scope)
        first = session.scalar(select(func.min(PredictionRow.made_at)).where(PredictionRow.scope == scope))
        of_scope = PredictedNameRow.scope == scope
        past_it = of_scope & (PredictedNameRow.day < _day(first)) if first else of_scope
        past += [(scope, day) for day in find_distinct(session, PredictedNameRow.day, past_it)]
    return past[:most]


def delete_days(session: Session, days: Iterable[Day]) -> Counter[str]:
    """Delete all rows of these days; none of a kind that is counted."""
    for scope, day in days:
        session.execute(delete(PredictedNameRow).where(PredictedNameRow.scope == scope, PredictedNameRow.day == day))
    return Counter()
