"""`memo forget`, `memo export` and retention, on both databases: what is meant goes, with all that was made of it."""

import errno
import json
import os
import random
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest
from calling import memo
from handling import store_launch_set, stored_launch_sets
from redis import Redis
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session
from stores import make_store, store_events

from cli.stack.doctor import CHECKS
from collector.intake import Intake
from data.importers import rejects
from data.importers.line import Reject
from db.dispatch import dispatches
from db.engine import Store, open_store
from db.intake import cursors, events, launch_sets, launches, redactions
from db.models import (
    Base,
    CheckpointRow,
    DispatchRow,
    EventRow,
    FeedbackRow,
    JobRow,
    LaunchRow,
    PredictionRow,
    RunRow,
    ScopeRow,
    VersionRow,
)
from db.pace import BatchPace
from db.prediction import feedback, predictions, versions
from db.prediction.predictions import Answers
from db.prediction.versions import Usable
from db.store_access import find_active_version
from db.upkeep import deletion, jobs, retention, runs
from db.upkeep.copy import HIDDEN
from db.upkeep.deletion import release_space
from db.upkeep.retrain import find_outlook
from forget import erase_files, erase_rows
from forget import forget as erasure
from forget.query import ForgetQuery
from memo.clock import pauses
from memo.core.errors import MemoError
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.predictions import Answer, Candidate, NextPlace, Upcoming, action_as_dict
from memo.core.settings import ScheduleSettings, Settings
from memo.desktop.launch_sets import LaunchSet
from memo.messaging.publisher import Publisher
from memo.protocols import Batch, Cost, DispatchContext
from memo.stack.broker import key_prefix
from memo.stack.task_queue import make_app, stream_key
from memo.store import manifest
from training.build_version import activate, find_events, find_last_forgotten
from training.build_version import build_version as make_version
from worker.handlers.record import RecordHandler
from worker.prediction import outbox
from worker.prediction.update import ScopeUpdater
from worker.predictors.mixed import MixedPredictor
from worker.predictors.serving import Serving
from worker.resources import Resources

SCOPE = "ada@host"
START = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
NOW = datetime(2026, 3, 3, tzinfo=UTC)
SECRET = "Zeugnis-7f3a9"


