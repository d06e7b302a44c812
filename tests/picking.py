"""For tests of `memo pick`: a store with what was done, and a prediction made after it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from stores import make_store, store_events

from db.engine import open_store
from db.models import PredictionRow
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.predictions import NextAction, NextPlace, Upcoming
from memo.core.settings import Settings

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def store_prediction(
    home: Home, done: Sequence[Action], person: Sequence[Action] = (), upcoming: Sequence[Action] = ()
) -> None:
    """Store what was done, and what is predicted of the person, the likeliest first, and as upcoming."""
    settings = Settings()
    make_store(settings, home)
    store = open_store(settings, home)
    happened = [_event(action, NOW + timedelta(minutes=n)) for n, action in enumerate(done)]
    likely = [(action, 0.4 / rank) for rank, action in enumerate(person, 1)]
    with store.write() as session:
        store_events(session, settings.scope, happened)
        session.add(
            PredictionRow(
                scope=settings.scope,
                made_at=NOW + timedelta(hours=1),
                last_event_id=len(done),
                model_version="builtin",
                candidates=[],
                upcoming=[Upcoming(action, 0.3).as_dict("en", NOW) for action in upcoming],
                places=[NextPlace(action.coarse, p).as_dict() for action, p in likely],
                person=[NextAction(action, p).as_dict("en", NOW) for action, p in likely],
                new_probability=0.0,
                latency_ms=1.0,
            )
        )
    store.close()


def _event(action: Action, at: datetime) -> Event:
    is_file = action.operation is Operation.FILE_ACCESS
    folder, app = (action.place, "") if is_file else ("", action.place)
    return Event(at, action.operation, action.target, app, folder)
