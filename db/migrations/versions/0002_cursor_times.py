"""Time at which a cursor last moved."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply."""
    moved_at = sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True)
    op.add_column("cursors", moved_at)
    op.execute(sa.update(sa.table("cursors", sa.column("moved_at", moved_at.type))).values(moved_at=datetime.now(UTC)))
    with op.batch_alter_table("cursors") as cursors:
        cursors.alter_column("moved_at", nullable=False)