@pytest.fixture
def settings(database_url: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    return Settings.load()


@pytest.fixture
def store(settings: Settings, store: Store) -> Store:
    return store


def event(operation: Operation, target: str, app: str = "", detail: str = "", **more: Any) -> Event:
    return Event(START, operation, target, app, detail, **more)


FOCUS = event(Operation.WINDOW_FOCUS, "Inbox", "thunderbird")
START_OF = event(Operation.PROCESS_START, "thunderbird", executable="/usr/bin/thunderbird")
VISIT = event(Operation.WEB_VISIT, "mail.shop.example", detail="Balance 100%")
FILE = event(Operation.FILE_ACCESS, "plan.odt", "writer", "/home/ada/papers")
CHINESE = event(Operation.WINDOW_FOCUS, "工资单 - 三月", "calc")


def happen(store: Store, given: Sequence[Event], scope: str = SCOPE) -> list[int]:
    """Store events, a minute apart; their ids."""
    with store.write() as session:
        first = events.find_last_seq(session, scope)
        timed = [replace(one, at=one.at + timedelta(minutes=first + n)) for n, one in enumerate(given)]
        return store_events(session, scope, timed)


def predict(
    store: Store,
    after: int,
    of: Sequence[Event],
    scope: str = SCOPE,
    coming: Sequence[Event] = (),
    version: str = "builtin",
    at: Sequence[Event] = (),
) -> int:
    """Store a prediction after an event; its id."""
    said = [Candidate(one.action, 0.5, START, one.detail, one.executable).as_dict("en") for one in of]
    soon = [Upcoming(one.action, 0.5, one.detail).as_dict("en", START) for one in coming]
    row = PredictionRow(
        scope=scope,
        made_at=START,
        last_event_id=after,
        model_version=version,
        operation=of[0].operation if of else None,
        target=of[0].target if of else None,
        app=of[0].action.place if of else None,
        candidates=said,
        upcoming=soon,
        new_probability=0.1,
        places=[NextPlace(one.action.coarse, 0.1).as_dict() for one in at],
        latency_ms=1.0,
    )
    with store.write() as session:
        predictions.record_answers(session, Answers(made=[row]))
        dispatches.add_claims(session, [dispatches.Claim(row.id, row.scope, "log", FOCUS.action, 0.5)])
        return row.id


def forget(store: Store, wanted: ForgetQuery) -> dict[str, int]:
    report = erasure.forget(store, Settings.load(), Home.find(), wanted, lambda _done, _total: None)
    return dict(report.rows)


def left(store: Store, table: type[Base], column: str = "id") -> list[Any]:
    with store.read() as session:
        order = "id" if hasattr(table, "id") else column
        return list(session.scalars(select(getattr(table, column)).order_by(getattr(table, order))))


def named(store: Store, word: str) -> bool:
    """Return whether any row of any table contains a word."""
    with store.read() as session:
        return any(word in str(row) for table in Base.metadata.sorted_tables for row in session.execute(select(table)))


def targets(store: Store) -> list[str]:
    with store.read() as session:
        return list(session.scalars(select(EventRow.target).order_by(EventRow.id)))


ALL = (FOCUS, START_OF, VISIT, FILE, CHINESE)


CONDITIONS = [
    (ForgetQuery(app="Thunderbird"), [FOCUS, START_OF]),
    (ForgetQuery(app="thunder"), []),
    (ForgetQuery(app="writer"), [FILE]),
    (ForgetQuery(site="shop.example"), [VISIT]),
    (ForgetQuery(site="SHOP.example"), [VISIT]),
    (ForgetQuery(site="hop.example"), []),
    (ForgetQuery(text="balance"), [VISIT]),
    (ForgetQuery(text="100%"), [VISIT]),
    (ForgetQuery(text="1_0%"), []),
    (ForgetQuery(text="%"), [VISIT]),
    (ForgetQuery(text="_"), []),
    (ForgetQuery(text="工资"), [CHINESE]),
    (ForgetQuery(text="PAPERS"), [FILE]),
    (ForgetQuery(text="/usr/bin"), [START_OF]),
    (ForgetQuery(app="thunderbird", text="inbox"), [FOCUS]),
    (ForgetQuery(app="thunderbird", site="shop.example"), []),
    (ForgetQuery(since=START + timedelta(minutes=3)), [FILE, CHINESE]),
    (ForgetQuery(until=START + timedelta(minutes=3)), [FOCUS, START_OF, VISIT]),
    (ForgetQuery(app="thunderbird", since=START + timedelta(minutes=1)), [START_OF]),
    (ForgetQuery(scope="somebody else"), []),
    (ForgetQuery(scope=SCOPE), list(ALL)),
    (ForgetQuery(), list(ALL)),
]


def test_forget_several_conditions_must_all_hold(store: Store) -> None:
    for wanted, gone in CONDITIONS:
        happen(store, ALL)
        assert forget(store, wanted).get("events", 0) == len(gone), wanted
        assert targets(store) == [one.target for one in ALL if one not in gone], wanted
        with store.write() as session:
            for table in (EventRow, ScopeRow):  # the next ones happen at the same times
                session.execute(delete(table))


@pytest.mark.parametrize(("stored", "asked"), [("MÜLLER", "müller"), ("Müller", "MÜLLER"), ("Отчёт", "отчёт")])
def test_forget_text_ignores_case_in_any_script(store: Store, stored: str, asked: str) -> None:
    happen(store, [event(Operation.PROCESS_START, stored)])
    assert forget(store, ForgetQuery(text=asked))["events"] == 1


SPELLINGS = ("localhost:8080", "LOCALHOST", "localhost.", "www.localhost")


@pytest.mark.parametrize("asked", ["localhost", "http://localhost:8080/path?q=1"])
def test_forget_site_matches_any_spelling(store: Store, asked: str) -> None:
    happen(store, [event(Operation.WEB_VISIT, written) for written in (*SPELLINGS, "mylocalhost")])
    assert forget(store, ForgetQuery(site=asked))["events"] == len(SPELLINGS)
    assert targets(store) == ["mylocalhost"]


def test_forget_site_matches_its_punycode_name(store: Store) -> None:
    for asked in ("bücher.example", "XN--bcher-kva.example"):
        happen(
            store, [event(Operation.WEB_VISIT, "bücher.example"), event(Operation.WEB_VISIT, "xn--bcher-kva.example")]
        )
        assert forget(store, ForgetQuery(site=asked))["events"] == 2


def test_forget_deletes_followers_and_amends_others(store: Store) -> None:
    shop, mail, app = VISIT, replace(FOCUS, target="Other"), START_OF
    first, second, third, fourth = happen(store, [app, shop, mail, app])
    follows = predict(store, second, [app])
    came_true, was_wanted = predict(store, first, [app]), predict(store, happen(store, [app])[0], [app])
    names, soon, other = (
        predict(store, third, [app, shop]),
        predict(store, fourth, [app], coming=[shop]),
        predict(store, happen(store, [app])[0], [app]),
    )
    with store.write() as session:
        row = session.get_one(PredictionRow, came_true)
        row.outcome_event_id, row.outcome_operation, row.outcome_target = second, shop.operation, shop.target
        session.get_one(PredictionRow, was_wanted).upcoming_event_id = second
    found = forget(store, ForgetQuery(site="shop.example"))
    assert found == {"events": 1, "predictions": 1, "dispatches": 1, "amended": 4}
    kept = [came_true, was_wanted, names, soon, other]
    assert left(store, PredictionRow) == left(store, DispatchRow, "prediction_id") == sorted(kept)
    assert follows not in kept and not named(store, "shop.example")


def test_forget_of_a_span_forgets_an_upcoming_app(store: Store) -> None:
    calc, mail = replace(CHINESE, target=""), replace(FOCUS, target="")
    other, _, after = happen(store, [FOCUS, CHINESE, FOCUS])
    predict(store, after, [FOCUS], coming=[mail]), predict(store, other, [FOCUS], coming=[calc])
    span = ForgetQuery(since=START + timedelta(minutes=1), until=START + timedelta(minutes=2))
    assert forget(store, span)["amended"] == 1
    assert [len(entries) for entries in left(store, PredictionRow, "upcoming")] == [1, 0]


OPENED = Event(START, Operation.FILE_ACCESS, "plan.txt", detail="/home/ada/secret")


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        (VISIT, ForgetQuery(site="shop.example")),
        (CHINESE, ForgetQuery(app=CHINESE.app)),
        (OPENED, ForgetQuery(text="ada/secret")),
        (OPENED, ForgetQuery(since=START, until=START + timedelta(seconds=1))),
    ],
    ids=["site", "app", "folder", "time"],
)
def test_forget_amends_predictions_that_name_only_the_place(store: Store, place: Event, wanted: ForgetQuery) -> None:
    _, start, _ = happen(store, [place, START_OF, START_OF])
    other, amended = predict(store, start, [START_OF], version="a"), predict(store, start, [START_OF], at=[place])
    assert forget(store, wanted)["amended"] == 1
    assert left(store, PredictionRow) == [other, amended]
    assert left(store, PredictionRow, "places") == [[], []]


def test_file_saved_is_named_until_its_opening_is_forgotten_too(store: Store) -> None:
    saved = replace(OPENED, operation=Operation.FILE_SAVE)
    _, _, start = happen(store, [OPENED, saved, START_OF])
    predict(store, start, [START_OF], coming=[OPENED], at=[OPENED])
    assert forget(store, ForgetQuery(since=START, until=START + timedelta(seconds=1))) == {"events": 1}
    assert forget(store, ForgetQuery(until=START + timedelta(minutes=2))) == {"events": 1, "amended": 1}
    assert left(store, PredictionRow, "places") == [[]]


def test_forget_title_leaves_its_site(store: Store) -> None:
    plain, titled = replace(VISIT, detail=""), replace(VISIT, detail=SECRET)
    ids = happen(store, [plain, titled, plain, plain])
    predict(store, ids[2], [titled]), predict(store, ids[3], [plain])
    assert forget(store, ForgetQuery(text=SECRET))["amended"] == 1
    assert [len(entries) for entries in left(store, PredictionRow, "candidates")] == [0, 1]


