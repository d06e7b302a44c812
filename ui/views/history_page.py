"""*History*: what the person did and whether it was foreseen, filtered and in pages, and why it was predicted."""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from data.importers.cells import harmless
from db.intake import events
from db.page import acts
from db.page.acts import ActFilter, Position
from memo.core.errors import UsageError
from memo.core.events import HUMAN, Operation
from memo.core.predictions import action_as_dict
from memo.display.text import reason, safe
from ui.charts import day_span, parse_day
from ui.page import Visit
from worker.prediction.explanation import explain

PAGE = 50  # acts on a page
FIELDS = ("app", "site", "text", "operation", "day", "result")
BATCH = 1_000  # acts that an export reads at a time
COLUMNS = ("id", "time", "action", "target", "app", "expected", "expected_target", "expected_app", "place_rank")


def show(visit: Visit) -> Response:
    """Show a page of acts."""
    asked = {name: value for name, value in visit.request.query_params.items() if value}
    chosen, before = read_filter(asked, visit.settings.zone), acts.read_position(asked.get("before"))
    with visit.read() as session:
        page = acts.find_page(session, visit.scope(session), chosen, PAGE, before) if session else acts.NO_ACTS
    kept = {name: asked[name] for name in FIELDS if name in asked}
    return visit.show(
        "history.html",
        rows=[_as_row(prediction, event) for prediction, event in page.acts],
        asked=asked,
        operations=sorted(operation.value for operation in HUMAN),
        older=urlencode(kept | {"before": acts.write_position(page.older)}) if page.older else "",
        searched_to=None if page.is_full or not page.older else page.older[0],
        same=urlencode(kept),
    )


def export(visit: Visit) -> Response:
    """Send all acts that match, newest first, as CSV."""
    asked = {name: value for name, value in visit.request.query_params.items() if value}
    lines = _as_csv(visit, read_filter(asked, visit.settings.zone))
    headers = {"content-disposition": 'attachment; filename="memo-history.csv"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _as_csv(visit: Visit, chosen: ActFilter) -> Iterator[str]:
    """Yield the lines in parts; nothing stays open between two of them, as a browser may take its time."""
    yield ",".join(COLUMNS) + "\n"
    before = None
    while found := _find_acts(visit, chosen, BATCH, before):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(_as_cells(*pair) for pair in found)
        yield text.getvalue()
        before = found[-1][1].at, found[-1][1].seq


def _find_acts(visit: Visit, chosen: ActFilter, limit: int, before: Position | None) -> list[Any]:
    with visit.read() as session:
        return acts.find_acts(session, visit.scope(session), chosen, limit, before) if session else []


def _as_cells(prediction: Any, event: Any) -> list[str]:
    expected = prediction.person[0]["action"] if prediction.person else {}
    named = [expected.get(name, "") for name in ("operation", "target", "place")]
    cells = [prediction.id, event.at.isoformat(), events.as_event(event).operation, event.target, event.app, *named]
    return [harmless(safe(cell) if isinstance(cell, str) else cell) for cell in (*cells, prediction.place_rank or "")]


def show_why(visit: Visit) -> Response:
    """Show why a prediction was made."""
    number = int(visit.request.path_params["prediction"])
    found = explain(visit.settings, visit.home, number, lambda _done, _total: None)
    return visit.show("why.html", found=found, reason=lambda name: reason(name, visit.language))


def read_filter(asked: Mapping[str, str], zone: tzinfo) -> ActFilter:
    """Return the conditions that a reader chose. Raises UsageError for an invalid day or operation."""
    try:
        operation = Operation(asked["operation"]) if "operation" in asked else None
        since, until = day_span(parse_day(asked["day"]), zone) if "day" in asked else (None, None)
    except ValueError as error:
        raise UsageError("Choose an operation of the list, and write the day as 2026-03-02.") from error
    is_hit = {"hit": True, "miss": False}.get(asked.get("result", ""))
    app, site, text = (asked.get(name, "") for name in ("app", "site", "text"))
    return ActFilter(app, site, text, operation, since, until, is_hit)


def _as_row(prediction: Any, event: Any) -> dict[str, Any]:
    expected = prediction.person[0]["action"] if prediction.person else None
    action = action_as_dict(events.as_event(event).told)
    return {"id": prediction.id, "at": event.at, "expected": expected, "action": action, "rank": prediction.place_rank}
