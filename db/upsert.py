"""Statements that differ between the databases, such as INSERT with what happens to a row that is there already.

They are built once, as building one takes longer than running it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

INSERTS: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
Statements = Mapping[str, Executable]
"""By the name of the dialect."""


def build_inserts(build: Callable[[Callable[..., Any]], Executable]) -> Statements:
    """Return what `build` makes of each dialect's `insert`."""
    return {dialect: build(insert) for dialect, insert in INSERTS.items()}


def build_upserts(row: type[Any], key: Sequence[str], change: Callable[[Any], Mapping[str, Any]]) -> Statements:
    """Return statements that insert a row or change the one with its key; `change` is given the new values."""

    def build(insert: Callable[..., Any]) -> Executable:
        inserting = insert(row)
        return cast(Executable, inserting.on_conflict_do_update(index_elements=key, set_=change(inserting.excluded)))

    return build_inserts(build)


def execute(session: Session, statements: Statements, values: dict[str, Any] | Sequence[Any]) -> CursorResult[Any]:
    """Run the statement of the session's dialect, past the ORM."""
    connection = session.connection()
    return connection.execute(statements[connection.dialect.name], values)
