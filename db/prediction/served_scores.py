"""How well served predictions foresaw what a person did, by local day, version and view; kept for good."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import ServedScoreRow


def record_scores(session: Session, rows: Iterable[ServedScoreRow]) -> None:
    """Store scores, in place of those of the same day."""
    for row in rows:
        session.merge(row)


def find_scores(session: Session, scope: str, view: str) -> Sequence[ServedScoreRow]:
    """Return a scope's scores in a view, oldest day first."""
    row = ServedScoreRow
    query = select(row).where(row.scope == scope, row.view == view).order_by(row.day, row.version)
    return session.scalars(query).all()
