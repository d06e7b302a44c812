"""Figures of the running stack, for `memo status`."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.dispatch import handlers
from db.intake import counts, redactions, scopes
from db.intake.counts import CUTS
from db.models import JobRow, PredictionRow, RunRow
from db.prediction import versions
from db.upkeep import runs

COUNTS = ("predictions", "without_model", "late", "settled", "acts", "wants")
ASKED = {"hit": "settled", "place": "acts", "person": "acts", "upcoming": "wants"}  # rate -> what it is a share of
RATES = [f"{name}@{k}" for name in ASKED for k in CUTS]
NOTHING: dict[str, Any] = dict.fromkeys(COUNTS, 0) | dict.fromkeys(RATES)
"""Figures of a scope without predictions."""


def find_figures(session: Session, scope: str) -> dict[str, Any]:
    """Return counts of all scopes, hit rates of `scope`, the figures of each scope, and the last runs, as JSON."""
    each = _scopes(session, scope)
    return {
        "events": sum(one["events"] for one in each.values()),
        **{name: each[scope][name] for name in NOTHING},
        "predictions": sum(one["predictions"] for one in each.values()),
        "scopes": each,
        "resting": handlers.find_all_resting(session, scope),
        "private": {one["rule"]: one["events"] for one in redactions.count_by_rule(session)},
        "last_training": _last_training(session),
        "jobs": [
            {"name": job.name, "last_run": job.last_run.isoformat(), "last_result": job.last_result}
            for job in session.scalars(select(JobRow).order_by(JobRow.name))
        ],
    }


def find_newest_id(session: Session) -> int:
    """Return the id of the newest prediction, or 0."""
    return session.scalar(select(func.max(PredictionRow.id))) or 0


def _scopes(session: Session, own: str) -> dict[str, dict[str, Any]]:
    """Return the figures of each scope, `own` first; a scope without a version is served by that of `own`."""
    names = dict.fromkeys([own, *scopes.find_scope_names(session)])
    sums = counts.count_by_scope(session)
    return {
        name: {"version": versions.find_serving_name(session, name, own), **_rates(sums.get(name, {}))}
        for name in names
    }


def _rates(sums: dict[str, int]) -> dict[str, Any]:
    """Return the numbers of a scope with its hit rates."""
    if not sums.get("predictions"):
        return NOTHING | {"events": sums.get("events", 0)}
    rates = {
        f"{name}@{k}": sums[f"{name}_{k}"] / n if (n := sums[asked]) else None
        for name, asked in ASKED.items()
        for k in CUTS
    }
    return {name: sums[name] for name in ("events", *COUNTS)} | rates


def _last_training(session: Session) -> dict[str, Any] | None:
    run = session.scalar(select(RunRow).where(RunRow.kind == runs.TRAIN).order_by(RunRow.id.desc()).limit(1))
    if run is None:
        return None
    times = {"created_at": run.created_at, "started_at": run.started_at, "ended_at": run.ended_at}
    found = {"state": run.state, "scope": run.scope, "version": run.version, "result": run.result}
    return found | {name: time and time.isoformat() for name, time in times.items()}
