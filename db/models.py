"""The tables. All times are UTC; an event also has its offset, so that its local time can be shown."""

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC on both databases; SQLite itself stores no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC. Raises ValueError for a time without an offset."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time needs an offset from UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time with its zone, UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[dict[str, Any]]: JSON}


Key = Annotated[str, mapped_column(primary_key=True)]
Count = Annotated[int, mapped_column(default=0, server_default="0")]


class StoreIdentityRow(Base):
    """The random id of this store, in its only row; `memo.store.identity` reads it."""

    __tablename__ = "store_identity"

    id: Mapped[Key]
    file: Mapped[str | None]
    """A hash of where the file of an SQLite store was when it got the id; see `db.upkeep.store_place`."""


class ScopeRow(Base):
    """An owner of events, such as one person at one machine; the row is locked while its events get their `seq`."""

    __tablename__ = "scopes"

    name: Mapped[Key]
    last_seq: Mapped[int] = mapped_column(default=0)
    generation: Mapped[int] = mapped_column(default=0)
    """Incremented when the past changes: learned state of an older generation is rebuilt."""
    pending_until: Mapped[datetime | None]
    """Until then a request for a prediction is in progress; cleared before the window is read."""
    attempt_seq: Mapped[int] = mapped_column(default=0)
    """The event after which tries to predict are counted."""
    attempts: Mapped[int] = mapped_column(default=0)
    """Number of tries to predict after that event since a try last stored something."""
    active_version: Mapped[str | None] = mapped_column(ForeignKey("versions.id"))
    history_alone: Mapped[str | None]
    """Why no language model takes part; "" if its owner chose so, null if one does."""


PROGRAMS = text("executable <> ''")
"""Condition of events that name a program's file; literal, as SQLite uses the partial index only then."""
FOLDERS = text("operation = 'file_access'")
"""Condition of events whose detail is a folder; literal for the same reason."""


class EventRow(Base):
    """An event. `seq` is the order of learning, with gaps; (`at`, `seq`) is the order in windows."""

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("scope", "seq"),
        UniqueConstraint("scope", "line_key"),
        Index(None, "scope", "at", "seq"),
        Index(None, "scope", "operation", "target", "at"),
        Index(None, "scope", "operation", "app", "at"),
        Index("ix_events_folders", "scope", "detail", sqlite_where=FOLDERS, postgresql_where=FOLDERS),
        Index(
            "ix_events_programs", "scope", "operation", "target", "at", sqlite_where=PROGRAMS, postgresql_where=PROGRAMS
        ),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(ForeignKey("scopes.name"))
    seq: Mapped[int]
    line_key: Mapped[str]
    """A line's identity: second, digest of its fields (`file_save` if saved), and number among equal lines, from 1."""
    at: Mapped[datetime]
    utc_offset_s: Mapped[int]
    operation: Mapped[str]
    """Operation of the action: a saved file has `file_access`, so that a count of these includes saves; see `saved`."""
    saved: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether a file was saved, not opened."""
    target: Mapped[str]
    app: Mapped[str]
    detail: Mapped[str]
    source: Mapped[str]
    source_key: Mapped[str]
    executable: Mapped[str]
    stored_at: Mapped[datetime]

    @property
    def local_at(self) -> datetime:
        """The event's local time."""
        return local_time(self.at, self.utc_offset_s)


def local_time(at: datetime, utc_offset_s: int) -> datetime:
    """Return a time by a clock with an offset from UTC."""
    return at.astimezone(_zone(utc_offset_s))


@lru_cache(maxsize=64)
def _zone(utc_offset_s: int) -> timezone:
    return timezone(timedelta(seconds=utc_offset_s))


UNSENT = text("published_at IS NULL")


