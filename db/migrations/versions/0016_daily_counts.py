"""Counts by scope, day and version, which `memo status` sums instead of counting all rows.

The days of each scope are counted in order, so that the newest counted day tells what is left.
"""

import time
from datetime import date

import sqlalchemy as sa
from alembic import op

from db import migrations
from db.migrations import Unfinished

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
TIMES = {"events": "at", "predictions": "made_at"}
DAYS = {"sqlite": "substr({}, 1, 10)", "postgresql": "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD')"}
BOUND = {"sqlite": ":{}", "postgresql": "CAST(:{} AS timestamptz)"}
BEGIN, END = " 00:00+00", " 23:59:59.999999+00"  # of a day; as text, too, all its times are between them


def upgrade() -> None:
    """Apply: make the table, and count days until this takes long."""
    if not sa.inspect(op.get_bind()).has_table("daily_counts"):
        _make_table()
    deadline = time.monotonic() + migrations.BATCH_S
    for scope in _values("SELECT name FROM scopes ORDER BY name"):
        while day := _next_day(scope):
            _count(scope, day)
            if time.monotonic() > deadline:
                raise Unfinished(*_progress())


def _make_table() -> None:
    op.create_table(
        "daily_counts",
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        *(sa.Column(name, sa.Integer(), server_default="0", nullable=False) for name in ("events", *COUNTED)),
        sa.PrimaryKeyConstraint("scope", "day", "version", name=op.f("pk_daily_counts")),
    )


def _values(query: str, **given: str) -> list[str]:
    return list(op.get_bind().scalars(sa.text(query), given))


def _counted(scope: str) -> str:
    """Return the newest day that is counted, or one before all."""
    return _values("SELECT coalesce(max(day), '0001-01-01') FROM daily_counts WHERE scope = :scope", scope=scope)[0]


def _next_day(scope: str) -> str | None:
    return min(_days(scope, "ASC", f"{_counted(scope)}{END}"), default=None)


def _days(scope: str, order: str, after: str) -> list[str]:
    """Return the first day of events, and that of predictions, in this order and after a time."""
    dialect, found = op.get_bind().dialect.name, []
    for table, at in TIMES.items():
        after_it = f"WHERE scope = :scope AND {at} > {BOUND[dialect].format('after')} ORDER BY {at} {order} LIMIT 1"
        found += _values(f"SELECT {DAYS[dialect].format(at)} FROM {table} {after_it}", scope=scope, after=after)
    return found


def _count(scope: str, day: str) -> None:
    bounds = [BOUND[op.get_bind().dialect.name].format(name) for name in ("begin", "end")]
    for names, key, counts, (table, at) in (
        ("events", "''", "count(*)", ("events", "at")),
        (", ".join(COUNTED), "model_version", ", ".join(COUNTED.values()), ("predictions", "made_at")),
    ):
        query = (
            f"INSERT INTO daily_counts (scope, day, version, {names}) SELECT scope, :day, {key}, {counts} FROM {table} "
            f"WHERE scope = :scope AND {at} BETWEEN {bounds[0]} AND {bounds[1]} GROUP BY 1, 2, 3"
        )
        given = {"scope": scope, "day": day, "begin": f"{day}{BEGIN}", "end": f"{day}{END}"}
        op.get_bind().execute(sa.text(query), given)


def _progress() -> tuple[int, int]:
    """Return how many days up to the last one of each scope are counted, and how many there are."""
    done, total = 0, 0
    for scope in _values("SELECT name FROM scopes"):
        first, last = (_days(scope, order, f"0001-01-01{BEGIN}") for order in ("ASC", "DESC"))
        if first:
            begin, end, counted = map(date.toordinal, map(date.fromisoformat, (min(first), max(last), _counted(scope))))
            done, total = done + max(0, counted - begin + 1), total + end - begin + 1
    return done, total
