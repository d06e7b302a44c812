"""*Day*: when the person was where, what of it was foreseen, and the hours of the week; for a week and a month too."""

from datetime import datetime, timedelta

from starlette.responses import Response

from db.page import acts
from memo.core.errors import UsageError
from ui import charts
from ui.page import Visit, read_day

SPANS = {"day": 1, "week": 7, "month": 30}  # days


def show(visit: Visit) -> Response:
    """Show the days up to the chosen one."""
    asked, zone = visit.request.query_params, visit.settings.zone
    span = asked.get("span", "day")
    if span not in SPANS:
        raise UsageError("Choose a day, a week or a month.")
    with visit.read() as session:
        last = read_day(asked.get("day")) or datetime.now(zone).date()
        since, until = charts.day_span(last, zone, SPANS[span])
        rows = acts.find_acts_in_span(session, visit.scope(session), since, until) if session else []
    stays = charts.as_stays(
        [(charts.name_place(row), row.at.astimezone(zone), acts.is_foreseen(row.place_rank)) for row in rows]
    )
    return visit.show(
        "day.html",
        first=since.date(),
        day=last,
        span=span,
        spans=list(SPANS),
        before=last - timedelta(days=SPANS[span]),
        after=last + timedelta(days=SPANS[span]),
        acts=len(stays),
        foreseen=sum(stay.is_foreseen for stay in stays),
        top=charts.top(stays),
        lanes=charts.timeline(stays, since) if span == "day" else {},
        heat=charts.heat(stays),
    )
