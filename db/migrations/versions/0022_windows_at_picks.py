"""How many windows were open at a pick: from among how many it saved the person to search."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Apply."""
    op.add_column("feedback", sa.Column("windows", sa.Integer(), nullable=True))
