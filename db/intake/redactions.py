"""Redactions: how often each privacy rule acted on a source's events; only counts and times."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.models import RedactionRow


def add_redactions(session: Session, source: str, counts: Mapping[str, int]) -> None:
    """Count events on which rules acted, in the transaction of the events that were stored."""
    now = datetime.now(UTC)
    for rule, count in sorted(counts.items()):  # every writer locks in this order
        row = _locked(session, source, rule, now)
        row.events += count
        row.last_at = now


def _locked(session: Session, source: str, rule: str, now: datetime) -> RedactionRow:
    row = session.get(RedactionRow, (source, rule), with_for_update=True)
    if row is None:
        with suppress(IntegrityError), session.begin_nested():  # another transaction may insert it meanwhile
            session.add(RedactionRow(source=source, rule=rule, events=0, last_at=now))
        row = session.get_one(RedactionRow, (source, rule), with_for_update=True)
    return row


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
