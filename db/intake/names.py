"""Names of events: each different one is found by one step in an index, however often it occurs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.intake.events import chunks
from db.intake.scopes import find_scope_names
from db.models import FOLDERS, EventRow
from memo.core.events import Operation

Column = InstrumentedAttribute[str]
NamedIn = Callable[[Operation], Mapping[str, Callable[[str], bool]]]
"""For an operation, the fields (`target`, `app`) that are looked at, each with what decides about a name there."""
MOST_NAMES = 5_000  # in one statement, as databases limit its parameters


def find_names(session: Session, scope: str, operation: Operation, column: Column) -> Sequence[str]:
    """Return the different targets or apps of a scope's events of one operation."""
    return find_distinct(session, column, (EventRow.scope == scope) & (EventRow.operation == operation.value))


def find_distinct(session: Session, column: Column, which: ColumnElement[bool]) -> Sequence[str]:
    """Return the different values of a column, in order; an index has to begin with the condition and the column."""
    names = select(func.min(column).label("name")).where(which).cte("names", recursive=True)
    later = select(func.min(column)).where(which, column > names.c.name).scalar_subquery()
    names = names.union_all(select(later).where(names.c.name.is_not(None)))
    return session.scalars(select(names.c.name).where(names.c.name.is_not(None))).all()


def find_named(session: Session, scope: str | None, named_in: NamedIn) -> ColumnElement[bool] | None:
    """Return the condition of events that are named in a field, or None if these are too many names.

    Only events of the scope, if one is given. Names of other fields are not read, as their index may lie on the disk.
    """
    conditions, count = [], 0
    for one, operation in product(find_scope_names(session, scope), Operation):
        for field, is_named in named_in(operation).items():
            column: Column = getattr(EventRow, field)
            names = list(filter(is_named, find_names(session, one, operation, column)))
            conditions += [named(one, operation, column, names)] if names else []
            count += len(names)
    return or_(false(), *conditions) if count <= MOST_NAMES else None


def named(scope: str, operation: Operation, column: Column, names: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition of events with one of these targets or apps."""
    return (EventRow.scope == scope) & (EventRow.operation == operation.value) & column.in_(names)


def count_by_text(
    session: Session, scope: str, operation: Operation, targets: Sequence[str]
) -> Iterator[Sequence[Any]]:
    """Yield target, app and detail of all events with these targets, with the number of equal ones."""
    for chunk in chunks(targets):
        texts = select(EventRow.target, EventRow.app, EventRow.detail)
        found = texts.where(named(scope, operation, EventRow.target, chunk)).cte("found")
        found = found.prefix_with("MATERIALIZED")  # else SQLite reads all events in the order of the groups
        yield from session.execute(select(*found.c, func.count()).group_by(*found.c))


def count_by_place(
    session: Session, scope: str, operation: Operation, places: Sequence[str]
) -> Iterator[Sequence[Any]]:
    """Yield these places, apps of windows or folders of files, with the number of events there."""
    for chunk in chunks(places):
        place, which = EventRow.app, named(scope, operation, EventRow.app, chunk)
        if operation is Operation.FILE_ACCESS:
            place, which = EventRow.detail, and_(EventRow.scope == scope, FOLDERS, EventRow.detail.in_(chunk))
        yield from session.execute(select(place, func.count()).where(which).group_by(place))
