"""*Model*: how often it is right, day by day, and the versions, one of which serves."""

from starlette.responses import RedirectResponse, Response

from db.page import rates
from db.prediction import versions
from db.store_access import writable_store
from db.upkeep import figures
from training import build_version
from ui import charts
from ui.page import Visit


def show(visit: Visit) -> Response:
    """Show hit rates and versions."""
    with visit.read() as session:
        if session is None:
            return visit.show("model.html", figures=None, versions=[], days=[], lines=[], serving=versions.BUILTIN)
        scope = visit.scope(session)
        found = figures.find_figures(session, visit.settings.scope)["scopes"].get(scope)
        days = rates.find_daily_rates(session, scope)
        rows, serving = versions.find_versions(session), versions.find_serving(session, scope, visit.settings.scope)
    lines = [charts.line([day[column] / day[1] for day in days]) for column in (2, 3)]
    name = serving.id if serving else versions.BUILTIN
    return visit.show("model.html", figures=found, versions=rows, days=days, lines=lines, serving=name)


def activate(visit: Visit, form: dict[str, str]) -> Response:
    """Let a version serve from the next prediction on."""
    with writable_store(visit.settings, visit.home) as store, store.write() as session:
        build_version.activate(session, visit.settings.scope, form.get("version", ""))
    return RedirectResponse("/model", 303)