def test_forget_time_span_keeps_names_seen_elsewhere(store: Store) -> None:
    ids = happen(store, [START_OF, START_OF, VISIT, FOCUS, FOCUS])
    predict(store, ids[3], [START_OF]), predict(store, ids[4], [VISIT])
    span = ForgetQuery(since=START + timedelta(minutes=1), until=START + timedelta(minutes=3))
    assert forget(store, span) == {"events": 2, "amended": 1}
    assert [len(entries) for entries in left(store, PredictionRow, "candidates")] == [1, 0]


def test_forget_scope_leaves_other_scopes(store: Store) -> None:
    [mine] = happen(store, [VISIT])
    [theirs] = happen(store, [VISIT], "bob@host")
    predict(store, mine, [VISIT])
    kept = predict(store, theirs, [VISIT], "bob@host")
    with store.write() as session:
        for scope in (SCOPE, "bob@host"):
            session.add(CheckpointRow(scope=scope, version="builtin", generation=0, seq=1, weights={}))
    forget(store, ForgetQuery(site="shop.example", scope=SCOPE))
    assert left(store, EventRow) == [theirs] and left(store, PredictionRow) == [kept]
    assert left(store, CheckpointRow, "scope") == ["bob@host"]
    with store.read() as session:
        assert {row.name: row.generation for row in session.scalars(select(ScopeRow))} == {SCOPE: 2, "bob@host": 0}


def register(store: Store, home: Home, name: str, span: tuple[int, int] | None, scope: str = SCOPE) -> Path:
    """Register a version trained on the events between two times, given in minutes after the start."""
    folder = home.models / name
    folder.mkdir()
    ends = {"span": [(START + timedelta(minutes=end)).isoformat() for end in span]} if span else {}
    with store.write() as session:
        versions.add_version(session, name, scope, base="builtin", path=str(folder), parent=None, metrics=ends)
    return folder


def test_forget_deletes_versions_trained_on_events(store: Store, home: Home) -> None:
    happen(store, [FOCUS, VISIT, FOCUS])
    for name, span in (("before", (0, 0)), ("with", (0, 2)), ("after", (2, 2)), ("unknown", None)):
        register(store, home, name, span)
    register(store, home, "theirs", (0, 2), "bob@host")
    with store.write() as session:
        versions.record_active(session, SCOPE, "with")
        versions.find_version(session, "after").metrics = {"span": [START.isoformat()] * 2, "replaces": {SCOPE: "with"}}
    forget(store, ForgetQuery(site="shop.example"))
    assert left(store, VersionRow) == ["after", "before", "theirs"]
    with store.read() as session:
        assert versions.find_serving(session, SCOPE, SCOPE) is None
        assert versions.find_version(session, "after").metrics["replaces"] == {SCOPE: "builtin"}


