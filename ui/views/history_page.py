"""*History*: what the person did and whether it was foreseen, filtered and in pages, and why it was predicted."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from db.intake import events
from db.page import acts
from db.page.acts import ActFilter
from memo.core.errors import UsageError
from memo.core.events import HUMAN, Operation
from memo.core.predictions import action_as_dict
from memo.display.text import reason
from ui.page import Visit
from worker.prediction.explanation import explain

PAGE = 50  # acts on a page
FIELDS = ("app", "site", "operation", "day", "result", "scope")


def show(visit: Visit) -> Response:
    """Show a page of acts."""
    asked = {name: value for name, value in visit.request.query_params.items() if value}
    chosen, before = read_filter(asked, visit.settings.zone), _number(asked.get("before"))
    with visit.read() as session:
        found = acts.find_acts(session, visit.scope(session), chosen, PAGE + 1, before) if session else []
    kept = {name: asked[name] for name in FIELDS if name in asked}
    older = urlencode(kept | {"before": found[PAGE - 1][0].id}) if len(found) > PAGE else ""
    rows = [_as_row(prediction, event) for prediction, event in found[:PAGE]]
    operations = sorted(operation.value for operation in HUMAN)
    return visit.show("history.html", rows=rows, asked=asked, operations=operations, older=older)


def show_why(visit: Visit) -> Response:
    """Show why a prediction was made."""
    number = int(visit.request.path_params["prediction"])
    found = explain(visit.settings, visit.home, number, lambda _done, _total: None)
    return visit.show("why.html", found=found, reason=lambda name: reason(name, visit.language))


def read_filter(asked: Mapping[str, str], zone: tzinfo) -> ActFilter:
    """Return the conditions that a reader chose. Raises UsageError for a day or an operation that there is not."""
    try:
        operation = Operation(asked["operation"]) if "operation" in asked else None
        since = datetime.combine(date.fromisoformat(asked["day"]), time(), zone) if "day" in asked else None
    except ValueError as error:
        raise UsageError("Choose an operation of the list, and write the day as 2026-03-02.") from error
    until = since + timedelta(days=1) if since else None
    is_hit = {"hit": True, "miss": False}.get(asked.get("result", ""))
    return ActFilter(asked.get("app", ""), asked.get("site", ""), operation, since, until, is_hit)


def _number(given: str | None) -> int | None:
    return int(given) if given and given.isdecimal() and len(given) < 19 else None


def _as_row(prediction: Any, event: Any) -> dict[str, Any]:
    expected = prediction.person[0]["action"] if prediction.person else None
    action = action_as_dict(events.as_event(event).action)
    return {"id": prediction.id, "at": event.at, "expected": expected, "action": action, "rank": prediction.place_rank}