class PredictionRow(Base):
    """A prediction after an event, and its outcome."""

    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("scope", "last_event_id", "model_version"),
        Index(None, "scope", "made_at"),
        Index(None, "scope", "outcome_event_id"),
        Index("ix_predictions_unsent", "scope", "id", sqlite_where=UNSENT, postgresql_where=UNSENT),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(ForeignKey("scopes.name"))
    made_at: Mapped[datetime] = mapped_column(index=True)
    last_event_id: Mapped[int] = mapped_column(ForeignKey("events.id"), index=True)
    model_version: Mapped[str]
    operation: Mapped[str | None]
    """This and the next four columns are the first candidate, flat for SQL; null without candidates."""
    target: Mapped[str | None]
    app: Mapped[str | None]
    probability: Mapped[float | None]
    expected_at: Mapped[datetime | None]
    candidates: Mapped[list[dict[str, Any]]]
    upcoming: Mapped[list[dict[str, Any]]]
    new_probability: Mapped[float]
    places: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default="[]")
    """Places of the person's next action, likeliest first; with `new_place` they sum to 1."""
    new_place: Mapped[float] = mapped_column(default=1.0, server_default="1")
    person: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default="[]")
    """The person's next action, likeliest first."""
    latency_ms: Mapped[float]
    with_model: Mapped[bool] = mapped_column(default=True, server_default=true())
    """Whether the language model answered in time."""
    published_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    outcome_event_id: Mapped[int | None] = mapped_column(ForeignKey("events.id"), index=True)
    outcome_operation: Mapped[str | None]
    outcome_target: Mapped[str | None]
    outcome_rank: Mapped[int | None]
    """Rank of the outcome among the candidates, from 1; null if it was none of them."""
    person_event_id: Mapped[int | None] = mapped_column(index=True)
    """Event of the person's next action; set only in the newest prediction made before that event."""
    place_rank: Mapped[int | None]
    """Rank of that action's place among `places`, from 1; a place that the person left is not counted."""
    person_rank: Mapped[int | None]
    """Rank of that action in `person`, from 1, counted likewise."""
    upcoming_event_id: Mapped[int | None] = mapped_column(index=True)
    """Event of the next thing wanted that was not in use, if within the horizon; only in the newest one before it."""
    upcoming_rank: Mapped[int | None]
    """Rank of that thing in `upcoming`, from 1; null if it was not listed."""
    is_late: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the person's next action was stored before this was made: it could not be shown in time."""


class PredictedNameRow(Base):
    """A day in UTC on which predictions of a scope name an action; see `db.prediction.predicted_names`."""

    __tablename__ = "predicted_names"
    __table_args__ = (Index(None, "scope", "day"), {"sqlite_with_rowid": False})

    scope: Mapped[Key]
    operation: Mapped[Key]
    place: Mapped[Key]
    target: Mapped[Key]
    day: Mapped[Key]


class DailyCountRow(Base):
    """Numbers of a scope's events and predictions of one day in UTC, by version; see `db.intake.counts`."""

    __tablename__ = "daily_counts"

    scope: Mapped[Key]
    day: Mapped[Key]
    version: Mapped[Key]
    """Version of the model; "" for the events."""
    events: Mapped[Count]
    predictions: Mapped[Count]
    without_model: Mapped[Count]
    late: Mapped[Count]
    settled: Mapped[Count]
    acts: Mapped[Count]
    wants: Mapped[Count]
    hit_1: Mapped[Count]
    hit_3: Mapped[Count]
    hit_5: Mapped[Count]
    place_1: Mapped[Count]
    place_3: Mapped[Count]
    place_5: Mapped[Count]
    person_1: Mapped[Count]
    person_3: Mapped[Count]
    person_5: Mapped[Count]
    upcoming_1: Mapped[Count]
    upcoming_3: Mapped[Count]
    upcoming_5: Mapped[Count]


class ServedScoreRow(Base):
    """Scores of a local day's served predictions in one view of the acts, and of simple rules on the same acts."""

    __tablename__ = "served_scores"

    scope: Mapped[Key]
    day: Mapped[Key]
    version: Mapped[Key]
    view: Mapped[Key]
    """place or switch."""
    acts: Mapped[int]
    hit_1: Mapped[float]
    """This and the next one are shares of the acts."""
    hit_3: Mapped[float]
    log_loss: Mapped[float]
    """Mean over the acts, in nats."""
    ece: Mapped[float]
    mru_1: Mapped[float]
    """This and the next three are the shares of the rules on the same acts."""
    mru_3: Mapped[float]
    markov1_1: Mapped[float]
    markov1_3: Mapped[float]


class CheckpointRow(Base):
    """Weights learned online, as of an event; without a row the initial weights are used."""

    __tablename__ = "checkpoints"

    scope: Mapped[str] = mapped_column(ForeignKey("scopes.name"), primary_key=True)
    version: Mapped[Key]
    generation: Mapped[int]
    seq: Mapped[int]
    weights: Mapped[dict[str, Any]]


OPEN = text("outcome IS NULL AND until IS NOT NULL AND status IN ('done', 'dry')")
"""Condition of dispatches without an outcome yet; literal, as SQLite uses the partial index only then."""


