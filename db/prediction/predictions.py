"""Predictions: made once for an event and a version, settled by what came next, published at least once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from sqlalchemy import Select, Update, bindparam, func, select, update
from sqlalchemy.orm import Session, load_only

from db.intake import counts
from db.intake.events import IMPORT, chunks
from db.models import EventRow, PredictionRow, ScopeRow
from db.prediction import predicted_names
from db.upsert import build_inserts, execute

OUTCOME = ("outcome_event_id", "outcome_operation", "outcome_target", "outcome_rank")
PERSON_OUTCOME = ("person_event_id", "place_rank", "person_rank", "is_late")
UPCOMING_OUTCOME = ("upcoming_event_id", "upcoming_rank")
SETTLED = [getattr(PredictionRow, name) for name in ("candidates", *OUTCOME)]
ANSWERS = {PERSON_OUTCOME: ("places", "person"), UPCOMING_OUTCOME: ("upcoming",)}  # what each judges
UNSENT = PredictionRow.published_at.is_(None)  # stored, and not published yet
KEY = ("scope", "last_event_id", "model_version")  # one prediction each
FORGOTTEN = ""  # operation of an outcome that was forgotten; the prediction is not settled again


def find_prediction(session: Session, prediction_id: int) -> PredictionRow | None:
    """Return a prediction, or None."""
    return session.get(PredictionRow, prediction_id)


def find_newest(session: Session, scope: str) -> PredictionRow | None:
    """Return the prediction of a scope that was made last, or None."""
    query = select(PredictionRow).where(PredictionRow.scope == scope)
    return session.scalar(query.order_by(PredictionRow.made_at.desc(), PredictionRow.id.desc()).limit(1))


def has_prediction(session: Session, scope: str, seq: int, version: str) -> bool:
    """Return whether a version has a prediction for an event."""
    values = {"scope": scope, "seq": seq, "version": version}
    return session.connection().scalar(_OF_VERSION, values) is not None


_OF_VERSION = (
    select(PredictionRow.id)
    .join(EventRow, PredictionRow.last_event_id == EventRow.id)
    .where(EventRow.scope == bindparam("scope"), EventRow.seq == bindparam("seq"))
    .where(PredictionRow.scope == bindparam("scope"), PredictionRow.model_version == bindparam("version"))
)


@dataclass
class Answers:
    """Predictions that were made, and earlier ones that events have settled: as next event, act, or thing wanted."""

    made: list[PredictionRow] = field(default_factory=list)
    settled: list[PredictionRow] = field(default_factory=list)
    by_acts: list[PredictionRow] = field(default_factory=list)
    by_wants: list[PredictionRow] = field(default_factory=list)


def record_answers(session: Session, answers: Answers) -> None:
    """Store predictions in order, and outcomes in those that are stored already; their scopes are locked."""
    judged = (answers.settled, OUTCOME), (answers.by_acts, PERSON_OUTCOME), (answers.by_wants, UPCOMING_OUTCOME)
    with counts.record_changes(session, [row.id for rows, _ in judged for row in rows]) as counted:
        for rows, outcome in judged:
            _record_outcome(session, rows, outcome)
        counted.update(_add(session, answers.made))


def _record_outcome(session: Session, rows: Sequence[PredictionRow], outcome: tuple[str, ...]) -> None:
    if rows:
        values = [{"row": row.id} | {name: getattr(row, name) for name in outcome} for row in rows]
        session.connection().execute(_SETTLING[outcome], values)


_SETTLING: dict[tuple[str, ...], Update] = {
    outcome: update(PredictionRow)
    .where(PredictionRow.id == bindparam("row"), getattr(PredictionRow, outcome[0]).is_(None))
    .values({name: bindparam(name) for name in outcome})
    for outcome in (OUTCOME, PERSON_OUTCOME, UPCOMING_OUTCOME)
}
"""Statements that record an outcome unless another worker was first."""


def _add(session: Session, made: Sequence[PredictionRow]) -> Iterator[int]:
    """Store predictions and yield their ids; one that another worker stored first for the same event stands."""
    for row in made:
        values = {name: value for name, value in vars(row).items() if name in _COLUMNS}
        number = execute(session, _ADDING, values).scalar()
        if number is not None:
            row.id = number
            predicted_names.record_names(session, row)
            yield number


_COLUMNS = PredictionRow.metadata.tables[PredictionRow.__tablename__].columns.keys()
_ADDING = build_inserts(
    lambda insert: insert(PredictionRow).on_conflict_do_nothing(index_elements=KEY).returning(PredictionRow.id)
)


def find_unsettled(session: Session, scope: str) -> list[tuple[PredictionRow, int]]:
    """Return the predictions without an outcome, each with the `seq` of the event that it follows.

    They hold only what it takes to settle them.
    """
    return [(row, seq) for row, seq in session.execute(_UNSETTLED, {"scope": scope})]


_UNSETTLED = (
    select(PredictionRow, EventRow.seq)
    .join(EventRow, PredictionRow.last_event_id == EventRow.id)
    .where(PredictionRow.scope == bindparam("scope"), PredictionRow.outcome_event_id.is_(None))
    .where(PredictionRow.outcome_operation.is_(None))
    .options(load_only(*SETTLED, raiseload=True))
    .order_by(PredictionRow.id)
)


def find_unjudged(
    session: Session, scope: str, newest: int, limit: int, outcome: tuple[str, ...]
) -> list[tuple[PredictionRow, int, datetime]]:
    """Return the newest predictions that await an outcome, each with `seq` and time of the event that it follows.

    At most `limit`, oldest first: those made after the newest one that has that outcome, for events up to `newest`.
    They hold only what it takes to judge them. `outcome` names the columns of that outcome.
    """
    found = session.execute(_UNJUDGED[outcome], {"scope": scope, "newest": newest, "limit": limit})
    return [(row, seq, at) for row, seq, at in found][::-1]


def _awaiting(outcome: tuple[str, ...]) -> Select[PredictionRow, int, datetime]:
    of_scope = PredictionRow.scope == bindparam("scope")
    event_id, *needed = [getattr(PredictionRow, name) for name in (*outcome, "made_at", *ANSWERS[outcome])]
    judged = select(PredictionRow.id).where(of_scope, event_id.is_not(None)).order_by(PredictionRow.id.desc()).limit(1)
    return (
        select(PredictionRow, EventRow.seq, EventRow.at)
        .join(EventRow, PredictionRow.last_event_id == EventRow.id)
        .where(of_scope, PredictionRow.id > func.coalesce(judged.scalar_subquery(), 0))
        .where(EventRow.seq <= bindparam("newest"))
        .options(load_only(event_id, *needed, raiseload=True))
        .order_by(PredictionRow.id.desc())
        .limit(bindparam("limit"))
    )


_UNJUDGED = {outcome: _awaiting(outcome) for outcome in ANSWERS}


def find_existing(session: Session, ids: Iterable[int]) -> set[int]:
    """Return those of these ids that are stored."""
    found = (session.connection().scalars(_THERE, {"ids": chunk}) for chunk in chunks(sorted(set(ids))))
    return set(chain.from_iterable(found))


_THERE = select(PredictionRow.id).where(PredictionRow.id.in_(bindparam("ids", expanding=True)))


def find_actions(session: Session, prediction_id: int) -> list[dict[str, str]]:
    """Return the actions that a prediction names; a forget may have taken out some of them, or all of it."""
    lists = session.connection().execute(_NAMED, {"id": prediction_id}).one_or_none()
    return [entry["action"] for entry in chain(*(lists or ()))]


_NAMED = select(PredictionRow.candidates, PredictionRow.upcoming, PredictionRow.person).where(
    PredictionRow.id == bindparam("id")
)


def find_last_predicted_seq(session: Session, scope: str) -> int:
    """Return `seq` of the newest event that has a prediction, or 0.

    Events are read from the newest one back, as the newest prediction follows one of the last events.
    """
    if session.scalar(select(PredictionRow.id).where(PredictionRow.scope == scope).limit(1)) is None:
        return 0
    query = select(EventRow.seq).where(EventRow.scope == scope, _ANSWERS.exists()).order_by(EventRow.seq.desc())
    return session.scalar(query.limit(1)) or 0


_ANSWERS = select(PredictionRow.id).where(
    PredictionRow.scope == EventRow.scope, PredictionRow.last_event_id == EventRow.id
)
"""The predictions after an event."""


def find_unasked_scopes(session: Session) -> Sequence[str]:
    """Return the scopes whose newest event has no prediction, or of which one is not published."""
    unpredicted = select(EventRow.id).where(*_UNPREDICTED)
    waiting = select(PredictionRow.id).where(PredictionRow.scope == ScopeRow.name, UNSENT)
    return session.scalars(select(ScopeRow.name).where(unpredicted.exists() | waiting.exists())).all()


def find_unpredicted(session: Session) -> Sequence[EventRow]:
    """Return the newest event of each scope where it has no prediction."""
    # Per scope, as SQLite would read all events of a join.
    newest = select(EventRow.id).where(*_UNPREDICTED).correlate(ScopeRow).scalar_subquery()
    return session.scalars(select(EventRow).where(EventRow.id.in_(select(newest).select_from(ScopeRow)))).all()


_UNPREDICTED = (
    EventRow.scope == ScopeRow.name,
    EventRow.seq == ScopeRow.last_seq,
    EventRow.source != IMPORT,
    ~_ANSWERS.exists(),
)
"""Conditions of the newest event of a scope that has no prediction."""


def find_unsent(session: Session, scope: str, limit: int) -> list[tuple[PredictionRow, EventRow]]:
    """Return the oldest unpublished predictions of a scope, each with the event that it follows."""
    found = session.execute(_UNSENT, {"scope": scope, "limit": limit})
    return [(prediction, event) for prediction, event in found]


_UNSENT = (
    select(PredictionRow, EventRow)
    .join(EventRow, PredictionRow.last_event_id == EventRow.id)
    .where(PredictionRow.scope == bindparam("scope"), UNSENT)
    .order_by(PredictionRow.id)
    .limit(bindparam("limit"))
)


def record_published(session: Session, ids: Sequence[int]) -> None:
    """Record that these were published now."""
    session.connection().execute(_PUBLISHING, {"ids": ids, "now": datetime.now(UTC)})


_PUBLISHING = (
    update(PredictionRow)
    .where(PredictionRow.id.in_(bindparam("ids", expanding=True)))
    .values(published_at=bindparam("now"))
)


def record_dispatched(session: Session, prediction_id: int) -> None:
    """Record that a prediction was passed to the dispatcher now."""
    session.connection().execute(_DISPATCHING, {"row": prediction_id, "now": datetime.now(UTC)})


_DISPATCHING = update(PredictionRow).where(PredictionRow.id == bindparam("row")).values(dispatched_at=bindparam("now"))
