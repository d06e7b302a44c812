"""Indexes of names: whether something was seen before is asked for each attempt, and by `memo forget`."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

FOLDERS = sa.text("operation = 'file_access'")
PROGRAMS = sa.text("executable <> ''")


def upgrade() -> None:
    """Apply."""
    for name in ("target", "app"):  # with the time, or SQLite prefers the index of times where one is given
        op.create_index(op.f(f"ix_events_scope_operation_{name}_at"), "events", ["scope", "operation", name, "at"])
    op.create_index("ix_events_folders", "events", ["scope", "detail"], sqlite_where=FOLDERS, postgresql_where=FOLDERS)
    programs = ["scope", "operation", "target", "at"]
    op.create_index("ix_events_programs", "events", programs, sqlite_where=PROGRAMS, postgresql_where=PROGRAMS)
