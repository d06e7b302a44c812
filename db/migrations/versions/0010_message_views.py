"""Views of everything in a prediction message, so that subscribers read the store without MEMO's tables."""

from alembic import op

revision = "0010"
down_revision = "0009"

EVENT = """
       e.seq AS event_seq, e.at AS event_at, e.utc_offset_s AS event_utc_offset_s,
       e.operation AS event_operation, e.target AS event_target, e.app AS event_app, e.detail AS event_detail
"""
PREDICTION_MESSAGES = f"""
CREATE VIEW prediction_messages AS
SELECT p.id, e.scope, p.made_at, p.published_at, p.model_version,
       p.candidates, p.upcoming, p.new_probability, p.latency_ms, {EVENT}
FROM predictions p JOIN events e ON e.id = p.last_event_id
"""
PREDICTION_OUTCOMES = f"""
CREATE VIEW prediction_outcomes AS
SELECT p.id, e.scope, p.outcome_rank, {EVENT}
FROM predictions p JOIN events e ON e.id = p.outcome_event_id AND e.scope = p.scope
"""


def upgrade() -> None:
    """Apply."""
    op.execute(PREDICTION_MESSAGES)
    op.execute(PREDICTION_OUTCOMES)
