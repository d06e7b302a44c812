"""Covering index for the hourly budget, which each attempt asks for."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Apply."""
    op.drop_index("ix_dispatches_scope_handler_at", "dispatches")
    op.create_index(
        "ix_dispatches_scope_handler_at_status_read_bytes",
        "dispatches",
        ["scope", "handler", "at", "status", "read_bytes"],
    )
