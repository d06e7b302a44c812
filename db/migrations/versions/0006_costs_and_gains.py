"""Costs, outcomes and gains of dispatches, and paused handlers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

OPEN = sa.text("outcome IS NULL AND until IS NOT NULL AND status IN ('done', 'dry')")


def upgrade() -> None:
    """Apply."""
    for column in (
        sa.Column("action_key", sa.String(), server_default="", nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cost_ms", sa.Double(), server_default="0", nullable=False),
        sa.Column("read_bytes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("gain_s", sa.Double(), nullable=True),
    ):
        op.add_column("dispatches", column)
    op.create_index(op.f("ix_dispatches_scope_handler_at"), "dispatches", ["scope", "handler", "at"])
    by_action = ["scope", "handler", "action_key", "at"]
    op.create_index(op.f("ix_dispatches_scope_handler_action_key_at"), "dispatches", by_action)
    op.create_index("ix_dispatches_open", "dispatches", ["scope"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_table(
        "handlers",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("handler", sa.String(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "handler", name=op.f("pk_handlers")),
    )
