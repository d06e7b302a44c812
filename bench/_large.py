"""A large store of invented events and predictions, filled in bulk."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from _stack import invented
from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from db.engine import Store
from db.intake import counts, scopes
from db.intake.events import Repeats
from db.models import EventRow, PredictedNameRow, PredictionRow
from db.prediction import predictions
from db.prediction.predictions import Answers
from memo.core.events import Event
from worker.prediction.scope_model import ScopeModel
from worker.predictors.mixed import MixedPredictor

BASE = 10_000  # invented events, repeated as often as needed, each time further in the past
NEW = 20  # one in this many repeated events has a target that was never seen before
SAMPLE = 200  # predictions that are made; all others are copies
BATCH = 50_000  # rows of one transaction
COLUMNS = [column.name for column in PredictionRow.__table__.columns if column.name != "id"]


def fill(store: Store, scope: str, number: int) -> None:
    """Store `number` events and .3 times as many predictions, all but the newest with their outcomes."""
    rows = _event_rows(scope, number)
    while batch := list(islice(rows, BATCH)):
        with store.write() as session:
            _speed_up(session)
            scopes.lock_scope(session, scope).last_seq = batch[-1]["seq"]
            session.execute(insert(EventRow), batch)
    with store.write() as session:
        predictions.record_answers(session, Answers(made=_sample(session, scope)))
    _copy_predictions(store, number)
    with store.write() as session:
        _add_names(session, scope)
    with store.read() as session:
        days = counts.find_counted_days(session)
    for _, day in days:
        with store.write() as session:
            counts.record_day(session, scope, day)
    with store.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("ANALYZE events, predictions"))


def _speed_up(session: Session) -> None:
    if session.get_bind().dialect.name == "sqlite":
        session.execute(text("PRAGMA cache_size=-1000000"))


def _event_rows(scope: str, number: int) -> Iterator[dict[str, Any]]:
    now, keys = datetime.now(UTC), Repeats()
    for seq, event in enumerate(_events(number), 1):
        yield {name: getattr(event, name) for name in ("target", "app", "detail", "source_key", "executable")} | {
            "scope": scope,
            "seq": seq,
            "line_key": keys.key(event),
            "at": event.at,
            "utc_offset_s": 0,
            "operation": event.operation.value,
            "source": "inbox",
            "stored_at": min(event.at, now),
        }
        if seq % BASE == 0:
            keys = Repeats()  # what comes next is of another time


def _events(number: int) -> Iterator[Event]:
    """Yield events in order of time, the last ones of today."""
    base = invented(min(BASE, number))
    span = base[-1].at - base[0].at + timedelta(minutes=1)
    for copy in reversed(range(-(-number // len(base)))):
        for nth, event in enumerate(base):
            target = f"{event.target} {copy}" if copy and nth % NEW == 0 and event.target else event.target
            yield replace(event, at=event.at - copy * span, target=target)


def _sample(session: Session, scope: str) -> list[PredictionRow]:
    """Return predictions after the first events, made without the language model, with outcomes."""
    model = ScopeModel(scope, "builtin", 0, MixedPredictor(), 5)
    made: list[PredictionRow] = []
    for row in _first_events(session, scope):
        model.learn(row)
        prediction = model.predict(row, 10, "en", lambda action: False)
        prediction.made_at = prediction.published_at = prediction.dispatched_at = row.at
        prediction.outcome_event_id = prediction.person_event_id = prediction.upcoming_event_id = row.id + 1
        prediction.outcome_operation, prediction.outcome_target = row.operation, row.target
        prediction.outcome_rank = prediction.place_rank = prediction.person_rank = 1 + len(made) % 7
        made.append(prediction)
    return made


def _first_events(session: Session, scope: str) -> Sequence[Any]:
    from db.intake import events

    return events.find_after(session, scope, 0, SAMPLE)


def _copy_predictions(store: Store, number: int) -> None:
    taken = {"last_event_id": "e.id", "made_at": "e.at", "published_at": "e.at", "dispatched_at": "e.at"}
    taken |= dict.fromkeys(("outcome_event_id", "person_event_id", "upcoming_event_id"), "e.id + 1")
    values = ", ".join(taken.get(name, f"s.{name}") for name in COLUMNS)
    copy = text(
        f"INSERT INTO predictions ({', '.join(COLUMNS)}) SELECT {values} FROM events e JOIN sample s "
        f"ON s.id = 1 + e.id % {SAMPLE} WHERE e.id > :begin AND e.id <= :end AND e.id % 10 IN (2, 5, 8) ORDER BY e.id"
    )
    with store.writer.connect() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE sample AS SELECT * FROM predictions"))
        connection.execute(text("CREATE INDEX sample_id ON sample (id)"))
        for begin in range(SAMPLE, number, BATCH):
            connection.execute(copy, {"begin": begin, "end": min(begin + BATCH, number - 1)})
            connection.commit()
        connection.execute(text("DROP TABLE sample"))
        connection.commit()


def _add_names(session: Session, scope: str) -> None:
    """Store of each day all that the sample names, as its predictions are copies of those."""
    name = PredictedNameRow
    names = session.execute(select(name.operation, name.place, name.target).distinct()).mappings().all()
    kept = set(session.scalars(select(name.day).distinct()))
    first, last = session.execute(select(func.min(PredictionRow.made_at), func.max(PredictionRow.made_at))).one()
    days = {f"{first + timedelta(days=nth):%Y-%m-%d}" for nth in range((last - first).days + 2)} - kept
    for day in sorted(days):
        session.execute(insert(name), [{**one, "scope": scope, "day": day} for one in names])
