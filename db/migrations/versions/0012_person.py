"""What the person does next, in predictions and in the views of them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

PREDICTION_HISTORY = """
CREATE VIEW prediction_history AS
SELECT p.id, p.scope, p.made_at, p.last_event_id, p.model_version,
       p.operation AS action, p.target, p.app, p.probability, p.expected_at, p.latency_ms,
       p.outcome_operation AS outcome_action, p.outcome_target, p.outcome_rank,
       (SELECT count(*) FROM dispatches d WHERE d.prediction_id = p.id AND d.status = 'done') AS dispatched,
       p.places, p.new_place, p.person,
       e.operation AS person_action, e.target AS person_target, e.app AS person_app,
       p.place_rank, p.person_rank, p.is_late
FROM predictions p LEFT JOIN events e ON e.id = p.person_event_id
"""
EVENT = """
       e.seq AS event_seq, e.at AS event_at, e.utc_offset_s AS event_utc_offset_s,
       e.operation AS event_operation, e.target AS event_target, e.app AS event_app, e.detail AS event_detail
"""
PREDICTION_MESSAGES = f"""
CREATE VIEW prediction_messages AS
SELECT p.id, e.scope, p.made_at, p.published_at, p.model_version,
       p.candidates, p.upcoming, p.new_probability, p.places, p.new_place, p.person, p.latency_ms, {EVENT}
FROM predictions p JOIN events e ON e.id = p.last_event_id
"""
PREDICTION_PERSON_OUTCOMES = f"""
CREATE VIEW prediction_person_outcomes AS
SELECT p.id, e.scope, p.place_rank, p.person_rank, {EVENT}
FROM predictions p JOIN events e ON e.id = p.person_event_id AND e.scope = p.scope
"""


def upgrade() -> None:
    """Apply."""
    for view in ("prediction_history", "prediction_messages"):
        op.execute(f"DROP VIEW {view}")
    for column in (
        sa.Column("places", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("new_place", sa.Double(), server_default="1", nullable=False),
        sa.Column("person", sa.JSON(), server_default="[]", nullable=False),
        sa.Column("person_event_id", sa.Integer(), nullable=True),
        sa.Column("place_rank", sa.Integer(), nullable=True),
        sa.Column("person_rank", sa.Integer(), nullable=True),
        sa.Column("is_late", sa.Boolean(), server_default=sa.false(), nullable=False),
    ):
        op.add_column("predictions", column)
    op.create_index(op.f("ix_predictions_person_event_id"), "predictions", ["person_event_id"])
    for view in (PREDICTION_HISTORY, PREDICTION_MESSAGES, PREDICTION_PERSON_OUTCOMES):
        op.execute(view)
