"""The answers to an assistant's questions, each with a bounded number of rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from sqlalchemy.orm import Session

from cli.assistants.disclosure import Disclosure, Told, shorten
from db.dispatch.dispatches import STOPPED
from db.intake import events
from db.models import PredictionRow
from db.page import acts
from db.page.acts import ActFilter
from db.prediction import predictions
from memo.core.errors import MemoError
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.display.text import reason
from memo.privacy.exclusions import as_bare_event
from ui import charts

LIKELY = 5  # places, actions and upcoming actions in an answer
ABSENT = "\x1f"  # asked for instead of what is excluded, so that the answer is that about something unknown
MOST_ACTS = 50  # rows of a history or of a day


def tell_next(session: Session, settings: Settings, scope: str) -> Told:
    """Return what the newest prediction of a scope says. Raises MemoError if there is none."""
    row = predictions.find_newest(session, scope)
    if row is None:
        raise MemoError(f"Nothing was predicted for {scope} yet; `memo status` shows whether MEMO is running.")
    may_tell, done = Disclosure(settings, session, scope), events.find_done(session, row.last_event_id, 1)
    upcoming = [(may_tell.tell_action(one["action"]), one["probability"]) for one in row.upcoming]
    return {
        "id": row.id,
        "scope": scope,
        "made_at": _moment(row.made_at, settings.zone),
        "last": may_tell.tell_event(done[0]) if done else None,
        "places": may_tell.tell_places(row.places)[:LIKELY],
        "person": may_tell.tell_likely(row.person)[:LIKELY],
        "upcoming": [{"action": action, "probability": odds} for action, odds in upcoming if action][:LIKELY],
    }


def tell_history(
    session: Session, settings: Settings, scope: str, chosen: ActFilter, limit: int, before: str | None
) -> Told:
    """Return a page of what a person did and what had been expected, newest first."""
    may_tell = Disclosure(settings, session, scope)

    def known(name: str, action: Action) -> str:
        return name if not name or may_tell.keep(as_bare_event(action)) else ABSENT

    app = known(chosen.app, Action(Operation.WINDOW_FOCUS, chosen.app, chosen.app))
    site = known(chosen.site, Action(Operation.WEB_VISIT, chosen.site))
    page = acts.find_page(session, scope, replace(chosen, app=app, site=site), limit, acts.read_position(before))
    rows = [_tell_act(prediction, events.as_event(event), may_tell, settings.zone) for prediction, event in page.acts]
    return {
        "scope": scope,
        "acts": [row for row in rows if row],
        "before": acts.write_position(page.older) if page.older else None,
    }


def _tell_act(prediction: PredictionRow, event: Event, may_tell: Disclosure, zone: tzinfo) -> Told | None:
    action = may_tell.tell_event(event)
    if action is None:
        return None
    expected = [told for one in prediction.person[:1] if (told := may_tell.tell_action(one["action"]))]
    return {
        "id": prediction.id,
        "at": _moment(event.at, zone),
        "action": action,
        "expected": expected[0] if expected else None,
        "place_rank": prediction.place_rank,
    }


def tell_day(session: Session, settings: Settings, scope: str, day: date) -> Told:
    """Return a day's hours in apps and at sites, and its stays, only the longest if there are too many."""
    since, until = charts.day_span(day, settings.zone)
    may_tell = Disclosure(settings, session, scope)
    stays = charts.as_stays(
        [
            (shorten(charts.name_place(kept)), row.at.astimezone(settings.zone), acts.is_foreseen(row.place_rank))
            for row in acts.find_acts_in_span(session, scope, since, until)
            if (kept := may_tell.keep(_as_event(row)))
        ]
    )
    longest = sorted(stays, key=lambda stay: stay.length, reverse=True)[:MOST_ACTS]
    return {
        "scope": scope,
        "day": day.isoformat(),
        "acts": len(stays),
        "foreseen": sum(stay.is_foreseen for stay in stays),
        "top": [{"place": name, "minutes": _minutes(length)} for name, length in charts.top(stays)],
        "stays": [
            {"at": _moment(stay.begin, settings.zone), "place": stay.name, "minutes": _minutes(stay.length)}
            for stay in sorted(longest, key=lambda stay: stay.begin)
        ],
    }


def tell_why(session: Session, settings: Settings, home: Home, prediction: int) -> Told:
    """Return why the first answers of a prediction were first. Raises UsageError if there is no such prediction."""
    from worker.prediction.explanation import explain

    found = explain(settings, home, prediction, lambda _done, _total: None)
    row = predictions.find_prediction(session, prediction)
    may_tell = Disclosure(settings, session, row.scope if row else settings.scope)
    places = may_tell.tell_places(found["places"])
    person, candidates = (may_tell.tell_likely(found[name]) for name in ("person", "candidates"))
    return {
        "id": found["id"],
        "at": _moment(found["at"], settings.zone),
        "events": found["events"],
        "places": places,
        "place_reasons": _reasons(places, found["places"], found["place_reasons"]),
        "person": person,
        "person_reasons": _reasons(person, found["person"], found["person_reasons"]),
        "next_event": candidates,
        "next_event_reasons": _reasons(candidates, found["candidates"], found["reasons"]),
        "handlers": _tell_handlers(found["handlers"], may_tell),
    }


def _reasons(told: Sequence[Told], found: Sequence[Told], reasons: Sequence[Told]) -> list[Told]:
    """Return why the first one ranks above the second; nothing if a part of what was found is not told."""
    if len(told) < len(found):
        return []
    return [{"reason": reason(one["feature"], "en"), "nats": one["nats"]} for one in reasons]


def _tell_handlers(attempts: Sequence[Told], may_tell: Disclosure) -> list[Told]:
    """Return what each handler did; the detail of an attempt begins with the name of the gate that stopped it."""
    told = [(attempt, may_tell.tell_action(attempt["action"])) for attempt in attempts[:MOST_ACTS]]
    return [
        {
            "handler": attempt["handler"],
            "action": action,
            "status": attempt["status"],
            "gate": shorten(attempt["detail"].partition(":")[0]) if attempt["status"] == STOPPED else None,
            "outcome": attempt["outcome"],
        }
        for attempt, action in told
        if action
    ]


def _as_event(row: Any) -> Event:
    return Event(row.at, Operation(row.operation), row.target, row.app, row.detail, executable=row.executable)


def _moment(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).isoformat(timespec="seconds")


def _minutes(length: timedelta) -> float:
    return round(length.total_seconds() / 60, 1)
