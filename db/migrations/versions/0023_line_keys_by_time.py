"""Keys of lines that begin with their second, so that the keys of new events lie together in their index.

A scratch table holds the id up to which events have such a key, until all have. What cursors remember of the last
lines is of the former form; without it, a line is not counted that repeats, in the same second, one from before.
"""

import time

import sqlalchemy as sa
from alembic import op

from db import migrations
from db.migrations import Unfinished

revision = "0023"
down_revision = "0022"

MOVED = "line_keys_moved"  # the scratch table
SECOND = {
    "sqlite": "printf('%08x', CAST(strftime('%s', substr(at, 1, 19)) AS INTEGER))",
    "postgresql": "lpad(to_hex(CAST(floor(extract(epoch FROM at)) AS bigint)), 8, '0')",
}
CURSORS = sa.table("cursors", *map(sa.column, ("source", "key")), sa.column("cursor", sa.JSON()))
PART = 200  # events changed by one statement


def upgrade() -> None:
    """Apply: change keys until this takes long."""
    connection, deadline = op.get_bind(), time.monotonic() + migrations.BATCH_S
    dialect = connection.dialect.name
    if not sa.inspect(connection).has_table(MOVED):
        op.create_table(MOVED, sa.Column("id", sa.Integer(), nullable=False))
        _clear_repeats(connection)
    done, last = (connection.scalar(sa.text(f"SELECT coalesce(max(id), 0) FROM {name}")) for name in (MOVED, "events"))
    part = sa.text(f"SELECT max(id) FROM (SELECT id FROM events WHERE id > :done ORDER BY id LIMIT {PART}) AS part")
    move = sa.text(
        f"UPDATE events SET line_key = {SECOND[dialect]} || substr(line_key, 1, 16) || substr(line_key, 25) "
        "WHERE id > :done AND id <= :end"
    )
    while done < last:
        end = connection.scalar(part, {"done": done}) or last  # those that were left may be pruned meanwhile
        connection.execute(move, {"done": done, "end": end})
        done = end
        if time.monotonic() > deadline:
            connection.execute(sa.text(f"INSERT INTO {MOVED} (id) VALUES (:id)"), {"id": done})
            raise Unfinished(done, last)
    op.drop_table(MOVED)


def _clear_repeats(connection: sa.Connection) -> None:
    """Change cursors outside of the database: functions of Postgres refuse texts that its type JSON can hold."""
    of_row = [column == sa.bindparam(f"of_{column.name}") for column in (CURSORS.c.source, CURSORS.c.key)]
    for source, key, cursor in connection.execute(sa.select(CURSORS)).all():
        changed = {"of_source": source, "of_key": key, "cursor": cursor | {"repeats": {}}}
        connection.execute(sa.update(CURSORS).where(*of_row), changed)
