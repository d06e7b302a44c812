"""Launches: how long each start of an app took, and how much it had to read from disks."""

from collections.abc import Sequence
from datetime import datetime
from statistics import median

from sqlalchemy import case, delete, select, union
from sqlalchemy.orm import Session

from db.models import EventRow, LaunchRow, LaunchSetRow
from memo.core.events import APP_OPERATIONS

KEPT = 100  # launches of each app
COLD = 0.5  # share of the launch set that a cold start reads at least
WARM = 0.1  # share of the launch set that a warm start reads at most
LEAST = 3  # launches of a kind before their median counts


def add_launch(session: Session, row: LaunchRow, kept: int = KEPT) -> None:
    """Store a launch; above `kept` of its app, delete the oldest."""
    session.add(row)
    session.flush()
    of_app = (LaunchRow.scope == row.scope, LaunchRow.app == row.app)
    newest = select(LaunchRow.id).where(*of_app).order_by(LaunchRow.at.desc(), LaunchRow.id.desc()).limit(kept)
    session.execute(delete(LaunchRow).where(*of_app, LaunchRow.id.not_in(newest.scalar_subquery())))


def find_gain(session: Session, scope: str, app: str, since: datetime, until: datetime) -> float | None:
    """Return by how many seconds an app's first launch in a time span was shorter than its median cold launch.

    Return None without such a launch, or if too few cold or warm ones were measured.
    """
    rows = find_measured(session, scope, app)
    launch = next((row for row in rows if since <= row.at <= until), None)
    others = [row for row in rows if row is not launch]
    cold, warm = (
        [row.ms for row in others if launch_kind(row) == name and row.ms is not None] for name in ("cold", "warm")
    )
    if launch is None or launch.ms is None or min(len(cold), len(warm)) < LEAST:
        return None
    return (median(cold) - launch.ms) / 1e3


def find_measured(session: Session, scope: str, app: str) -> Sequence[LaunchRow]:
    """Return the launches of an app whose duration is known, by time."""
    query = select(LaunchRow).where(LaunchRow.scope == scope, LaunchRow.app == app, LaunchRow.ms.is_not(None))
    return session.scalars(query.order_by(LaunchRow.at)).all()


def launch_kind(row: LaunchRow) -> str:
    """Return "cold" or "warm", or "" if it is in between or unknown."""
    if not row.known_bytes:
        return ""
    share = row.read_bytes / row.known_bytes
    return "cold" if share >= COLD else "warm" if share <= WARM else ""


def find_launches(session: Session, scope: str | None) -> Sequence[LaunchRow]:
    """Return the launches of a scope, or of all scopes."""
    query = select(LaunchRow)
    return session.scalars(query if scope is None else query.where(LaunchRow.scope == scope)).all()


def find_executables(session: Session) -> set[tuple[str, str]]:
    """Return the pairs of app and executable that occur in events, launches or launch sets."""
    app = case((EventRow.operation.in_(APP_OPERATIONS), EventRow.target), else_=EventRow.app)
    query = union(
        select(app, EventRow.executable).where(EventRow.executable != ""),
        select(LaunchRow.app, LaunchRow.executable),
        select(LaunchSetRow.app, LaunchSetRow.executable),
    )
    return {(app, path) for app, path in session.execute(query)}
