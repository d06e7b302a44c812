"""Indexes and views that a store lacks, as after somebody dropped them: they hold no rows and can be made again."""

from sqlalchemy import Connection, create_engine, inspect, text

from db import migrate

Statements = dict[str, str]
"""What makes each index and each view, by its kind and name."""


def find_unbuilt(connection: Connection) -> Statements:
    """Return what makes each index and view that a store of this program's schema lacks."""
    inspector = inspect(connection)
    indexes = {index["name"] for name in inspector.get_table_names() for index in inspector.get_indexes(name)}
    found = {f"index {name}" for name in indexes} | {f"view {name}" for name in inspector.get_view_names()}
    return {name: statement for name, statement in _find_wanted().items() if name not in found}


def build(connection: Connection, statements: Statements) -> None:
    """Make indexes and views."""
    for statement in statements.values():
        connection.exec_driver_sql(statement)


def _find_wanted() -> Statements:
    """Return what makes each index and view of a new store; the same statements do so on Postgres."""
    own = "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'view') AND sql IS NOT NULL ORDER BY rowid"
    with create_engine("sqlite://").connect() as new:
        migrate.create(new)
        return {f"{kind} {name}": statement for kind, name, statement in new.execute(text(own))}
