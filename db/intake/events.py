"""Events: appended under the scope's lock, each line once; read by `seq` or by time."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, bindparam, func, insert, select, true
from sqlalchemy.orm import Session

from db.intake import counts
from db.intake.scopes import lock_scope
from db.models import PROGRAMS, EventRow, ScopeRow, local_time
from memo.core.bounded import BoundedDict
from memo.core.events import CONTEXT, HUMAN, Action, Event, Operation, counted_as, make_action

IMPORT = "import"  # source of imported events, which lie in the past and get no predictions
LEARNED = 100_000  # newest events of a scope that a model begins with, and that training and evaluation read
CHUNK = 500  # rows of one statement, as SQLite limits its parameters
TABLE = EventRow.metadata.tables[EventRow.__tablename__]
_T = TypeVar("_T")
DOUBLE = timedelta(seconds=1)  # two sources that report the same action within this time saw it once


class LogEntry(NamedTuple):
    """A stored event, as it is learned: a plain row, for reading a long log takes half the time with it."""

    id: int
    seq: int
    at: datetime
    utc_offset_s: int
    operation: str
    target: str
    app: str
    detail: str
    scope: str
    source: str
    source_key: str
    executable: str
    stored_at: datetime
    saved: bool = False

    @property
    def local_at(self) -> datetime:
        """The event's local time."""
        return local_time(self.at, self.utc_offset_s)


class NewRow(NamedTuple):
    """The values of a new row of the table; the times, which come last, are in UTC."""

    scope: str
    seq: int
    line_key: str
    utc_offset_s: int
    operation: str
    saved: bool
    target: str
    app: str
    detail: str
    source: str
    source_key: str
    executable: str
    at: datetime
    stored_at: datetime


_LOG = select(*(getattr(EventRow, name) for name in LogEntry._fields))


class Repeats:
    """Counts of equal lines in one file or source: a second equal line is another event.

    A line's key contains its count, so reading a file again, or another file with the same lines, adds nothing; of
    several files, the one with most repeats counts. `stored` are the counts of the lines before, to which `keep` adds
    those of new lines once these are stored.
    """

    def __init__(self, stored: BoundedDict[str, int] | None = None) -> None:
        self._stored: BoundedDict[str, int] = BoundedDict(None) if stored is None else stored
        self._new = dict[str, int]()  # apart, as copying all counts would take longer than storing an event

    def key(self, event: Event) -> str:
        """Return the key of the next event, and count it."""
        second = event.second
        parts = (second.isoformat(), event.operation, event.target, event.app, event.detail)
        text = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=12).hexdigest()
        digest = f"{int(second.timestamp()):08x}{text[:16]}"  # by time, so that new keys lie together in the index
        count = (self._new.pop(digest, 0) or self._stored.get(digest, 0)) + 1
        self._new[digest] = count
        return f"{digest}.{count}"

    def find_newest(self, most: int) -> dict[str, int]:
        """Return the counts of the newest lines, oldest first."""
        before = (item for item in reversed(self._stored.items()) if item[0] not in self._new)
        return dict(reversed(list(islice(chain(reversed(self._new.items()), before), most))))

    def keep(self) -> BoundedDict[str, int]:
        """Add the counts of new lines to the others, and return all."""
        self._stored.update(self._new)
        self._new.clear()
        return self._stored


