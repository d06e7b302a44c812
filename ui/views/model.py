"""*Model*: how often it is right, day by day and compared with a simple rule, and the versions, one of which serves."""

from typing import Any

from starlette.responses import RedirectResponse, Response

from db.intake import counts
from db.models import VersionRow
from db.page import acts
from db.page.acts import ActFilter
from db.prediction import versions
from db.store_access import writable_store
from db.upkeep import figures
from training import build_version
from training.evaluation import served
from training.evaluation.evaluate import MODEL
from training.judgement import ACTIVE, CANDIDATE, HISTORY
from ui import charts
from ui.page import Form, Visit

NEWEST = 1_000  # acts that are compared with the rule, which learns from the oldest of them
SCORES = {"hit@1": "first", "hit@3": "among three"}  # columns of a version's table
COMPARED = {CANDIDATE: "this version", ACTIVE: "the one before", HISTORY: "counting alone"}  # its rows


def show(visit: Visit) -> Response:
    """Show hit rates and versions."""
    with visit.read() as session:
        if session is None:
            return visit.show("model.html", figures=None, versions=[], serving=versions.BUILTIN)
        scope = visit.scope(session)
        found = figures.find_figures(session, visit.settings.scope)["scopes"].get(scope)
        days = counts.find_daily_rates(session, scope)
        newest = acts.find_acts(session, scope, ActFilter(), NEWEST)
        judged = list(served.judge(served.read_acts(newest)))
        rows = versions.find_versions(session)
        serving = versions.find_serving_name(session, scope, visit.settings.scope)
    compared, beside = served.compare(judged), served.share_by_day(judged, MODEL, served.RULE)
    return visit.show(
        "model.html",
        figures=found,
        days=days,
        lines=[charts.line([day[column] / day[1] for day in days]) for column in (2, 3)],
        compared=compared,
        beside=beside,
        beside_lines=[charts.line([day.shares[column] for day in beside]) for column in (0, 2)],
        calibration=charts.points(compared.bins) if compared else [],
        versions=[_as_row(row) for row in rows],
        scores=SCORES,
        serving=serving,
    )


def activate(visit: Visit, form: Form) -> Response:
    """Let a version serve from the next prediction on."""
    with writable_store(visit.settings, visit.home) as store, store.write() as session:
        build_version.activate(session, visit.settings.scope, form.get("version", ""))
    return RedirectResponse("/model#versions", 303)


def roll_back(visit: Visit, _form: Form) -> Response:
    """Let the version before serve again."""
    with writable_store(visit.settings, visit.home) as store, store.write() as session:
        build_version.roll_back(session, visit.settings.scope)
    return RedirectResponse("/model#versions", 303)


def _as_row(version: VersionRow) -> dict[str, Any]:
    """Return a version with its scores of the next place, and those of what it was compared with."""
    table = dict(version.metrics.get("judged", {}).get("table", {}).get("place", {}))
    if CANDIDATE not in table:  # not judged, judged by too few acts, or by an earlier version of MEMO
        return {"row": version, "tables": {}}
    acts = table[CANDIDATE]["n"]
    named = {words: table.pop(name) for name, words in COMPARED.items()}
    named["the best simple rule"] = max(table.values(), key=lambda scores: scores["hit@1"])
    return {"row": version, "tables": named, "events": version.metrics["events"], "acts": acts}
