"""Figures of the running stack, for `memo status`."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from db.models import EventRow, JobRow, PredictionRow, RunRow, ScopeRow
from memo.events import Operation


def figures(session: Session) -> dict[str, Any]:
    """Counts, hit rates over all settled predictions, versions, and the last runs, as JSON."""
    return {
        "events": session.scalar(select(func.count()).select_from(EventRow)) or 0,
        **_hits(session),
        "scopes": {row.name: row.active_version or "builtin" for row in session.scalars(select(ScopeRow))},
        "last_training": _last_training(session),
        "jobs": [
            {"name": job.name, "last_run": job.last_run.isoformat(), "last_result": job.last_result}
            for job in session.scalars(select(JobRow).order_by(JobRow.name))
        ],
    }


def newest(session: Session) -> tuple[int, int]:
    """Ids of the newest event and of the newest prediction, or 0."""
    return session.scalar(select(func.max(EventRow.id))) or 0, session.scalar(select(func.max(PredictionRow.id))) or 0


def events_after(session: Session, event_id: int) -> int:
    """How many events have a greater id."""
    return session.scalar(select(func.count()).where(EventRow.id > event_id)) or 0


def known_actions(session: Session) -> Iterable[Sequence[str]]:
    """Each action that is stored, once: scope, operation, target, place."""
    place = case(
        (EventRow.operation == Operation.WINDOW_FOCUS, EventRow.app),
        (EventRow.operation == Operation.FILE_ACCESS, EventRow.detail),
        else_="",
    )
    return session.execute(select(EventRow.scope, EventRow.operation, EventRow.target, place).distinct()).all()


def _hits(session: Session) -> dict[str, Any]:
    rank = PredictionRow.outcome_rank
    within = [func.sum(case((rank <= k, 1), else_=0)) for k in (1, 3, 5)]
    settled = func.count(PredictionRow.outcome_event_id)
    total, known, *hits = session.execute(select(func.count(), settled, *within)).one()
    rates = {f"hit@{k}": (hit or 0) / known if known else None for k, hit in zip((1, 3, 5), hits, strict=True)}
    return {"predictions": total, "settled": known, **rates}


def _last_training(session: Session) -> dict[str, Any] | None:
    run = session.scalar(select(RunRow).where(RunRow.kind == "train").order_by(RunRow.id.desc()).limit(1))
    if run is None:
        return None
    times = {"created_at": run.created_at, "started_at": run.started_at, "ended_at": run.ended_at}
    return {
        "state": run.state,
        "scope": run.scope,
        "version": run.version,
        "result": run.result,
        **{name: time and time.isoformat() for name, time in times.items()},
    }
