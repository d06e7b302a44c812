"""Where the store got its id, so that a copy of the store gets an id of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Apply."""
    op.add_column("store_identity", sa.Column("file", sa.String(), nullable=True))
