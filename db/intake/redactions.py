"""Redactions: how often each privacy rule acted on a source's events; only counts and times."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import RedactionRow
from db.upsert import build_upserts, execute


def add_redactions(session: Session, source: str, counts: Mapping[str, int]) -> None:
    """Count events on which rules acted, in the transaction of the events that were stored."""
    of_source = {"source": source, "last_at": datetime.now(UTC)}
    rows = [of_source | {"rule": rule, "events": count} for rule, count in sorted(counts.items())]
    if rows:  # every writer locks in this order
        execute(session, _ADDING, rows)


_ADDING = build_upserts(
    RedactionRow,
    ("source", "rule"),
    lambda new: {"events": RedactionRow.events + new.events, "last_at": new.last_at},
)


def count_by_rule(session: Session) -> list[dict[str, Any]]:
    """Return each rule with its number of events and the time of the last one, as JSON."""
    query = select(RedactionRow.rule, func.sum(RedactionRow.events), func.max(RedactionRow.last_at))
    found = session.execute(query.group_by(RedactionRow.rule).order_by(RedactionRow.rule))
    return [{"rule": rule, "events": events, "last_at": last_at.isoformat()} for rule, events, last_at in found]


def count_by_source(session: Session) -> dict[str, dict[str, int]]:
    """Return the number of events of each rule, by source."""
    found: dict[str, dict[str, int]] = {}
    for row in session.scalars(select(RedactionRow).order_by(RedactionRow.rule)):
        found.setdefault(row.source, {})[row.rule] = row.events
    return found
