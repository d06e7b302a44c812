"""Dispatches: attempts of handlers. A row is claimed before the effect, and then gets the result."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, bindparam, func, select, update
from sqlalchemy.orm import Session

from db.models import DispatchRow
from db.prediction import predictions
from db.upsert import build_inserts, execute
from memo.core.events import Action
from memo.core.predictions import action_as_dict
from memo.protocols import Cost

HIT, WASTE = "hit", "waste"
CLAIMED, DONE, DRY, FAILED, STOPPED, OVERRUN = "claimed", "done", "dry", "failed", "stopped", "overrun"
COUNTED = (CLAIMED, DONE, DRY)  # statuses that count as an attempt; a failure costs no budget
SAME = ("prediction_id", "scope", "handler", "probability", "status", "detail", "until")  # columns as in a claim
RESULT_COLUMNS = ("status", "detail", "duration_ms", "result", "cost_ms", "read_bytes")
OPEN_BOX = timedelta(minutes=2)  # a claim that is older belongs to a process that died
LAST_HITS = 100  # hits used to estimate what one hit saves
LEARNED = timedelta(days=7)  # age of the oldest: then a handler that seemed not worth it is tried again


class LastAttempt(NamedTuple):
    """When a handler last acted on an action, until when the action should come, and the outcome."""

    at: datetime
    until: datetime | None
    outcome: str | None


class HitCount(NamedTuple):
    """A handler's last hits that had something to do, at most `LAST_HITS`."""

    number: int
    known: int
    """Number of those whose saving is known."""
    saves_s: float | None
    """Mean saving of those, in seconds."""


def action_key(action: Action) -> str:
    """Return the key by which an action is found: a digest of its identity."""
    identity = action.identity
    parts = "\x1f".join((identity.operation.value, identity.target, identity.place))
    return hashlib.blake2b(parts.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Claim:
    """A handler's attempt at a prediction, or the reason why there is none."""

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
    """Claim each handler's only attempt at a prediction; return the ids of the new rows, by prediction and handler.

    Earlier claims are left out, and so are claims on predictions that were deleted meanwhile.
    """
    now, known = datetime.now(UTC), predictions.find_existing(session, [claim.prediction_id for claim in claims])
    rows = [
        {name: getattr(claim, name) for name in SAME}
        | {
            "at": now,
            "action": action_as_dict(claim.action),
            "action_key": action_key(claim.action),
            "cost_ms": claim.cost.ms,
            "read_bytes": claim.cost.read_bytes,
        }
        for claim in claims
        if claim.prediction_id in known
    ]
    if not rows:
        return {}
    return {(claim.prediction_id, claim.handler): claim.id for claim in execute(session, _CLAIMING, rows)}


_CLAIMING = build_inserts(
    lambda insert: (
        insert(DispatchRow)
        .on_conflict_do_nothing()
        .returning(DispatchRow.prediction_id, DispatchRow.handler, DispatchRow.id)
    )
)


def find_dispatches(session: Session, prediction_id: int) -> Sequence[DispatchRow]:
    """Return what the handlers did about a prediction, or why not."""
    query = select(DispatchRow).where(DispatchRow.prediction_id == prediction_id)
    return session.scalars(query.order_by(DispatchRow.id)).all()


def record_results(session: Session, ended: Sequence[Mapping[str, Any]]) -> None:
    """Store results, each `id` and `RESULT_COLUMNS`, except for rows that were deleted meanwhile."""
    session.connection().execute(_FINISH, [{f"new_{name}": value for name, value in row.items()} for row in ended])


_FINISH = (
    update(DispatchRow)
    .where(DispatchRow.id == bindparam("new_id"))
    .values({name: bindparam(f"new_{name}") for name in RESULT_COLUMNS})
)


def find_last_attempt(session: Session, scope: str, handler: str, action: Action) -> LastAttempt | None:
    """Return a handler's last attempt on an action, or None; not one from when the clock was ahead."""
    values = {"scope": scope, "handler": handler, "key": action_key(action), "now": datetime.now(UTC)}
    found = session.connection().execute(_LAST, values).one_or_none()
    return found and LastAttempt(*found)


# Queries for each attempt go to the connection: through the session they cost more than the answer.
_OF = (DispatchRow.scope == bindparam("scope"), DispatchRow.handler == bindparam("handler"))
_LAST = (
    select(DispatchRow.at, DispatchRow.until, DispatchRow.outcome)
    .where(
        *_OF,
        DispatchRow.action_key == bindparam("key"),
        DispatchRow.status.in_(COUNTED),
        DispatchRow.at <= bindparam("now"),
    )
    .order_by(DispatchRow.at.desc())
    .limit(1)
)


def find_last_shown(session: Session, scope: str, handlers: Sequence[str]) -> DispatchRow | None:
    """Return the newest attempt of these handlers, which show boxes, that showed one or is showing it now, or None."""
    now = datetime.now(UTC)
    is_open = (DispatchRow.status == CLAIMED) & DispatchRow.at.between(now - OPEN_BOX, now)
    query = select(DispatchRow).where(
        DispatchRow.scope == scope, DispatchRow.handler.in_(handlers), (DispatchRow.status == DONE) | is_open
    )
    return session.scalar(query.order_by(DispatchRow.id.desc()).limit(1))


def was_useful(row: type[DispatchRow]) -> ColumnElement[bool]:
    """Return the condition of hits that had something to do; a gain of zero means that all was in memory before."""
    return (row.outcome == HIT) & row.gain_s.is_distinct_from(0.0)


def count_last_hour(session: Session, scope: str, handler: str) -> tuple[int, int]:
    """Return the number of a handler's attempts in the last hour, and the bytes that they read.

    Attempts in the next hour count, too: the clock was set back since. Those after that are from when it was far ahead.
    """
    now, hour = datetime.now(UTC), timedelta(hours=1)
    values = {"scope": scope, "handler": handler, "since": now - hour, "until": now + hour}
    attempts, read = session.connection().execute(_LAST_HOUR, values).one()
    return attempts, int(read)


_LAST_HOUR = select(func.count(), func.coalesce(func.sum(DispatchRow.read_bytes), 0)).where(
    *_OF, DispatchRow.at.between(bindparam("since"), bindparam("until")), DispatchRow.status.in_(COUNTED)
)


def find_hits(session: Session, scope: str, handler: str) -> HitCount:
    """Return how many of a handler's last hits had something to do, and what they saved."""
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