class DispatchRow(Base):
    """One attempt of a handler at a prediction; the row claims it, so that an effect happens at most once."""

    __tablename__ = "dispatches"
    __table_args__ = (
        UniqueConstraint("prediction_id", "handler"),
        Index(None, "scope", "at"),
        Index(None, "scope", "handler", "at", "status", "read_bytes"),  # covers the hourly budget
        Index(None, "scope", "handler", "action_key", "at"),
        Index("ix_dispatches_open", "scope", sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id", ondelete="CASCADE"))
    scope: Mapped[str]
    handler: Mapped[str]
    at: Mapped[datetime]
    action: Mapped[dict[str, Any]]
    action_key: Mapped[str] = mapped_column(default="", server_default="")
    """Digest of the action's identity."""
    probability: Mapped[float]
    until: Mapped[datetime | None]
    """End of the time in which the action should come."""
    status: Mapped[str]
    """claimed, done, dry (counted, not done), failed, overrun (full queue), or stopped (gate, or nothing to do)."""
    detail: Mapped[str] = mapped_column(default="")
    """Why it was stopped or failed; if stopped, it begins with the gate's name or with "nothing to do"."""
    duration_ms: Mapped[float | None]
    cost_ms: Mapped[float] = mapped_column(default=0.0, server_default="0")
    read_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """JSON that the handler returned."""
    outcome: Mapped[str | None]
    """hit or waste; null until `until`, and if nothing was done."""
    gain_s: Mapped[float | None]
    """Seconds that a hit saved; null if unknown."""


class HandlerRow(Base):
    """A handler that rests in a scope: it turned itself off because its attempts cost more than they saved."""

    __tablename__ = "handlers"

    scope: Mapped[Key]
    handler: Mapped[Key]
    times: Mapped[int]
    """Rests in a row; each is longer than the one before."""
    since: Mapped[datetime]
    """Only attempts after that are judged next time."""
    until: Mapped[datetime]
    """End of the rest."""
    reason: Mapped[str]


class VersionRow(Base):
    """A trained version of the model; `path` is the folder of its files."""

    __tablename__ = "versions"

    id: Mapped[Key]
    scope: Mapped[str]
    created_at: Mapped[datetime]
    base: Mapped[str]
    path: Mapped[str]
    parent: Mapped[str | None]
    state: Mapped[str]
    """candidate, active, retired, or rejected."""
    metrics: Mapped[dict[str, Any]]


class RunRow(Base):
    """One run of training or evaluation, queued by the scheduler and carried out by a process of its own."""

    __tablename__ = "runs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """train or evaluate."""
    scope: Mapped[str]
    state: Mapped[str] = mapped_column(index=True)
    """queued, running, done, or failed."""
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    version: Mapped[str | None]
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)


class JobRow(Base):
    """When a periodic job last ran, and its result."""

    __tablename__ = "jobs"

    name: Mapped[Key]
    last_run: Mapped[datetime]
    last_result: Mapped[str]


class CursorRow(Base):
    """Where a source resumes; committed together with the events before it."""

    __tablename__ = "cursors"

    source: Mapped[Key]
    key: Mapped[Key]
    cursor: Mapped[dict[str, Any]]
    moved_at: Mapped[datetime]


class RedactionRow(Base):
    """How many events of a source a privacy rule changed or left out, never their contents."""

    __tablename__ = "redactions"

    source: Mapped[Key]
    rule: Mapped[Key]
    events: Mapped[int]
    last_at: Mapped[datetime]


class FeedbackRow(Base):
    """A person's answer to a suggestion; `after` is the action after which it was made."""

    __tablename__ = "feedback"

    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str] = mapped_column(index=True)
    at: Mapped[datetime]
    prediction_id: Mapped[int]
    """May have been deleted since."""
    after: Mapped[dict[str, Any]]
    action: Mapped[dict[str, Any]]
    answer: Mapped[str]
    """yes, no, or never."""
    line: Mapped[int | None]
    """Line of `memo pick`, from 1, in which it was picked (yes) or passed over (no); null for other answers."""
    windows: Mapped[int | None]
    """Number of windows that were open at a pick; null for other answers, and where the desktop lists none."""


class LaunchRow(Base):
    """One start of an app, measured over all its processes."""

    __tablename__ = "launches"
    __table_args__ = (Index(None, "scope", "app", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    scope: Mapped[str]
    app: Mapped[str]
    executable: Mapped[str]
    at: Mapped[datetime]
    ms: Mapped[float | None]
    """Until its first window had the focus; null if no source reported that."""
    major_faults: Mapped[int] = mapped_column(BigInteger)
    read_bytes: Mapped[int] = mapped_column(BigInteger)
    """Bytes read from disks."""
    known_bytes: Mapped[int] = mapped_column(BigInteger)
    """Bytes of the app's launch set."""


class LaunchSetRow(Base):
    """The files that the present version of an app reads when it starts; see `memo.desktop.launch_sets.LaunchSet`."""

    __tablename__ = "launch_sets"

    scope: Mapped[Key]
    app: Mapped[Key]
    executable: Mapped[str]
    version: Mapped[list[int]] = mapped_column(JSON)
    at: Mapped[datetime]
    days: Mapped[list[str]] = mapped_column(JSON)
    files: Mapped[dict[str, Any]]
    bytes: Mapped[int] = mapped_column(BigInteger)
