"""Indexes for the predictions that are deleted with an event."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_predictions_last_event_id", "predictions", ["last_event_id"])
    op.create_index("ix_predictions_outcome_event_id", "predictions", ["outcome_event_id"])
