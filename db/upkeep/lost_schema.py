"""Tables and columns that a store lacks, as after somebody dropped them: what they held is lost."""

from sqlalchemy import Connection, inspect

from db.engine import revision
from db.migrations import head
from db.models import Base

VERSIONS = "alembic_version"


def find_lost(connection: Connection) -> str:
    """Return which table or column is gone; "" if none is, or if there is no store of this schema.

    A database may hold tables of other programs, some of which may have the name of one of MEMO's.
    """
    inspector, tables = inspect(connection), Base.metadata.tables
    names = set(inspector.get_table_names())
    if VERSIONS not in names:
        return f"the table {VERSIONS} is gone" if names >= set(tables) else ""
    if revision(connection) != head():
        return ""
    for name, table in tables.items():
        if name not in names:
            return f"the table {name} is gone"
        found = {column["name"] for column in inspector.get_columns(name)}
        if gone := [column.name for column in table.columns if column.name not in found]:
            return f"the column {gone[0]} of the table {name} is gone"
    return ""
