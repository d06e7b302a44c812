"""Names in predictions by day, which `memo forget` looks up instead of reading all predictions.

A scratch table holds the id up to which predictions are read, until all are.
"""

import json
import time
from collections.abc import Iterator
from itertools import chain
from typing import Any

import sqlalchemy as sa
from alembic import op

from db import migrations
from db.migrations import Unfinished

revision = "0020"
down_revision = "0019"

KEY = ("scope", "operation", "place", "target", "day")
READ = "predicted_names_read"  # the scratch table
DAY = {"sqlite": "substr(made_at, 1, 10)", "postgresql": "to_char(made_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"}
LISTS = ("places", "candidates", "upcoming", "person")
PART = 50  # predictions read at once


def upgrade() -> None:
    """Apply: make the tables, and read predictions until this takes long."""
    connection, deadline = op.get_bind(), time.monotonic() + migrations.BATCH_S
    if not sa.inspect(connection).has_table("predicted_names"):
        _make_tables()
    done, last = (
        connection.scalar(sa.text(f"SELECT coalesce(max(id), 0) FROM {name}")) for name in (READ, "predictions")
    )
    while done < last:
        done = _read(connection, done) or last  # those that were left may be pruned meanwhile
        if time.monotonic() > deadline:
            connection.execute(sa.text(f"INSERT INTO {READ} (id) VALUES (:id)"), {"id": done})
            raise Unfinished(done, last)
    op.drop_table(READ)


def _make_tables() -> None:
    op.create_table(
        "predicted_names",
        *(sa.Column(name, sa.String(), nullable=False) for name in KEY),
        sa.PrimaryKeyConstraint(*KEY, name=op.f("pk_predicted_names")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_predicted_names_scope_day"), "predicted_names", ["scope", "day"])
    op.create_table(READ, sa.Column("id", sa.Integer(), nullable=False))


def _read(connection: sa.Connection, after: int) -> int:
    """Store what the next predictions name; return the id of the last one, or 0 if there is none."""
    lists = ", ".join(f"CAST({name} AS TEXT)" for name in LISTS)
    query = f"SELECT id, scope, {DAY[connection.dialect.name]}, {lists} FROM predictions WHERE id > :after ORDER BY id"
    found = connection.execute(sa.text(f"{query} LIMIT {PART}"), {"after": after}).all()
    names = {(scope, *name, day) for _, scope, day, *lists in found for name in _names(*map(json.loads, lists))}
    if names:
        values = ", ".join(f":{name}" for name in KEY)
        insert = f"INSERT INTO predicted_names ({', '.join(KEY)}) VALUES ({values}) ON CONFLICT DO NOTHING"
        connection.execute(sa.text(insert), [dict(zip(KEY, name, strict=True)) for name in sorted(names)])
    return int(found[-1].id) if found else 0


def _names(places: list[dict[str, Any]], *lists: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    for entry in chain(*lists):
        action = entry["action"]
        yield action["operation"], action["place"], action["target"]
    for place in places:
        yield place["operation"], place["name"], ""
