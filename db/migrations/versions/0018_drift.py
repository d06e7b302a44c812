"""How served predictions did by day and version, and why history answers alone in a scope."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

FIGURES = ("hit_1", "hit_3", "log_loss", "ece", "mru_1", "mru_3", "markov1_1", "markov1_3")


def upgrade() -> None:
    """Apply."""
    op.add_column("scopes", sa.Column("history_alone", sa.String(), nullable=True))
    op.create_table(
        "served_scores",
        *(sa.Column(name, sa.String(), nullable=False) for name in ("scope", "day", "version", "view")),
        sa.Column("acts", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=False) for name in FIGURES),
        sa.PrimaryKeyConstraint("scope", "day", "version", "view", name=op.f("pk_served_scores")),
    )
