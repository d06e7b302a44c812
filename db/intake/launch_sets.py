"""Launch sets: the files that the present version of each app reads when it starts."""

from collections.abc import Iterator

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.models import LaunchSetRow
from memo.desktop.launch_sets import LaunchSet, as_dict, from_dict

MAX_SETS = 200  # apps of a scope


def find_launch_set(session: Session, scope: str, app: str) -> LaunchSet | None:
    """Return the launch set of an app, or None if no launch was inspected."""
    row = session.get(LaunchSetRow, (scope, app))
    return as_launch_set(row) if row else None


def find_launch_sets(session: Session, scope: str | None) -> Iterator[tuple[LaunchSetRow, LaunchSet]]:
    """Yield the launch sets of a scope, or of all scopes, each with its row."""
    query = select(LaunchSetRow)
    for row in session.scalars(query if scope is None else query.where(LaunchSetRow.scope == scope)):
        yield row, as_launch_set(row)


def record_launch_set(
    session: Session, scope: str, learned: LaunchSet, before: LaunchSet | None, max_sets: int = MAX_SETS
) -> None:
    """Store what was learned on top of `before`; above `max_sets`, evict the app that was inspected longest ago.

    Do nothing if `before` is no longer in the store: it was forgotten meanwhile, and `learned` contains it.
    """
    if find_launch_set(session, scope, learned.app) != before:
        return
    session.merge(LaunchSetRow(scope=scope, **as_dict(learned) | {"at": learned.at}))
    session.flush()
    newest = select(LaunchSetRow.app).where(LaunchSetRow.scope == scope).order_by(LaunchSetRow.at.desc())
    kept = newest.limit(max_sets).scalar_subquery()
    session.execute(delete(LaunchSetRow).where(LaunchSetRow.scope == scope, LaunchSetRow.app.not_in(kept)))


def as_launch_set(row: LaunchSetRow) -> LaunchSet:
    """Return the launch set of a row."""
    columns = ("app", "executable", "version", "days", "files", "bytes")
    return from_dict({name: getattr(row, name) for name in columns} | {"at": row.at.isoformat()})
