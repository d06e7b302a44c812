"""*Now*: what the person does, where they probably go next, and buttons that say whether that is right."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from db.dispatch import dispatches
from db.intake import events
from db.models import PredictionRow
from db.page import acts, current
from db.page.acts import ActFilter
from db.prediction import feedback, predictions
from db.store_access import writable_store
from memo.clock import pauses
from memo.core.errors import MemoError, UsageError
from memo.core.events import Action
from memo.core.predictions import (
    Answer,
    action_as_dict,
    action_from_dict,
    first_in_places,
    place_as_action,
    place_from_dict,
    place_of,
)
from memo.privacy.exclusions import make_action_matcher
from ui.page import Form, Visit

Excluded = Callable[[Action], bool]
SHOWN = 3  # places
LAST = 6  # acts
POLL_S = 0.3  # between two looks for a change


def show(visit: Visit) -> Response:
    """Show what comes next."""
    return visit.show("now.html", **_find(visit))


def stream(request: Request) -> Response:
    """Send the live part of the page whenever it changes."""
    return StreamingResponse(_changes(request), media_type="text/event-stream")


def answer(visit: Visit, form: Form) -> Response:
    """Store an answer to a suggestion of a prediction."""
    try:
        number, rank, said = int(form["prediction"]), int(form["rank"]), Answer(form["answer"])
    except (KeyError, ValueError) as error:
        raise UsageError("This answer names no suggestion; go back and choose Yes, Not this or Never.") from error
    with writable_store(visit.settings, visit.home) as store, store.write() as session:
        row = predictions.find_prediction(session, number)
        if row is None or not 1 <= rank <= len(row.person):
            raise UsageError("This suggestion was deleted meanwhile, so nothing was stored.")
        feedback.add_answer(session, row, row.person[rank - 1]["action"], said)
    return RedirectResponse("/", 303)


async def _changes(request: Request) -> AsyncIterator[str]:
    visit, seen = Visit(request), None
    while not await request.is_disconnected():
        with suppress(MemoError):  # a store that does not answer now may do so later
            marks = await run_in_threadpool(_find_marks, visit)
            if marks != seen:
                seen = marks
                found = await run_in_threadpool(_find, visit)
                yield _as_event(visit.render("now_live.html", **found))
        await asyncio.sleep(POLL_S)


def _as_event(html: str) -> str:
    """Return a server-sent event. Source: HTML Living Standard, 9.2.6."""
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"


def _find_marks(visit: Visit) -> tuple[Any, ...]:
    waiting = visit.find_queue_problems()
    with visit.read() as session:
        marks = current.find_marks(session) if session else ()
        return (pauses.current(visit.home), *waiting, *visit.find_problems(session), *marks)


def _find(visit: Visit) -> dict[str, Any]:
    """Return what the template needs; nothing but `prediction` if there is no prediction yet."""
    with visit.read() as session:
        row = predictions.find_newest(session, visit.scope(session)) if session else None
        is_excluded = make_action_matcher(visit.settings.privacy)
        return _describe(session, row, is_excluded) if session and row else {"prediction": None}


def _describe(session: Session, row: PredictionRow, is_excluded: Excluded) -> dict[str, Any]:
    done = events.find_done(session, row.last_event_id, 1)
    here = done[-1] if done else None
    return {
        "prediction": row,
        "here": here and {"at": here.at, "action": action_as_dict(here.told)},
        "places": _places(session, row, place_of(here.action) if here else None, is_excluded),
        "attempts": [one for one in dispatches.find_dispatches(session, row.id) if one.status != dispatches.STOPPED],
        "acts": [
            {"at": event.at, "action": action_as_dict(events.as_event(event).told), "rank": judged.place_rank}
            for judged, event in acts.find_acts(session, row.scope, ActFilter(), LAST)
        ],
    }


def _places(
    session: Session, row: PredictionRow, here: tuple[str, str] | None, is_excluded: Excluded
) -> list[dict[str, Any]]:
    """Return the likeliest places but the present one and excluded ones, each with the likeliest thing there."""
    said = {_key(one.action): one.answer for one in current.find_answers(session, row)}
    expected = {_key(one["action"]): one["expected_at"] for one in row.candidates}
    actions = [action_from_dict(entry["action"]) for entry in row.person]
    there = first_in_places(action for action in actions if not is_excluded(action))
    others = [
        place for place in row.places if place_from_dict(place) != here and not is_excluded(place_as_action(place))
    ]
    found = []
    for place in others[:SHOWN]:
        action = there.get(place_from_dict(place))
        known = {
            "target": action.target if action and action.target != place["name"] else "",
            "rank": actions.index(action) + 1 if action else None,
            "said": action and said.get(action.identity),
            "expected": action and expected.get(action.identity),
        }
        found.append(place | known)
    return found


def _key(given: dict[str, str]) -> Any:
    return action_from_dict(given).identity
