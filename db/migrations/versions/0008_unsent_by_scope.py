"""Index of unpublished predictions by scope, without which all predictions of a scope are read."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

UNSENT = sa.text("published_at IS NULL")


def upgrade() -> None:
    """Apply."""
    op.drop_index("ix_predictions_unsent", "predictions")
    op.create_index(
        "ix_predictions_unsent", "predictions", ["scope", "id"], sqlite_where=UNSENT, postgresql_where=UNSENT
    )
