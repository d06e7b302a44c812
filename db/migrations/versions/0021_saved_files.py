"""Store whether a file was saved: the operation stays that of the action, `file_access`; only views say `file_save`."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

TOLD = "CASE WHEN {0}.saved THEN 'file_save' ELSE {0}.operation END"
EVENT = f"""
       e.seq AS event_seq, e.at AS event_at, e.utc_offset_s AS event_utc_offset_s,
       {TOLD.format("e")} AS event_operation, e.target AS event_target, e.app AS event_app, e.detail AS event_detail
"""
VIEWS = {
    "prediction_history": f"""
SELECT p.id, p.scope, p.made_at, p.last_event_id, p.model_version,
       p.operation AS action, p.target, p.app, p.probability, p.expected_at, p.latency_ms,
       p.outcome_operation AS outcome_action, p.outcome_target, p.outcome_rank,
       (SELECT count(*) FROM dispatches d WHERE d.prediction_id = p.id AND d.status = 'done') AS dispatched,
       p.places, p.new_place, p.person,
       {TOLD.format("e")} AS person_action, e.target AS person_target, e.app AS person_app,
       p.place_rank, p.person_rank, p.is_late, p.upcoming,
       {TOLD.format("w")} AS upcoming_action, w.target AS upcoming_target, w.app AS upcoming_app, p.upcoming_rank
FROM predictions p LEFT JOIN events e ON e.id = p.person_event_id LEFT JOIN events w ON w.id = p.upcoming_event_id
""",
    "prediction_messages": f"""
SELECT p.id, e.scope, p.made_at, p.published_at, p.model_version,
       p.candidates, p.upcoming, p.new_probability, p.places, p.new_place, p.person, p.latency_ms, {EVENT}
FROM predictions p JOIN events e ON e.id = p.last_event_id
""",
    "prediction_outcomes": f"""
SELECT p.id, e.scope, p.outcome_rank, {EVENT}
FROM predictions p JOIN events e ON e.id = p.outcome_event_id AND e.scope = p.scope
""",
    "prediction_person_outcomes": f"""
SELECT p.id, e.scope, p.place_rank, p.person_rank, {EVENT}
FROM predictions p JOIN events e ON e.id = p.person_event_id AND e.scope = p.scope
""",
    "prediction_upcoming_outcomes": f"""
SELECT p.id, e.scope, p.upcoming_rank, {EVENT}
FROM predictions p JOIN events e ON e.id = p.upcoming_event_id AND e.scope = p.scope
""",
}


def upgrade() -> None:
    """Apply."""
    op.add_column("events", sa.Column("saved", sa.Boolean(), server_default=sa.false(), nullable=False))
    for name, query in VIEWS.items():
        op.execute(f"DROP VIEW {name}")
        op.execute(f"CREATE VIEW {name} AS {query}")
