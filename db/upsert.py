"""Statements that differ between the databases, such as INSERT with what happens to a row that is there already.

They are built once, as building one takes longer than running it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

INSERTS: dict[str, Callable[..., Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
Statements = Mapping[str, Executable]
"""By the name of the dialect."""


def build_inserts(build: Callable[[Callable[..., Any]], Executable]) -> Statements:
    """Return what `build` makes of each dialect's `insert`."""
    return {dialect: build(insert) for dialect, insert in INSERTS.items()}


def execute(session: Session, statements: Statements, values: dict[str, Any] | Sequence[Any]) -> CursorResult[Any]:
    """Run the statement of the session's dialect, past the ORM."""
    connection = session.connection()
    return connection.execute(statements[connection.dialect.name], values)
