"""Figures of the running stack, for `memo status`."""

from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from db.dispatch import handlers
from db.intake import redactions
from db.models import EventRow, JobRow, PredictionRow, RunRow, ScopeRow
from db.prediction.versions import BUILTIN

CUTS = (1, 3, 5)  # k of hit@k
COUNTS = ("predictions", "without_model", "late", "settled", "acts", "wants")
RANKS = {
    "hit": PredictionRow.outcome_rank,
    "place": PredictionRow.place_rank,
    "person": PredictionRow.person_rank,
    "upcoming": PredictionRow.upcoming_rank,
}
RATES = [f"{name}@{k}" for name in RANKS for k in CUTS]
NOTHING: dict[str, Any] = dict.fromkeys(COUNTS, 0) | dict.fromkeys(RATES)
"""Figures of a scope without predictions."""


def find_figures(session: Session, scope: str) -> dict[str, Any]:
    """Return counts of all scopes, hit rates of `scope`, the figures of each scope, and the last runs, as JSON."""
    scopes = _scopes(session, scope)
    return {
        "events": sum(one["events"] for one in scopes.values()),
        **{name: scopes[scope][name] for name in NOTHING},
        "predictions": sum(one["predictions"] for one in scopes.values()),
        "scopes": scopes,
        "resting": handlers.find_all_resting(session, scope),
        "private": {one["rule"]: one["events"] for one in redactions.count_by_rule(session)},
        "last_training": _last_training(session),
        "jobs": [
            {"name": job.name, "last_run": job.last_run.isoformat(), "last_result": job.last_result}
            for job in session.scalars(select(JobRow).order_by(JobRow.name))
        ],
    }


def find_newest_ids(session: Session) -> tuple[int, int]:
    """Return the ids of the newest event and the newest prediction, or 0."""
    return session.scalar(select(func.max(EventRow.id))) or 0, session.scalar(select(func.max(PredictionRow.id))) or 0


def count_events_after(session: Session, event_id: int) -> int:
    """Return the number of events with a greater id."""
    return session.scalar(select(func.count()).where(EventRow.id > event_id)) or 0


def _scopes(session: Session, own: str) -> dict[str, dict[str, Any]]:
    """Return the figures of each scope, `own` first; a scope without a version is served by that of `own`."""
    active = {own: None} | {row.name: row.active_version for row in session.scalars(select(ScopeRow))}
    counts = select(EventRow.scope, func.count()).group_by(EventRow.scope)
    events = {scope: count for scope, count in session.execute(counts)}
    hits = _hits(session)
    return {
        name: {"version": version or active[own] or BUILTIN, "events": events.get(name, 0), **hits.get(name, NOTHING)}
        for name, version in active.items()
    }


def _hits(session: Session) -> dict[str, dict[str, Any]]:
    row = PredictionRow
    counts = [
        func.count(),
        func.sum(case((row.with_model, 0), else_=1)),
        func.sum(case((row.is_late, 1), else_=0)),
        func.count(row.outcome_event_id),
        func.count(row.person_event_id),
        func.count(row.upcoming_event_id),
    ]
    within = [func.sum(case((rank <= k, 1), else_=0)) for rank in RANKS.values() for k in CUTS]
    found = {}
    for scope, *figures in session.execute(select(row.scope, *counts, *within).group_by(row.scope)):
        named = dict(zip(COUNTS, figures, strict=False))
        asked = {"hit": named["settled"], "place": named["acts"], "person": named["acts"], "upcoming": named["wants"]}
        hits = zip(RATES, figures[len(COUNTS) :], strict=True)
        rates = {name: hit / n if (n := asked[name.partition("@")[0]]) else None for name, hit in hits}
        found[scope] = named | rates
    return found


def _last_training(session: Session) -> dict[str, Any] | None:
    run = session.scalar(select(RunRow).where(RunRow.kind == "train").order_by(RunRow.id.desc()).limit(1))
    if run is None:
        return None
    times = {"created_at": run.created_at, "started_at": run.started_at, "ended_at": run.ended_at}
    found = {"state": run.state, "scope": run.scope, "version": run.version, "result": run.result}
    return found | {name: time and time.isoformat() for name, time in times.items()}
