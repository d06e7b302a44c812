"""Dispatches: the claim of an effect, and how it went."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Table, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.models import DispatchRow
from db.prediction import predictions
from memo.core.events import Action
from memo.core.predictions import action_as_dict
from memo.protocols import Cost

HIT, WASTE = "hit", "waste"
CLAIMED, DONE, DRY, FAILED, STOPPED, OVERRUN = "claimed", "done", "dry", "failed", "stopped", "overrun"
GONE = (CLAIMED, DONE, DRY)
"""What counts as a go; what failed costs no budget."""
ENDED = ("status", "detail", "duration_ms", "result", "cost_ms", "read_bytes")
"""What is known of a go once it has ended."""
LAST_HITS, LEARNED = 100, timedelta(days=7)
"""What a hit saves is learned from so many, of so long: what never seems worth it is tried again after that."""


class LastAttempt(NamedTuple):
    """When a handler last acted on an action, the end of that go's life, and what came of it."""

    at: datetime
    until: datetime | None
    outcome: str | None


class HitCount(NamedTuple):
    """Of a handler's goes that came true and had something to do, up to `LAST_HITS`."""

    number: int
    known: int
    """Of so many it is known what they saved."""
    saves_s: float | None
    """One of these, on average."""


def action_key(action: Action) -> str:
    """What an action is found by: a digest of its identity."""
    one = action.identity
    parts = "\x1f".join((one.operation.value, one.target, one.place))
    return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


_TABLE = cast(Table, DispatchRow.__table__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A handler's go at a prediction, or why it has none."""

    prediction_id: int
    scope: str
    handler: str
    action: Action
    probability: float
    status: str = CLAIMED
    detail: str = ""
    until: datetime | None = None
    cost: Cost = Cost()


def add_claims(session: Session, claims: Sequence[Claim]) -> dict[tuple[int, str], int]:
    """Take each handler's one go at a prediction; the ids of the rows, by prediction and handler.

    What was taken before is not among them, nor what goes with a prediction that was forgotten meanwhile.
    """
    now, known = datetime.now(UTC), predictions.find_existing(session, [one.prediction_id for one in claims])
    rows = [
        {
            "prediction_id": one.prediction_id,
            "scope": one.scope,
            "handler": one.handler,
            "at": now,
            "action": action_as_dict(one.action),
            "action_key": action_key(one.action),
            "probability": one.probability,
            "status": one.status,
            "detail": one.detail,
            "until": one.until,
            "cost_ms": one.cost.ms,
            "read_bytes": one.cost.read_bytes,
        }
        for one in claims
        if one.prediction_id in known
    ]
    if not rows:
        return {}
    fresh = session.connection().execute(_CLAIM[session.get_bind().dialect.name], rows)
    return {(prediction, handler): number for prediction, handler, number in fresh}


_CLAIM = {
    name: insert(_TABLE).on_conflict_do_nothing().returning(_TABLE.c.prediction_id, _TABLE.c.handler, _TABLE.c.id)
    for name, insert in (("sqlite", sqlite.insert), ("postgresql", postgresql.insert))
}


def find_dispatches(session: Session, prediction_id: int) -> Sequence[DispatchRow]:
    """What the handlers did about a prediction, or why not."""
    query = select(DispatchRow).where(DispatchRow.prediction_id == prediction_id)
    return session.scalars(query.order_by(DispatchRow.id)).all()


def record_results(session: Session, ended: Sequence[Mapping[str, Any]]) -> None:
    """Write down how goes went, but for those that were forgotten meanwhile: `id`, and the columns `ENDED`."""
    session.connection().execute(_FINISH, [{f"new_{name}": value for name, value in one.items()} for one in ended])


_FINISH = (
    update(_TABLE).where(_TABLE.c.id == bindparam("new_id")).values({name: bindparam(f"new_{name}") for name in ENDED})
)


def find_last_attempt(session: Session, scope: str, handler: str, action: Action) -> LastAttempt | None:
    """A handler's last go at this action."""
    found = (
        session.connection()
        .execute(_LAST, {"scope": scope, "handler": handler, "key": action_key(action)})
        .one_or_none()
    )
    return found and LastAttempt(*found)


# What is asked for each go is asked of the connection: the way through the session costs more than the answer.
_OF = (DispatchRow.scope == bindparam("scope"), DispatchRow.handler == bindparam("handler"))
_LAST = (
    select(DispatchRow.at, DispatchRow.until, DispatchRow.outcome)
    .where(*_OF, DispatchRow.action_key == bindparam("key"), DispatchRow.status.in_(GONE))
    .order_by(DispatchRow.at.desc())
    .limit(1)
)


def was_useful(row: type[DispatchRow]) -> ColumnElement[bool]:
    """Whether a go is a hit that had something to do; one that saved nothing had not: what it would read was there."""
    return (row.outcome == HIT) & row.gain_s.is_distinct_from(0.0)


def count_last_hour(session: Session, scope: str, handler: str) -> tuple[int, int]:
    """A handler's goes in the last hour, and the bytes that they read."""
    since = datetime.now(UTC) - timedelta(hours=1)
    goes, read = session.connection().execute(_LAST_HOUR, {"scope": scope, "handler": handler, "since": since}).one()
    return goes, int(read)


_LAST_HOUR = select(func.count(), func.coalesce(func.sum(DispatchRow.read_bytes), 0)).where(
    *_OF, DispatchRow.at >= bindparam("since"), DispatchRow.status.in_(GONE)
)


def find_hits(session: Session, scope: str, handler: str) -> HitCount:
    """Of a handler's last hits that had something to do."""
    since = datetime.now(UTC) - LEARNED
    return HitCount(*session.connection().execute(_HITS, {"scope": scope, "handler": handler, "since": since}).one())


_LATEST = (
    select(DispatchRow.gain_s)
    .where(*_OF, DispatchRow.at >= bindparam("since"), was_useful(DispatchRow))
    .order_by(DispatchRow.at.desc())
    .limit(LAST_HITS)
    .subquery()
)
_HITS = select(func.count(), func.count(_LATEST.c.gain_s), func.avg(_LATEST.c.gain_s)).select_from(_LATEST)
