"""Indexes of names: whether something was seen before is asked for each attempt, and by `memo forget`."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

PROGRAMS = sa.text("executable <> ''")


def upgrade() -> None:
    """Apply."""
    op.create_index(op.f("ix_events_scope_operation_target"), "events", ["scope", "operation", "target"])
    op.create_index(op.f("ix_events_scope_operation_app"), "events", ["scope", "operation", "app"])
    programs = ["scope", "operation", "target", "at"]
    op.create_index("ix_events_programs", "events", programs, sqlite_where=PROGRAMS, postgresql_where=PROGRAMS)