def chunks(items: Sequence[_T], size: int = CHUNK) -> Iterator[Sequence[_T]]:
    """Yield the items in parts of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def add_events(session: Session, scope: str, events: Sequence[Event], keys: Sequence[str]) -> int:
    """Store the events whose key is new, in order; return their number."""
    scope_row = lock_scope(session, scope)
    known = _known(session, scope, keys)
    rows, seq, now = [], scope_row.last_seq, datetime.now(UTC)
    for event, key in zip(events, keys, strict=True):
        if key not in known:
            known.add(key)
            seq += 1
            rows.append(_as_row(event, scope, seq, key, now))
    scope_row.last_seq = seq
    if rows:
        _insert(session, rows)
    days = Counter(row.at.date() for row in rows)
    counts.add(session, {(scope, day.isoformat(), ""): Counter(events=number) for day, number in days.items()})
    return len(rows)


def _known(session: Session, scope: str, keys: Sequence[str]) -> set[str]:
    found = (session.connection().scalars(_KNOWN, {"scope": scope, "keys": chunk}) for chunk in chunks(keys))
    return set(chain.from_iterable(found))


_KNOWN = select(EventRow.line_key).where(
    EventRow.scope == bindparam("scope"), EventRow.line_key.in_(bindparam("keys", expanding=True))
)


def find_new_events(session: Session, scope: str, source: str, given: Sequence[Event]) -> list[Event]:
    """Return the events except those that another live source reported: the same action within a second."""
    lock_scope(session, scope)  # another source may be storing the same
    known: dict[Action, list[datetime]] = {}
    for chunk in chunks(given):
        times, targets = [event.at for event in chunk], list({event.target for event in chunk})
        near = {"begin": min(times) - DOUBLE, "end": max(times) + DOUBLE}
        for row in session.scalars(_OTHERS, {"scope": scope, "own": [source, IMPORT], "targets": targets} | near):
            known.setdefault(as_event(row).action, []).append(row.at)
    if not known:
        return list(given)
    return [event for event in given if all(abs(event.at - at) > DOUBLE for at in known.get(event.action, ()))]


_OTHERS = select(EventRow).where(
    EventRow.scope == bindparam("scope"),
    EventRow.at.between(bindparam("begin"), bindparam("end")),
    EventRow.source.not_in(bindparam("own", expanding=True)),  # an import is deduplicated by its keys
    EventRow.target.in_(bindparam("targets", expanding=True)),
)


def _as_row(event: Event, scope: str, seq: int, key: str, now: datetime) -> NewRow:
    offset = event.at.utcoffset()
    offset_s = int(offset.total_seconds()) if offset else 0
    operation, saved = counted_as(event.operation).value, event.operation is Operation.FILE_SAVE
    texts = (event.target, event.app, event.detail, event.source, event.source_key, event.executable)
    return NewRow(scope, seq, key, offset_s, operation, saved, *texts, event.at.astimezone(UTC), now)


def _insert(session: Session, rows: Sequence[NewRow]) -> None:
    """Store rows; in SQLite by its driver, as SQLAlchemy would spend almost as long on each row as the driver."""
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        stored_at = _as_text(rows[0].stored_at)  # they are stored together
        connection.exec_driver_sql(_INSERT, [(*row[:-2], _as_text(row.at), stored_at) for row in rows])
    else:
        connection.execute(insert(TABLE), [row._asdict() for row in rows])


_INSERT = f"INSERT INTO {TABLE.name} ({', '.join(NewRow._fields)}) VALUES ({', '.join('?' * len(NewRow._fields))})"


def _as_text(at: datetime) -> str:
    """Return a time in UTC as SQLAlchemy writes it to SQLite."""
    return at.isoformat(" ", "microseconds").removesuffix("+00:00")


def find_first_seq(session: Session, scope: str) -> int:
    """Return `seq` of the first event that is still stored, or 0."""
    return session.scalar(select(func.min(EventRow.seq)).where(EventRow.scope == scope)) or 0


def find_last_seq(session: Session, scope: str) -> int:
    """Return `seq` of the event that was stored last, or 0."""
    return session.scalar(select(ScopeRow.last_seq).where(ScopeRow.name == scope)) or 0


def find_after(session: Session, scope: str, seq: int, limit: int) -> list[LogEntry]:
    """Return the next events in the order of learning."""
    found = session.connection().execute(_AFTER, {"scope": scope, "seq": seq, "limit": limit})
    return [LogEntry(*row) for row in found]


_AFTER = (
    _LOG.where(EventRow.scope == bindparam("scope"), EventRow.seq > bindparam("seq"))
    .order_by(EventRow.seq)
    .limit(bindparam("limit"))
)


def find_window(session: Session, scope: str, size: int) -> list[EventRow]:
    """Return the last `size` events by time, oldest first."""
    query = select(EventRow).where(EventRow.scope == scope).order_by(EventRow.at.desc(), EventRow.seq.desc())
    return list(reversed(session.scalars(query.limit(size)).all()))


def find_newest(session: Session, scope: str) -> LogEntry | None:
    """Return the event that is learned last, or None."""
    row = session.execute(_LOG.where(EventRow.scope == scope).order_by(EventRow.seq.desc()).limit(1)).first()
    return LogEntry(*row) if row else None


def find_entry(session: Session, event_id: int) -> LogEntry:
    """Return an event by its id. Raises NoResultFound."""
    return LogEntry(*session.execute(_LOG.where(EventRow.id == event_id)).one())


def find_begin(session: Session, scope: str, newest: int, learned: int = LEARNED) -> int:
    """Return the event after which a model has to begin, to learn at most `learned` events up to `newest`."""
    query = select(EventRow.seq).where(EventRow.scope == scope, EventRow.seq <= newest).order_by(EventRow.seq.desc())
    before = session.scalar(query.offset(learned).limit(1))  # numbers have gaps
    return max(0, find_first_seq(session, scope) - 1) if before is None else before


def find_learned(session: Session, scope: str, newest: int, learned: int = LEARNED) -> list[LogEntry]:
    """Return the events that a model learns up to the event `newest`: at most `learned`, in that order."""
    return find_up_to(session, scope, find_begin(session, scope, newest, learned), newest)


def find_up_to(session: Session, scope: str, begin: int, newest: int) -> list[LogEntry]:
    """Return the events after `begin`, up to `newest`, in the order of learning."""
    query = _LOG.where(EventRow.scope == scope, EventRow.seq > begin, EventRow.seq <= newest).order_by(EventRow.seq)
    return [LogEntry(*row) for row in session.execute(query)]


def find_actions(session: Session, scope: str, newest: int) -> list[tuple[int, Action]]:
    """Return `seq` and identity of the actions that a model learns up to the event `newest`, without context."""
    columns = (EventRow.seq, EventRow.operation, EventRow.target, EventRow.app, EventRow.detail)
    learned = (EventRow.scope == scope, EventRow.seq > find_begin(session, scope, newest), EventRow.seq <= newest)
    rows = session.execute(select(*columns).where(*learned, EventRow.operation.not_in(CONTEXT)).order_by(EventRow.seq))
    name = cache(lambda operation, *texts: make_action(Operation(operation), *texts).identity)
    return [(seq, name(*fields)) for seq, *fields in rows]


def find_times(session: Session, scope: str, seqs: Sequence[int]) -> list[datetime]:
    """Return the local times of events, in the order of learning."""
    query = select(EventRow.at, EventRow.utc_offset_s).where(EventRow.scope == scope).order_by(EventRow.seq)
    rows = (session.execute(query.where(EventRow.seq.in_(chunk))) for chunk in chunks(seqs))
    return [local_time(*row) for row in chain.from_iterable(rows)]


def find_newest_events(session: Session, scope: str, newest: int | None = None) -> list[Event]:
    """Return the newest events of a scope, or those up to the number `newest`, by time; at most `LEARNED`."""
    found = find_learned(session, scope, find_last_seq(session, scope) if newest is None else newest)
    return [as_event(row) for row in sorted(found, key=lambda row: (row.at, row.seq))]


def find_action_before(session: Session, event_id: int) -> Action:
    """Return the last action up to an event; a context event counts only if no action is before it."""
    last = session.get_one(EventRow, event_id)
    before = select(EventRow).where(EventRow.scope == last.scope, EventRow.seq <= last.seq)
    query = before.where(EventRow.operation.not_in(CONTEXT)).order_by(EventRow.seq.desc()).limit(1)
    return as_event(session.scalar(query) or last).action


def find_done(session: Session, event_id: int, limit: int) -> list[Event]:
    """Return a person's latest actions up to an event, at most `limit`, oldest first."""
    last = session.get_one(EventRow, event_id)
    return find_last_done(session, last.scope, limit, EventRow.seq <= last.seq)