def test_forget_makes_a_training_on_the_rest_due(store: Store, home: Home) -> None:
    happen(store, [FOCUS, VISIT, *[FOCUS] * 9])
    with store.write() as session:
        run = runs.add_run(session, runs.TRAIN, SCOPE)
        assert run is not None
        runs.record_result(session, run.id, "done", {})
    schedule = ScheduleSettings(retrain_actions=10)
    for span, is_due in (((5, 9), False), ((0, 99), True)):
        register(store, home, f"v{span[0]}", span)
        forget(store, ForgetQuery(site="shop.example"))
        with store.read() as session:
            assert find_outlook(session, SCOPE, schedule, datetime.now(UTC)).is_due is is_due
        happen(store, [VISIT])


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_forgotten_title_is_in_no_file_of_a_trained_version(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights that it trained are gone with all else, and those of a version made of the rest are other ones."""
    for name, value in (("EPOCHS", 1), ("RANK", 2), ("MINIMUM_EVENTS", 50)):
        monkeypatch.setenv(f"MEMO_TRAIN__{name}", str(value))
    secret = event(Operation.WINDOW_FOCUS, "Zeugnis-7f3a9", "editor")
    happen(store, [secret, FOCUS, VISIT] * 30 + [FOCUS, VISIT] * 20)
    trained = [train_version(store, home), train_version(store, home)]
    assert "memo.db-wal" in holders(home, secret.target)
    folders = [folder_of(home, name) for name in trained]
    weights = {manifest.read(folder)["content"] for folder in folders}
    assert len(weights) == 1, "the same events make the same weights"
    query = ForgetQuery(text=secret.target)
    assert sorted(erasure.forget(store, Settings.load(), home, query, lambda _done, _total: None).versions) == trained
    assert not any(folder.exists() for folder in folders) and holders(home, secret.target) == []
    name = train_version(store, home)
    assert name not in trained, "an id of its own"
    again = folder_of(home, name)
    assert manifest.read(again)["content"] not in weights and manifest.read(again)["parent"] is None
    assert holders(home, secret.target) == []


def folder_of(home: Home, version: str) -> Path:
    [folder] = home.models.glob(f"{version}-*")
    return folder


def train_version(store: Store, home: Home) -> str:
    settings = Settings.load()
    forgotten, happened = find_last_forgotten(store), find_events(store, settings, SCOPE)
    name = make_version(store, home, settings, happened, SCOPE, lambda _done, _total: None, forgotten)
    with store.write() as session:
        activate(session, SCOPE, name)
    return name


def holders(home: Home, text: str) -> list[str]:
    """Return the names of the files of a home that hold a text."""
    return sorted(path.name for path in home.root.rglob("*") if path.is_file() and text.encode() in path.read_bytes())


def test_version_built_during_forget_is_not_registered(
    store: Store, settings: Settings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(_events: object, _settings: object, out: Path, *_: object) -> dict[str, Any]:
        out.mkdir()
        forget(store, ForgetQuery(site="shop.example"))
        return {}

    monkeypatch.setattr("training.build_version.train_adapter", train)
    happen(store, [VISIT])
    with store.read() as session:
        seen = events.find_newest_events(session, SCOPE)
    before = find_last_forgotten(store)
    with pytest.raises(MemoError, match="forgotten while"):
        make_version(store, home, settings, seen, SCOPE, lambda _done, _total: None, before)
    assert list(home.models.iterdir()) == [] and left(store, VersionRow) == []


def test_forget_keeps_cursor_and_deletes_its_digests(store: Store, settings: Settings, home: Home) -> None:
    intake = Intake(store, settings, home, lambda _scope: None)
    intake.store_batches(
        "inbox", Batch([replace(VISIT, scope=SCOPE), replace(FOCUS, scope=SCOPE)], "1:1", {"offset": 9})
    )
    forget(store, ForgetQuery(site="shop.example"))
    intake.store_batches("inbox", Batch([replace(FILE, scope=SCOPE)], "1:1", {"offset": 20}))
    keys = {key.partition(".")[0] for key in left(store, EventRow, "line_key")}
    with store.read() as session:
        stored = cursors.find_cursor(session, "inbox", "1:1")
    assert stored is not None and stored["cursor"] == {"offset": 20}
    assert stored["repeats"].keys() == keys and len(keys) == 2


class Alone(Serving):
    """Serves predictors without a language model, and notes their first weights."""

    def __init__(self, opened: Resources, before: Callable[[], None] = lambda: None) -> None:
        super().__init__(opened.settings.model)
        self.weights: list[dict[str, Any] | None] = []
        self._before = before

    def predictor(self, version: str, folder: Path | None, weights: dict[str, Any] | None = None) -> MixedPredictor:
        self.weights.append(weights)
        before = self._before

        class Slow(MixedPredictor):
            def predict(self, window: Sequence[Event], top: int) -> Any:
                before()
                return super().predict(window, top)

        return Slow(None, weights)


@pytest.fixture
def opened(store: Store, settings: Settings, redis_url: str, home: Home) -> Iterator[Resources]:
    given = settings.model_copy(update={"broker_url": redis_url})
    context = Resources(home, given, store, Publisher(redis_url), make_app(redis_url))
    yield context
    context.publisher.close()
    context.queue.close()


def names(opened: Resources) -> set[str]:
    with opened.store.read() as session:
        rows = session.scalars(select(PredictionRow).order_by(PredictionRow.id)).all()
        return {one["action"]["target"] for row in rows for one in (*row.candidates, *row.upcoming)}


def test_worker_after_forget_predicts_without_it(opened: Resources) -> None:
    looker, serving = ScopeUpdater(opened), Alone(opened)
    looker.models.serving = serving
    for one in (VISIT, FOCUS, VISIT, FOCUS):
        happen(opened.store, [one])
        looker.update(SCOPE)
    assert VISIT.target in names(opened)
    forget(opened.store, ForgetQuery(site="shop.example"))
    happen(opened.store, [FOCUS])
    looker.update(SCOPE)
    assert names(opened) == {"Inbox"}
    assert serving.weights == [None, None], "weights that learned from it begin by hand"


def test_worker_during_forget_writes_nothing(opened: Resources) -> None:
    def once() -> None:
        if forgets:
            forget(opened.store, forgets.pop())

    looker, forgets = ScopeUpdater(opened), list[ForgetQuery]()
    looker.models.serving = Alone(opened, once)
    happen(opened.store, [VISIT, FOCUS, VISIT, FOCUS])
    forgets.append(ForgetQuery(site="shop.example"))
    looker.update(SCOPE)
    assert left(opened.store, PredictionRow) == [] and left(opened.store, CheckpointRow, "scope") == []
    looker.update(SCOPE)
    assert names(opened) == {"Inbox"}


def test_message_published_after_forget_is_cleared(opened: Resources, redis_url: str) -> None:
    class Late(Publisher):
        def publish(self, messages: Sequence[dict[str, Any]]) -> None:
            forget(opened.store, ForgetQuery(site="shop.example"))
            super().publish(messages)

    ids, prefix = happen(opened.store, [FOCUS]), key_prefix(opened.settings)
    predict(opened.store, ids[0], [VISIT])
    outbox.send(replace(opened, publisher=Late(redis_url, prefix)), SCOPE)
    with Redis.from_url(redis_url) as client:
        assert client.xlen(stream_key(prefix)) == 0


def test_forget_leaves_no_byte_in_sqlite_files(home: Home) -> None:
    settings = Settings(database_url=home.database_url)
    make_store(settings, home)
    store = open_store(settings, home)
    rng = random.Random(1)
    try:
        for _ in range(40):
            secret = [
                replace(VISIT, detail=f"{SECRET} {rng.random()} {'x' * rng.randrange(300)}"),
                replace(FOCUS, target=f"{SECRET} {rng.random()}"),
                event(Operation.PROCESS_START, f"other {rng.random()} {'y' * rng.randrange(200)}"),
            ]
            given = [rng.choice(secret if rng.random() < 0.4 else secret[2:]) for _ in range(50)]
            ids = happen(store, given)
            for number in ids[::5]:
                predict(store, number, rng.choices(given, k=10), coming=rng.choices(given, k=10))
        reader = open_store(settings, home)  # as a part of the stack has it: open, and at rest
        with reader.read() as session:
            assert session.scalar(select(func.count()).select_from(EventRow)) == 2_000
        before = (home.root / "memo.db").stat().st_size
        removed = forget(store, ForgetQuery(text=SECRET.lower()))
        assert 500 < removed["events"] < 1_500 and removed["predictions"] > 100 < removed["amended"]
        assert release_space(store)
        for path in home.root.glob("memo.db*"):
            assert SECRET.encode() not in path.read_bytes(), path
        assert (home.root / "memo.db").stat().st_size < before * 0.9
        assert (home.root / "memo.db-wal").stat().st_size == 0
        reader.close()
    finally:
        store.close()


@pytest.mark.parametrize("pruned", ["by age", "by size"])
def test_retention_deletes_the_oldest_first(store: Store, pruned: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "SHARE", 1.0)
    ids = happen(store, [replace(START_OF, target=f"app {n} {'x' * 1_600}") for n in range(1_500)])
    kept_prediction, gone = predict(store, ids[-1], [FOCUS]), predict(store, ids[0], [FOCUS])
    with store.write() as session:
        session.add(CheckpointRow(scope=SCOPE, version="builtin", generation=0, seq=1_500, weights={}))
    with store.read() as session:
        size = deletion.count_bytes(session)
    long_ago, middle = datetime(2000, 1, 1, tzinfo=UTC), START + timedelta(minutes=1_000)
    most = 2
    assert size > most * 1_000_000
    if pruned == "by age":
        removed = retention.prune(store, long_ago, middle, 0)
        assert removed["events"] == 1_000
    else:
        removed = retention.prune(store, long_ago, long_ago, most)
        assert 0 < removed["events"] < 1_500
        with store.read() as session:
            assert most * 500_000 < deletion.count_bytes(session) <= most * 1_000_000
    assert removed["predictions"] == 1 and left(store, PredictionRow) == [kept_prediction] and gone != kept_prediction
    assert left(store, EventRow) == ids[removed["events"] :]
    with store.read() as session:
        scope = session.get_one(ScopeRow, SCOPE)
        assert (scope.last_seq, scope.generation) == (1_500, 0), "nothing is learned anew"
    assert left(store, CheckpointRow, "seq") == [1_500]
    assert retention.prune(store, long_ago, long_ago, 0).total() == 0


def test_retention_keeps_open_predictions_settled_later(opened: Resources) -> None:
    looker = ScopeUpdater(opened)
    looker.models.serving = Alone(opened)
    for one in (FOCUS, VISIT, START_OF):
        happen(opened.store, [one])
        looker.update(SCOPE)
    retention.prune(opened.store, datetime(2000, 1, 1, tzinfo=UTC), START + timedelta(minutes=1, seconds=30), 0)
    happen(opened.store, [FOCUS])
    looker.update(SCOPE)
    with opened.store.read() as session:
        rows = session.scalars(select(PredictionRow).order_by(PredictionRow.id)).all()
        assert [row.outcome_target for row in rows] == ["Inbox", None]
        assert predictions.find_last_predicted_seq(session, SCOPE) == 4


# the commands


@pytest.fixture
def filled(store: Store, home: Home) -> list[int]:
    return happen(store, ALL)


def test_forget_command_shows_and_asks_first(store: Store, filled: list[int]) -> None:
    happen(store, [replace(VISIT, detail="\x1b[2J\u202ered")])
    shown = memo("forget", "--site", "shop.example", typed="n\n")
    assert shown.exit_code == 1 and len(targets(store)) == 6
    assert "2 events from 2026-03-02 01:02:00 to 2026-03-02 01:05:00" in shown.stdout
    assert "2 web_visit" in shown.stdout and "Balance 100%" in shown.stdout
    assert "\x1b" not in shown.stdout and "\u202e" not in shown.stdout
    assert str(shown.exception) == "Nothing was forgotten."
    assert memo("forget", "--site", "shop.example", typed="y\n").exit_code == 0
    assert len(targets(store)) == 4


@pytest.mark.usefixtures("filled")
def test_forget_command_without_answer_deletes_nothing(store: Store) -> None:
    nobody = memo("forget", "--all")
    assert getattr(nobody.exception, "exit_code", None) == 2 and "--yes" in str(nobody.exception)
    assert len(targets(store)) == len(ALL)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("words", [(), ("--all", "--app", "x"), ("--since", "sometime"), ("--until", "never")])
def test_forget_command_used_wrongly_exits_2(store: Store, words: tuple[str, ...]) -> None:
    wrong = memo("forget", *words, "--yes")
    assert getattr(wrong.exception, "exit_code", None) == 2 and any(
        word in str(wrong.exception) for word in words[:1] or ("--all",)
    )
    assert len(targets(store)) == len(ALL)


@pytest.mark.usefixtures("filled")
def test_forget_command_json_without_yes_deletes_nothing(store: Store) -> None:
    seen = json.loads(memo("forget", "--app", "thunderbird", "--json").stdout)
    assert (seen["events"], seen["forgotten"], seen["scopes"]) == (2, False, {SCOPE: 2})
    assert seen["kinds"] == {"window_focus": 1, "process_start": 1}
    assert len(targets(store)) == len(ALL)
    done = json.loads(memo("forget", "--app", "thunderbird", "--json", "--yes").stdout)
    assert (done["events"], done["forgotten"]) == (2, True)
    assert len(targets(store)) == len(ALL) - 2
    assert json.loads(memo("forget", "--app", "thunderbird", "--json", "--yes").stdout)["forgotten"] is False


def test_forget_app_matches_any_of_its_names(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "applications").mkdir()
    entry = "[Desktop Entry]\nType=Application\nName=Terminal\nExec=/usr/bin/xterm\nStartupWMClass=XTerm\n"
    (tmp_path / "applications/debian-xterm.desktop").write_text(entry)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    run, used = event(Operation.PROCESS_START, "gone", executable="/opt/Gone"), event(Operation.APP_USAGE, "gone")
    script = event(Operation.PROCESS_START, "notes", executable="/usr/bin/python3.11")
    happen(store, [event(Operation.APP_USAGE, "debian-xterm"), event(Operation.WINDOW_FOCUS, "~", "XTerm"), run, used])
    happen(store, [script])
    for name, apps in (
        ("xterm", ["XTerm", "debian-xterm"]),
        ("TERMINAL", ["debian-xterm"]),
        ("gone", ["gone"]),
        ("python3.11", []),
    ):
        seen = json.loads(memo("forget", "--app", name, "--json").stdout)
        assert (seen["apps"], seen["events"]) == (apps, 2 if name != "TERMINAL" and apps else len(apps)), name
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "removed"))
    assert "Names of the app: gone\n" in memo("forget", "--app", "Gone", "--yes").stdout
    assert targets(store) == ["debian-xterm", "~", "notes"]


def test_forget_command_without_match_exits_0(store: Store, filled: list[int]) -> None:
    nothing = memo("forget", "--text", "nowhere")
    assert nothing.exit_code == 0 and "Nothing" in nothing.stdout
    assert left(store, EventRow) == filled


def test_forget_clears_files(store: Store, home: Home, filled: list[int]) -> None:
    secret = event(Operation.PROCESS_START, SECRET)
    ids = happen(store, [secret, FOCUS])
    kept, gone = predict(store, ids[1], [FOCUS]), predict(store, ids[0], [FOCUS])
    for number, action in ((kept, FOCUS.action), (gone, FOCUS.action), (kept, secret.action), (10**6, FOCUS.action)):
        context = DispatchContext(number, SCOPE, START, START)
        RecordHandler(Settings(), home).handle(Candidate(action, 0.5, START), context)
    shutil.copy(home.root / "dispatched.jsonl", home.root / "dispatched.jsonl.1")
    for name in ("worker.log", "worker.out", "worker.log.1"):
        (home.logs / name).write_text(f"failed at {SECRET}")
    for name in (SECRET, "other"):
        (home.rejects / f"{name}.jsonl").write_text(json.dumps({"file": f"{name}.txt", "line": 1}) + "\n")
    folder = register(store, home, "v1", (0, 100))
    (home.models / "unfinished-1").mkdir()
    (home.broker / "appendonlydir").mkdir(parents=True)
    (home.broker / "appendonlydir" / "appendonly.aof").write_text(SECRET)
    home.standby.touch()
    done = memo("forget", "--text", SECRET, "--yes")
    assert done.exit_code == 0 and "v1" in done.stdout
    assert not home.standby.exists(), "the process that stands by holds texts of its first list"
    for path in home.root.rglob("*"):
        assert SECRET not in path.name and (not path.is_file() or SECRET.encode() not in path.read_bytes()), path
    assert not folder.exists() and not list(home.models.iterdir())
    for name in ("dispatched.jsonl", "dispatched.jsonl.1"):
        text = (home.root / name).read_text()
        assert [json.loads(line)["prediction"] for line in text.splitlines()] == [kept]
        assert stat.S_IMODE((home.root / name).stat().st_mode) == 0o600
    assert (home.rejects / "other.jsonl").exists()


def test_interrupted_line_is_left_out_and_deleted(store: Store, home: Home, filled: list[int]) -> None:
    """It spoils neither the next line nor an export, and a forget deletes it."""
    file, reject = home.root / "dispatched.jsonl", home.rejects / "some.jsonl"
    torn = f'{{"prediction": 1, "action": "{SECRET} é'.encode()[:-1]
    file.write_bytes(torn)
    reject.write_bytes(torn)
    kept = predict(store, filled[0], [FOCUS])
    for _ in range(2):
        RecordHandler(Settings(), home).handle(
            Candidate(FOCUS.action, 0.5, START), DispatchContext(kept, SCOPE, START, START)
        )
    whole = json.loads(memo("export", "--format", "json").stdout)
    assert [line["prediction"] for line in whole["records"]] == [kept, kept] and whole["rejects"] == []
    assert memo("forget", "--text", "balance", "--yes").exit_code == 0
    assert [json.loads(line)["prediction"] for line in file.read_text().splitlines()] == [kept, kept]
    assert not reject.exists()


def test_forget_app_leaves_it_named_nowhere(store: Store, home: Home) -> None:
    """Neither its launches, nor what a handler did about it, nor the answer to that, nor what it reads."""
    app = event(Operation.PROCESS_START, SECRET, executable=f"/opt/{SECRET}")
    of_app, other = happen(store, [app, FOCUS])
    soon, kept = predict(store, other, [FOCUS], coming=[app]), predict(store, other, [FOCUS], version="v1")
    result = {"files": 2, "cold": True}
    with store.write() as session:
        claim = dispatches.Claim(soon, SCOPE, "preload_app", app.action, 0.5, dispatches.DONE, cost=Cost(1.0, 9))
        [number] = dispatches.add_claims(session, [claim]).values()
        session.execute(update(DispatchRow).where(DispatchRow.id == number).values(result=result, outcome="hit"))
        feedback.add_answer(session, session.get_one(PredictionRow, soon), action_as_dict(app.action), Answer.YES)
        for name in (SECRET, "thunderbird"):
            values = {"major_faults": 1, "read_bytes": 1, "known_bytes": 1}
            launches.add_launch(
                session, LaunchRow(scope=SCOPE, app=name, executable=f"/opt/{name}", at=START, **values)
            )
            known = LaunchSet(name, f"/opt/{name}", (1, 2, 3), START, ("2026-03-02",), {"/opt/x": ()})
            launch_sets.record_launch_set(session, SCOPE, known, None)
    assert of_app and memo("forget", "--app", SECRET.upper(), "--yes").exit_code == 0
    with store.read() as session:
        whole = {
            table.name: [str(row) for row in session.execute(select(table))] for table in Base.metadata.sorted_tables
        }
    assert not [name for name, rows in whole.items() if any(SECRET in row for row in rows)]
    assert [len(whole[name]) for name in ("events", "launches", "dispatches", "feedback")] == [1, 1, 2, 0]
    assert left(store, PredictionRow) == [soon, kept]
    for path in home.root.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path
    assert stored_launch_sets(store).keys() == {"thunderbird"}


def break_off(module: ModuleType, step: str, *words: str) -> None:
    """Forget, and end the command as it comes to a step."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, step, Mock(side_effect=KeyboardInterrupt))
        assert memo("forget", *words, "--yes").exit_code


@pytest.mark.parametrize("known_by", ["launch", "launch set"])
def test_forget_program_interrupted_is_completed(store: Store, home: Home, known_by: str) -> None:
    """What the app is called is then told by its launches, or by what it reads, alone."""

    app = event(Operation.PROCESS_START, "gone", executable="/opt/Program")
    _, other = happen(store, [app, FOCUS])
    predict(store, other, [app])
    if known_by == "launch":
        with store.write() as session:
            values = {"major_faults": 1, "read_bytes": 1, "known_bytes": 1}
            launches.add_launch(
                session, LaunchRow(scope=SCOPE, app="gone", executable="/opt/Program", at=START, **values)
            )
    else:
        store_launch_set(store, LaunchSet("gone", "/opt/Program", (1, 2, 3), START))
    break_off(erase_rows, "erase_launches", "--app", "program")
    assert targets(store) == ["Inbox"]
    assert memo("forget", "--app", "program", "--yes").exit_code == 0
    assert left(store, PredictionRow, "candidates") == [[]] and left(store, LaunchRow) == []
    assert stored_launch_sets(store) == {}


def test_forget_interrupted_at_events_is_completed(
    store: Store, home: Home, filled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_, last = happen(store, [event(Operation.WINDOW_FOCUS, f"{SECRET} {n}", app="a") for n in range(4)], "bob")
    named = predict(store, first, [FOCUS], scope="bob")
    register(store, home, "v1", (0, 1), scope="bob")
    remove, calls = deletion.delete_events, list[Sequence[int]]()

    def broken_off(session: Session, ids: Sequence[int]) -> Counter[str]:
        calls.append(ids)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return remove(session, ids)

    monkeypatch.setattr(deletion, "delete_events", broken_off)
    monkeypatch.setattr("forget.erase_rows.BatchPace", partial(BatchPace, 1))
    assert memo("forget", "--text", SECRET, "--yes").exit_code
    assert first not in left(store, EventRow) and last in left(store, EventRow)
    assert named not in left(store, PredictionRow) and left(store, VersionRow) == []
    assert memo("forget", "--text", SECRET, "--yes").exit_code == 0
    assert left(store, EventRow) == filled


def test_forget_interrupted_at_files_is_completed(store: Store, home: Home, filled: list[int]) -> None:
    happen(store, [event(Operation.PROCESS_START, SECRET)])
    log = home.logs / "worker.log"
    log.write_text(f"failed at {SECRET}")
    break_off(erase_files, "empty_logs", "--text", SECRET)
    assert left(store, EventRow) == filled and SECRET in log.read_text()
    assert memo("forget", "--text", SECRET, "--yes").exit_code == 0
    assert log.read_text() == ""
    assert "Nothing" in memo("forget", "--text", SECRET, "--yes").stdout


def test_forget_interrupted_after_predictions_is_completed(store: Store, home: Home, filled: list[int]) -> None:
    """Only a prediction names the text, as its event was pruned: once that is amended, no row matches."""

    predict(store, filled[0], [event(Operation.PROCESS_START, SECRET)])
    log = home.logs / "worker.log"
    log.write_text(f"failed at {SECRET}")
    break_off(erase_rows, "erase_knowledge", "--text", SECRET)
    assert left(store, PredictionRow, "candidates") == [[]] and SECRET in log.read_text()
    assert memo("forget", "--text", SECRET, "--yes").exit_code == 0
    assert log.read_text() == ""


def test_forget_interrupted_at_versions_leaves_no_folder(store: Store, home: Home, filled: list[int]) -> None:
    folder = register(store, home, "v1", (0, 100))
    break_off(feedback, "delete_answers", "--text", "balance")  # in the transaction that deletes the version
    assert left(store, VersionRow) == ["v1"] and folder.exists(), "no row leads to a folder that is gone"
    assert memo("forget", "--text", "balance", "--yes").exit_code == 0
    assert left(store, VersionRow) == [] and not folder.exists()


def test_forget_interrupted_after_commit_leaves_no_folder(store: Store, home: Home, filled: list[int]) -> None:
    folder, other = (register(store, home, name, span) for name, span in (("v1", (0, 100)), ("v2", (0, 0))))
    foreign = home.models / "v3"
    foreign.mkdir()
    break_off(erase_files, "remove_versions", "--text", "balance")
    assert left(store, VersionRow) == ["v2"] and folder.exists()
    assert memo("forget", "--text", "balance", "--yes").exit_code == 0
    assert sorted(home.models.iterdir()) == [other, foreign], "a folder of another store stays"


@pytest.mark.parametrize(
    ("words", "is_done"),
    [
        (("--text", SECRET.upper()), True),
        (("--all",), True),
        (("--all", "--scope", SCOPE), False),
        (("--text", "balance"), False),
        (("--text", SECRET, "--since", "2026-03-02"), False),
    ],
)
def test_forget_clears_the_mark_of_its_own_query(
    store: Store, home: Home, filled: list[int], words: tuple[str, ...], is_done: bool
) -> None:
    happen(store, [event(Operation.PROCESS_START, SECRET)])
    break_off(erase_rows, "erase_launches", "--text", SECRET)
    assert not [row for row in left(store, JobRow, "name") if SECRET.casefold() in row]
    with pytest.raises(MemoError, match="`memo forget --text …` is unfinished"):
        CHECKS["store"](home, Settings.load())
    assert memo("forget", *words, "--yes").exit_code == 0
    says = "Another forget: `memo forget --text …` is unfinished"
    assert (says not in memo("forget", "--text", "nowhere").stdout) is is_done
    assert ("Nothing" in memo("forget", "--text", SECRET, typed="n").stdout) is is_done


def test_forget_all_leaves_no_event(store: Store, home: Home, filled: list[int]) -> None:
    predict(store, filled[0], [FOCUS])
    register(store, home, "v1", None)
    (home.rejects / "some.jsonl").write_text(json.dumps({"file": "some", "line": 1}) + "\n")
    assert memo("forget", "--all", "--yes").exit_code == 0
    for table in (EventRow, PredictionRow, DispatchRow, VersionRow):
        assert left(store, table) == []
    assert list(home.rejects.iterdir()) == []
    with store.read() as session:
        assert jobs.find_last_run(session, jobs.FORGET) is not None


def test_export_contains_everything(store: Store, home: Home, filled: list[int]) -> None:
    predict(store, filled[0], [FOCUS])
    register(store, home, "v1", (0, 1))
    out = home.root / "all.jsonl"
    assert memo("export", "--out", str(out)).exit_code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    kinds = [row["kind"] for row in rows]
    assert kinds == [
        "setting",
        "store_identity",
        "scope",
        *["event"] * 5,
        "prediction",
        "predicted_name",
        *["daily_count"] * 2,
        "dispatch",
        "version",
        *["file"] * len(kinds[14:]),
    ]
    assert rows[0]["scope"] == SCOPE and "window" in rows[0]
    assert [row["target"] for row in rows[3:8]] == [one.target for one in ALL]
    assert rows[3]["at"] == START.isoformat() and "line_key" not in rows[3]
    assert rows[8]["candidates"][0]["action"]["target"] == "Inbox"
    whole = json.loads(memo("export", "--format", "json").stdout)
    counts = {kind: len(found) for kind, found in whole.items() if kind != "files"}
    expected = {
        "settings": 1,
        "store_identity": 1,
        "scopes": 1,
        "events": 5,
        "predictions": 1,
        "predicted_names": 1,
        "daily_counts": 2,
        "dispatches": 1,
        "versions": 1,
    }
    assert counts == dict.fromkeys(counts, 0) | expected
    assert whole["events"][0] | {"kind": "event"} == rows[3]
    bobs = json.loads(memo("export", "--format", "json", "--scope", "bob").stdout)
    assert {name for name, found in bobs.items() if found} == {"settings"}


@pytest.mark.usefixtures("filled")
def test_export_contains_every_table_column_and_file(store: Store, home: Home) -> None:
    """A new table, or a new file of MEMO's, has to be in it."""
    with store.write() as session:
        session.add(FeedbackRow(scope=SCOPE, at=NOW, prediction_id=1, after={}, action={}, answer="never"))
        session.add(CheckpointRow(scope=SCOPE, version="builtin", generation=0, seq=1, weights={"a": [0.5]}))
        cursors.record_cursor(session, "web", "firefox", {"cursor": {"visit": 1}})
        redactions.add_redactions(session, "web", Counter(sites=3))
        jobs.record_run(session, "prune", "nothing")
        session.add(RunRow(kind="train", scope=SCOPE, state="queued", created_at=NOW))
    pauses.begin(home, None)
    store_launch_set(store, LaunchSet("gimp", "/usr/bin/gimp", (1, 2, 3), NOW, files={"/usr/lib/gimp.so": ()}))
    rejects.write(home.rejects, "a.txt", [Reject.of("line", 7, "no event", b"x")])
    (home.root / "dispatched.jsonl").write_text(json.dumps({"scope": SCOPE, "prediction": 1}) + "\n")
    (home.learned / "a.pickle").write_bytes(b"1234")
    home.title_key.write_text("a key that nobody else may have")
    lines = [json.loads(line) for line in memo("export").stdout.splitlines()]
    assert [line["run_kind"] for line in lines if line["kind"] == "run"] == ["train"]
    text = memo("export", "--format", "json").stdout
    assert "a key that nobody" not in text
    whole = json.loads(text)
    assert Base.metadata.tables.keys() <= whole.keys()
    for name, table in Base.metadata.tables.items():
        for row in whole[name]:
            assert row.keys() == set(table.c.keys()) - HIDDEN
    assert whole["checkpoints"][0]["weights"] == {"a": [0.5]} and whole["feedback"][0]["answer"] == "never"
    assert whole["redactions"][0]["events"] == 3 and len(whole["cursors"]) == len(whole["jobs"]) == 1
    assert whole["pauses"][0]["until"] is None and whole["launch_sets"][0]["app"] == "gimp"
    assert whole["rejects"][0]["line"] == 7 and whole["records"] == [{"scope": SCOPE, "prediction": 1}]
    own = json.loads(memo("export", "--format", "json", "--scope", SCOPE).stdout)
    without_scopes = {"store_identity", "cursors", "redactions", "jobs"}
    assert {name for name, rows in whole.items() if rows and not own[name]} == without_scopes
    files = {Path(one["path"]): one["bytes"] for one in whole["files"]}
    assert files[home.learned / "a.pickle"] == 4
    assert {path for path in home.root.rglob("*") if path.is_file()} - files.keys() == set()


def test_export_overwrites_only_with_force(store: Store, home: Home, filled: list[int]) -> None:
    out = home.root / "all.json"
    out.write_text("mine")
    refused = memo("export", "--out", str(out))
    assert getattr(refused.exception, "exit_code", None) == 2 and "--force" in str(refused.exception)
    assert out.read_text() == "mine"
    assert memo("export", "--out", str(out), "--force").exit_code == 0
    assert sum('"kind": "event"' in line for line in out.read_text().splitlines()) == len(ALL)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_export_contains_no_password(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_BROKER_URL", "redis://me:hunter2@127.0.0.1:1/0")
    monkeypatch.setenv("MEMO_WEBHOOK__SECRET", SECRET)
    text = memo("export").stdout
    assert "hunter2" not in text and SECRET not in text


@pytest.mark.parametrize("move", [shutil.move, shutil.copytree])
def test_a_moved_or_copied_home_forgets_its_own_weights(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, move: Callable[..., object]
) -> None:
    store = open_store(Settings.load(), home)
    make_store(Settings.load(), home)
    for name in ("v0001", "v0002"):
        folder = register(store, home, name, (0, 100))
        (folder / "weights").touch()
        manifest.write(folder, {})
    with store.write() as session:
        versions.record_active(session, SCOPE, "v0001")
        versions.delete_versions(session, ["v0002"])  # its row is lost, its weights are not
    store.close()
    move(home.root, tmp_path / "moved")
    monkeypatch.setenv("MEMO_HOME", str(tmp_path / "moved"))
    moved = Home.find()
    with closing(open_store(Settings.load(), moved)) as opened:
        assert find_active_version(Settings(scope=SCOPE), moved) == Usable("v0001", moved.models / "v0001")
        erasure.forget(opened, Settings.load(), moved, ForgetQuery(), lambda _done, _total: None)
    assert list(moved.models.iterdir()) == []
    assert not home.models.exists() or sorted(path.name for path in home.models.iterdir()) == ["v0001", "v0002"]
    home.root.mkdir(exist_ok=True)


def test_what_can_not_be_changed_is_named(
    store: Store, home: Home, filled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = register(store, home, "v0001", (0, 100))
    touch = Path.touch

    def refuse(path: Path, *given: Any, **named: Any) -> None:
        if folder in path.parents:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        touch(path, *given, **named)

    monkeypatch.setattr(Path, "touch", refuse)
    done = memo("forget", "--all", "--yes")
    assert isinstance(done.exception, MemoError) and str(folder) in str(done.exception)
    monkeypatch.undo()


@pytest.mark.parametrize("place", ["models/unfinished-1", "backups", "broker"])
def test_what_can_not_be_deleted_is_named(
    store: Store, home: Home, filled: list[int], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (home.root / place).mkdir(parents=True, exist_ok=True)
    with monkeypatch.context() as patched:  # the home itself is deleted afterwards
        patched.setattr(shutil, "rmtree", lambda *_, **__: None)
        done = memo("forget", "--all", "--yes")
    assert done.exit_code and place in str(done.exception) and "can't be deleted" in str(done.exception)
