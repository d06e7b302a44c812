"""The line in which a suggestion stood that was picked or passed over."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Apply."""
    op.add_column("feedback", sa.Column("line", sa.Integer(), nullable=True))
