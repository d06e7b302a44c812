"""Redactions: how often each privacy rule acted on what a source noticed; counts and times alone."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.models import RedactionRow


def add(session: Session, source: str, counts: Mapping[str, int]) -> None:
    """Count events on which rules acted, in the transaction of those that were stored."""
    now = datetime.now(UTC)
    for rule, count in sorted(counts.items()):  # one order of locks for all
        row = _locked(session, source, rule, now)
        row.events += count
        row.last_at = now


def _locked(session: Session, source: str, rule: str, now: datetime) -> RedactionRow:
    row = session.get(RedactionRow, (source, rule), with_for_update=True)
    if row is None:
        with suppress(IntegrityError), session.begin_nested():  # another may make it at the same moment
            session.add(RedactionRow(source=source, rule=rule, events=0, last_at=now))
        row = session.get_one(RedactionRow, (source, rule), with_for_update=True)
    return row


def everything(session: Session) -> Sequence[RedactionRow]:
    """All counts, by source and rule."""
    return session.scalars(select(RedactionRow).order_by(RedactionRow.source, RedactionRow.rule)).all()
