"""Predictions that were not sent are found by their scope: else all of a scope are looked through."""

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