def find_last_done(session: Session, scope: str, limit: int, *which: ColumnElement[bool]) -> list[Event]:
    """Return a person's latest actions in a scope that meet all conditions, at most `limit`, oldest first."""
    query = select(EventRow).where(EventRow.scope == scope, *which, EventRow.operation.in_(HUMAN))
    return [as_event(row) for row in session.scalars(query.order_by(EventRow.seq.desc()).limit(limit))][::-1]


def count_human_actions(session: Session, scope: str, since: datetime | None, most: int) -> int:
    """Return how often a person acted in a scope after a time, or ever; not counted further than `most`."""
    acts = select(EventRow.id).where(EventRow.scope == scope, EventRow.operation.in_(HUMAN))
    later = acts if since is None else acts.where(EventRow.at > since)
    return session.scalar(select(func.count()).select_from(later.limit(most).subquery())) or 0


def find_last_focus(session: Session, scope: str, source: str) -> Action | None:
    """Return the focus that a source stored last in a scope, or None."""
    of_source = select(EventRow).where(EventRow.scope == scope, EventRow.source == source)
    focuses = of_source.where(EventRow.operation == Operation.WINDOW_FOCUS)
    row = session.scalar(focuses.order_by(EventRow.seq.desc()).limit(1))
    return as_event(row).action if row else None


