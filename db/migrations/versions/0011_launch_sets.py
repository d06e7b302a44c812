"""Launch sets, which were JSON files; `db.migrate` reads those once."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "launch_sets",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("app", sa.String(), nullable=False),
        sa.Column("executable", sa.String(), nullable=False),
        sa.Column("version", sa.JSON(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("days", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("scope", "app", name=op.f("pk_launch_sets")),
    )
