"""Counts by scope, day and version, which `memo status` sums instead of counting all rows."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

COUNTED = {
    "predictions": "count(*)",
    "without_model": "sum(CASE WHEN with_model THEN 0 ELSE 1 END)",
    "late": "sum(CASE WHEN is_late THEN 1 ELSE 0 END)",
    "settled": "count(outcome_event_id)",
    "acts": "count(person_event_id)",
    "wants": "count(upcoming_event_id)",
    **{
        f"{name}_{k}": f"sum(CASE WHEN {rank}_rank <= {k} THEN 1 ELSE 0 END)"
        for name, rank in {"hit": "outcome", "place": "place", "person": "person", "upcoming": "upcoming"}.items()
        for k in (1, 3, 5)
    },
}
DAYS = {"sqlite": "substr({}, 1, 10)", "postgresql": "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD')"}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "daily_counts",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        *(sa.Column(name, sa.Integer(), server_default="0", nullable=False) for name in ("events", *COUNTED)),
        sa.PrimaryKeyConstraint("scope", "day", "version", name=op.f("pk_daily_counts")),
    )
    day = DAYS[op.get_bind().dialect.name]
    op.execute(
        "INSERT INTO daily_counts (scope, day, version, events) "
        f"SELECT scope, {day.format('at')}, '', count(*) FROM events GROUP BY 1, 2"
    )
    op.execute(
        f"INSERT INTO daily_counts (scope, day, version, {', '.join(COUNTED)}) "
        f"SELECT scope, {day.format('made_at')}, model_version, {', '.join(COUNTED.values())} "
        "FROM predictions GROUP BY 1, 2, 3"
    )
