"""What was wanted next, in predictions and in the views of them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

PREDICTION_HISTORY = """
CREATE VIEW prediction_history AS
SELECT p.id, p.scope, p.made_at, p.last_event_id, p.model_version,
       p.operation AS action, p.target, p.app, p.probability, p.expected_at, p.latency_ms,
       p.outcome_operation AS outcome_action, p.outcome_target, p.outcome_rank,
       (SELECT count(*) FROM dispatches d WHERE d.prediction_id = p.id AND d.status = 'done') AS dispatched,
       p.places, p.new_place, p.person,
       e.operation AS person_action, e.target AS person_target, e.app AS person_app,
       p.place_rank, p.person_rank, p.is_late,
       p.upcoming, w.operation AS upcoming_action, w.target AS upcoming_target, w.app AS upcoming_app, p.upcoming_rank
FROM predictions p LEFT JOIN events e ON e.id = p.person_event_id LEFT JOIN events w ON w.id = p.upcoming_event_id
"""
PREDICTION_UPCOMING_OUTCOMES = """
CREATE VIEW prediction_upcoming_outcomes AS
SELECT p.id, e.scope, p.upcoming_rank,
       e.seq AS event_seq, e.at AS event_at, e.utc_offset_s AS event_utc_offset_s,
       e.operation AS event_operation, e.target AS event_target, e.app AS event_app, e.detail AS event_detail
FROM predictions p JOIN events e ON e.id = p.upcoming_event_id AND e.scope = p.scope
"""


def upgrade() -> None:
    """Apply."""
    op.execute("DROP VIEW prediction_history")
    for column in ("upcoming_event_id", "upcoming_rank"):
        op.add_column("predictions", sa.Column(column, sa.Integer(), nullable=True))
    op.create_index(op.f("ix_predictions_upcoming_event_id"), "predictions", ["upcoming_event_id"])
    for view in (PREDICTION_HISTORY, PREDICTION_UPCOMING_OUTCOMES):
        op.execute(view)
