"""Indexes of names: whether something was seen before is asked for each attempt, and by `memo forget`.

Each index takes a transaction of its own, which SQLite can't divide.
"""

import sqlalchemy as sa
from alembic import op

from db.migrations import Unfinished

revision = "0015"
down_revision = "0014"

FOLDERS = sa.text("operation = 'file_access'")
PROGRAMS = sa.text("executable <> ''")
INDEXES = {  # names with the time, or SQLite prefers the index of times where one is given
    "ix_events_scope_operation_target_at": (["scope", "operation", "target", "at"], None),
    "ix_events_scope_operation_app_at": (["scope", "operation", "app", "at"], None),
    "ix_events_folders": (["scope", "detail"], FOLDERS),
    "ix_events_programs": (["scope", "operation", "target", "at"], PROGRAMS),
}


def upgrade() -> None:
    """Apply one of what is left."""
    made = {index["name"] for index in sa.inspect(op.get_bind()).get_indexes("events")}
    name, *others = (name for name in INDEXES if name not in made)
    columns, where = INDEXES[name]
    op.create_index(op.f(name), "events", columns, sqlite_where=where, postgresql_where=where)
    if others:
        raise Unfinished(len(INDEXES) - len(others), len(INDEXES))