def as_event(row: EventRow | LogEntry) -> Event:
    """Return the event of a row, in its local time."""
    texts = (row.target, row.app, row.detail, row.scope, row.source, row.source_key, row.executable)
    return Event(row.local_at, Operation.FILE_SAVE if row.saved else Operation(row.operation), *texts)


def has_action(session: Session, scope: str, action: Action, before: datetime | None = None) -> bool:
    """Return whether an action was stored, or happened before a time.

    A focus without a title is that of any window of its app.
    """
    given: dict[str, Any] = {"scope": scope, "operation": action.operation.value}
    if action.operation is Operation.WINDOW_FOCUS:
        given["app"] = action.place
    if action.target or not action.place:
        given["target"] = action.target
    if action.operation is Operation.FILE_ACCESS:
        given["detail"] = action.place
    query = _make_query(tuple(given), before is not None)
    return session.connection().scalar(query, given | {"before": before}) is not None


@cache
def _make_query(columns: tuple[str, ...], is_bounded: bool) -> Select[tuple[int]]:
    """Return the query for an event with given values in these columns; making it takes longer than asking it."""
    query = select(TABLE.c.id).where(*(TABLE.c[name] == bindparam(name) for name in columns))
    return (query.where(TABLE.c.at < bindparam("before")) if is_bounded else query).limit(1)


def find_executable(session: Session, scope: str, app: str, sources: Sequence[str]) -> str:
    """Return the executable with which an app started last, as one of these sources saw it, or ""."""
    query = select(EventRow.executable).where(
        EventRow.scope == scope,
        EventRow.operation == Operation.PROCESS_START.value,
        EventRow.target == app,
        PROGRAMS,
        EventRow.source.in_(sources),
    )
    return session.scalar(query.order_by(EventRow.at.desc()).limit(1)) or ""


def find_last_active_scope(session: Session) -> str | None:
    """Return the scope whose event was stored last."""
    return session.scalar(select(EventRow.scope).order_by(EventRow.id.desc()).limit(1))


def find_between(
    session: Session,
    scope: str | None,
    since: datetime | None,
    until: datetime | None,
    which: ColumnElement[bool] | None = None,
) -> tuple[int, Iterable[EventRow]]:
    """Return the number of events from `since` to before `until`, and these by time; None sets no limit.

    Only those that meet the condition `which`, if it is given.
    """
    conditions = [
        EventRow.scope == scope if scope is not None else true(),
        EventRow.at >= since if since is not None else true(),
        EventRow.at < until if until is not None else true(),
        which if which is not None else true(),
    ]
    total = session.scalar(select(func.count()).select_from(EventRow).where(*conditions)) or 0
    if which is not None:  # found apart, or SQLite reads all events in the order asked for
        conditions = [EventRow.id.in_(select(EventRow.id).where(*conditions))]
    query = select(EventRow).where(*conditions).order_by(EventRow.at, EventRow.seq)
    return total, session.scalars(query.execution_options(yield_per=1_000))
