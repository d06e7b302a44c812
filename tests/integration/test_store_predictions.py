import json
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import event as listening
from sqlalchemy import func, select
from stores import store_events

from db.dispatch import dispatches
from db.engine import Store
from db.intake import events
from db.models import DispatchRow, EventRow, PredictionRow
from db.prediction import messages, predictions, versions
from db.prediction.predictions import Answers
from db.upkeep import deletion, figures, health
from memo.core.errors import MemoError
from memo.core.events import Action, Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.history import COLUMNS, rows
from memo.messaging.stored_messages import find_messages_after
from memo.store.public_views import open_query

SCOPE = "ada@host"
START = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
MADE = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
ACTION = {"operation": "process_start", "target": "b", "place": ""}
LOG = dispatches.Claim(0, SCOPE, "log", Action(Operation.PROCESS_START, "b"), 0.5)
ENDED = {"status": "done", "detail": "", "duration_ms": 1.5, "result": {}, "cost_ms": 2.5, "read_bytes": 7}


def happen(store: Store, names: str, scope: str = SCOPE, at: datetime = START) -> list[int]:
    """Store one start of an app for each letter, and return the ids of the events."""
    happened = [Event(at + timedelta(seconds=n), Operation.PROCESS_START, name) for n, name in enumerate(names)]
    with store.write() as session:
        return store_events(session, scope, happened)


def predict(store: Store, event_id: int, **given: Any) -> int:
    """Store a prediction after an event, with the given fields changed, and return its id."""
    fields: dict[str, Any] = {
        "scope": SCOPE,
        "made_at": MADE,
        "model_version": "v1",
        "operation": "process_start",
        "target": "b",
        "app": "",
        "probability": 0.5,
        "expected_at": MADE,
        "candidates": [{"action": ACTION}],
        "upcoming": [],
        "new_probability": 0.1,
        "latency_ms": 2.5,
    }
    with store.write() as session:
        row = PredictionRow(last_event_id=event_id, **fields | given)
        predictions.record_answers(session, Answers(made=[row]))
        return row.id


def settle(store: Store, prediction_id: int, event_id: int, rank: int | None) -> None:
    with store.write() as session:
        row = session.get_one(PredictionRow, prediction_id)
        session.expunge(row)
        row.outcome_event_id, row.outcome_operation, row.outcome_target = event_id, "process_start", "b"
        row.outcome_rank = rank
        predictions.record_answers(session, Answers(settled=[row]))


def read(store: Store, prediction_id: int) -> PredictionRow:
    with store.read() as session:
        found = predictions.find_prediction(session, prediction_id)
    assert found is not None
    return found


def test_prediction_is_unique_for_an_event_and_a_version(store: Store) -> None:
    [event] = happen(store, "a")
    predict(store, event)
    with store.read() as session:
        assert predictions.has_prediction(session, SCOPE, 1, "v1")
        assert not predictions.has_prediction(session, SCOPE, 1, "v2")
        assert predictions.find_last_predicted_seq(session, SCOPE) == 1
        assert predictions.find_last_predicted_seq(session, "nobody") == 0
    assert predict(store, event) is None, "the first one stands"
    assert predict(store, event, model_version="v2")


def test_outcome_is_written_once(store: Store) -> None:
    first, second, third = happen(store, "abc")
    earlier, later = predict(store, first), predict(store, second)
    with store.read() as session:
        assert [(row.id, seq) for row, seq in predictions.find_unsettled(session, SCOPE)] == [(earlier, 1), (later, 2)]
    settle(store, earlier, second, 1)
    settle(store, earlier, third, None)
    assert (read(store, earlier).outcome_event_id, read(store, earlier).outcome_rank) == (second, 1)
    with store.read() as session:
        assert [row.id for row, _ in predictions.find_unsettled(session, SCOPE)] == [later]


def test_scope_is_unasked_until_predicted_and_published(store: Store) -> None:
    first, second = happen(store, "ab")
    happen(store, "z", scope="done@host")

    def asking() -> set[str]:
        with store.read() as session:
            return set(predictions.find_unasked_scopes(session))

    with store.read() as session:
        [done] = session.scalars(select(EventRow.id).where(EventRow.scope == "done@host"))
    other = predict(store, done, scope="done@host")
    older = predict(store, first)
    with store.write() as session:
        predictions.record_published(session, [other, older])
    assert asking() == {SCOPE}, "its newest event has no prediction"
    newest = predict(store, second)
    assert asking() == {SCOPE}, "it was not sent"
    with store.read() as session:
        assert [(row.id, event.id) for row, event in predictions.find_unsent(session, SCOPE, 10)] == [(newest, second)]
    with store.write() as session:
        predictions.record_published(session, [newest])
        predictions.record_dispatched(session, newest)
    assert asking() == set()
    assert read(store, newest).dispatched_at is not None and read(store, older).dispatched_at is None


def test_prediction_that_does_not_come_is_told(store: Store, home: Home) -> None:
    def told() -> list[str]:
        with store.read() as session:
            return health.find_problems(session, Settings(), home, is_running=True)

    [event] = happen(store, "a")
    assert told() == [], "it has a minute"
    with store.write() as session:
        session.get_one(EventRow, event).stored_at -= timedelta(minutes=2)
    [said] = told()
    assert said.startswith(f"The newest event of {SCOPE}, stored at") and str(home.logs / "worker.log") in said
    predict(store, event)
    assert told() == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_frequent_queries_scan_no_table(store: Store) -> None:
    """By the plan of a database without statistics, as ours has none; Postgres reads a table as small as this whole."""
    happen(store, "a")
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        asked.append((statement, values))

    listening.listen(store.reader, "before_cursor_execute", note)
    with store.read() as session:
        predictions.find_unasked_scopes(session)
        predictions.find_unsent(session, SCOPE, 10)
        listening.remove(store.reader, "before_cursor_execute", note)
        plans = [
            [row[3] for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
            for statement, values in asked
            if statement.startswith("SELECT")
        ]
    [unasked, unsent] = plans
    assert [step for step in unasked if "SCAN" in step] == ["SCAN scopes"]
    assert unsent[0] == "SEARCH predictions USING INDEX ix_predictions_unsent (scope=?)"
    assert not [step for plan in plans for step in plan if "TEMP B-TREE" in step]


def test_pruning_deletes_dispatches_too(store: Store) -> None:
    first, second = happen(store, "ab")
    old, new = predict(store, first), predict(store, second, made_at=MADE + timedelta(seconds=1))
    with store.write() as session:
        for number in (old, new):
            dispatches.add_claims(session, [replace(LOG, prediction_id=number)])
    with store.write() as session:
        before = MADE.astimezone(START.tzinfo) + timedelta(microseconds=1)
        assert deletion.delete_predictions(session, PredictionRow.made_at < before) == {
            "predictions": 1,
            "dispatches": 1,
        }
    with store.read() as session:
        assert session.scalars(select(PredictionRow.id)).all() == [new]
        assert session.scalars(select(DispatchRow.prediction_id)).all() == [new]


def test_history_is_the_same_on_each_database(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    first, second, third = happen(store, "abc")
    nothing = {"operation": None, "target": None, "app": None, "probability": None, "expected_at": None}
    ids = [
        predict(store, first),
        predict(store, second, made_at=MADE + timedelta(seconds=1), **nothing),
        predict(store, third, made_at=MADE + timedelta(seconds=2), model_version="v'2 %s"),
    ]
    settle(store, ids[0], second, 1)
    with store.write() as session:
        [claimed] = dispatches.add_claims(session, [replace(LOG, prediction_id=ids[0])]).values()
        dispatches.record_results(session, [ENDED | {"id": claimed}])

    found = rows()
    assert found[0] == {
        "id": ids[0],
        "scope": SCOPE,
        "made_at": MADE,
        "last_event_id": first,
        "model_version": "v1",
        "action": "process_start",
        "target": "b",
        "app": "",
        "probability": 0.5,
        "expected_at": MADE,
        "latency_ms": 2.5,
        "outcome_action": "process_start",
        "outcome_target": "b",
        "outcome_rank": 1,
        "dispatched": 1,
        "person_action": None,
        "person_target": None,
        "person_app": None,
        "place_rank": None,
        "person_rank": None,
        "upcoming_action": None,
        "upcoming_target": None,
        "upcoming_app": None,
        "upcoming_rank": None,
    }
    assert list(found[0]) == list(COLUMNS)
    assert found[0]["made_at"].utcoffset() == timedelta(0)
    assert [row["model_version"] for row in found] == ["v1", "v1", "v'2 %s"]
    assert found[1]["expected_at"] is None and found[1]["outcome_rank"] is None

    def chosen(since: datetime | None = None, scope: str | None = None, limit: int | None = None) -> list[int]:
        return [row["id"] for row in rows(since, scope, limit)]

    since = (MADE + timedelta(seconds=1)).astimezone(START.tzinfo)
    assert chosen(since=since) == ids[1:]
    assert chosen(since=since + timedelta(microseconds=1)) == ids[2:]
    assert chosen(limit=2) == ids[1:]
    assert chosen(scope=SCOPE) == ids and chosen(scope="' OR 1 = 1 --") == []


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
@pytest.mark.own_database
def test_history_without_tables_raises_one_sentence(
    database_url: str, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(home.database_url.removeprefix("sqlite:///"))) as others:
        others.execute("CREATE TABLE another (x)")
    for url in (home.database_url, database_url):
        monkeypatch.setenv("MEMO_DATABASE_URL", url)
        with pytest.raises(MemoError, match="prediction_history.*memo doctor"):
            rows()
    monkeypatch.setenv("MEMO_DATABASE_URL", "postgresql+psycopg://ada:secret@127.0.0.1:1/memo")
    with pytest.raises(MemoError, match="127.0.0.1:1/.*memo doctor") as raised:
        rows()
    assert "secret" not in str(raised.value)


def sent(store: Store, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """Return messages from the public views, which are equal to those that the worker publishes."""
    settings = Settings(database_url=store.reader.url.render_as_string(hide_password=False))
    with open_query(settings) as query:
        found = find_messages_after(query, after, limit, "en")
    select_pairs = select(PredictionRow, EventRow).join(EventRow, PredictionRow.last_event_id == EventRow.id)
    with store.read() as session:
        pairs = session.execute(select_pairs.where(PredictionRow.id > after).order_by(PredictionRow.id).limit(limit))
        assert messages.build_messages(session, [(row, event) for row, event in pairs], "en") == found
    return found


def test_message_reports_each_outcome_once(store: Store) -> None:
    a, b, c, d = happen(store, "abcd")
    first = predict(store, a)
    settle(store, first, b, 2)
    second = predict(store, c)  # b was superseded by c before it was predicted
    settle(store, second, d, None)
    third = predict(store, d)
    told = [
        [(one["id"], one["rank"], one["action"]["target"]) for one in message["settled"]] for message in sent(store)
    ]
    assert told == [[], [(first, 2, "b")], [(second, None, "d")]]
    assert [message["event"]["text"] for message in sent(store)] == [
        f"2026-03-02 09:00:0{second} - Started app: {name}" for second, name in ((0, "a"), (2, "c"), (3, "d"))
    ]
    assert sent(store)[2]["event"]["at"] == "2026-03-02T09:00:03+08:00"
    assert [message["id"] for message in sent(store, after=first)] == [second, third]
    assert [message["id"] for message in sent(store, limit=2)] == [first, second]


def test_upcoming_outcome_is_in_history_message_and_figures(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    a, b, c = happen(store, "abc")
    hit, miss = predict(store, a), predict(store, b)
    with store.read() as session:
        unjudged = predictions.find_unjudged(session, SCOPE, 3, 20, predictions.UPCOMING_OUTCOME)
    assert [(row.id, seq, at) for row, seq, at in unjudged] == [
        (hit, 1, START.astimezone(UTC)),
        (miss, 2, (START + timedelta(seconds=1)).astimezone(UTC)),
    ]
    for (row, *_), event, rank in zip(unjudged, (b, c), (4, None), strict=True):
        row.upcoming_event_id, row.upcoming_rank = event, rank
    with store.write() as session:
        predictions.record_answers(session, Answers(by_wants=[row for row, *_ in unjudged]))
    with store.read() as session:
        assert not predictions.find_unjudged(session, SCOPE, 3, 20, predictions.UPCOMING_OUTCOME)
        assert len(predictions.find_unjudged(session, SCOPE, 3, 20, predictions.PERSON_OUTCOME)) == 2
        found = figures.find_figures(session, SCOPE)
    assert (found["wants"], found["upcoming@3"], found["upcoming@5"]) == (2, 0.0, 0.5)
    shown = [(row["upcoming_action"], row["upcoming_target"], row["upcoming_rank"]) for row in rows()]
    assert shown == [("process_start", "b", 4), ("process_start", "c", None)]
    predict(store, c)
    told = [
        [(one["id"], one["rank"], one["action"]["target"]) for one in message["settled_upcoming"]]
        for message in sent(store)
    ]
    assert told == [[], [(hit, 4, "b")], [(miss, None, "c")]]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_messages_are_found_without_scanning_a_table(store: Store, database_url: str) -> None:
    first, second = happen(store, "ab")
    settle(store, predict(store, first), second, 1)
    predict(store, second)
    plans: list[list[str]] = []
    with open_query(Settings(database_url=database_url)) as query:

        def explained(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
            plans.append([row[3] for row in query(f"EXPLAIN QUERY PLAN {statement}", values)])
            return query(statement, values)

        assert len(find_messages_after(explained, 0, 10, "en")) == 2
    assert len(plans) == 6, "messages, the previous prediction of each, and outcomes of the three kinds"
    assert [step for plan in plans for step in plan if "SCAN" in step] == []


def test_message_settles_only_its_scope_and_version(store: Store) -> None:
    [a, b], [x, y] = happen(store, "ab"), happen(store, "xy", scope="bob@host")
    mine, others = predict(store, a), predict(store, x, scope="bob@host")
    settle(store, mine, b, 1)
    settle(store, others, y, 1)
    predict(store, y, scope="bob@host")
    predict(store, b)
    predict(store, b, model_version="v2")
    told = [[one["id"] for one in message["settled"]] for message in sent(store)]
    assert told == [[], [], [others], [mine], []]


def test_figures_count_stored_rows(store: Store) -> None:
    with store.read() as session:
        empty = figures.find_figures(session, SCOPE)
        assert figures.find_newest_id(session) == 0
    assert (empty["events"], empty["predictions"], empty["settled"], empty["hit@1"]) == (0, 0, 0, None)

    ids = happen(store, "abcde")
    made = [predict(store, event, with_model=event != ids[-1]) for event in ids]
    for prediction, event, rank in zip(made, ids[1:], (1, 3, 5, None), strict=False):
        settle(store, prediction, event, rank)
    with store.read() as session:
        full = figures.find_figures(session, SCOPE)
        assert figures.find_newest_id(session) == made[-1]
    assert (full["events"], full["predictions"], full["without_model"], full["settled"]) == (5, 5, 1, 4)
    assert (full["hit@1"], full["hit@3"], full["hit@5"]) == (0.25, 0.5, 0.75)
    assert full["scopes"][SCOPE] == {
        "version": "builtin",
        **{name: full[name] for name in ("events", *figures.NOTHING)},
    }
    assert json.loads(json.dumps(full)) == full


def test_hit_rates_are_per_scope(store: Store) -> None:
    [a, b], [x, y] = happen(store, "ab"), happen(store, "xy", scope="sample@memo")
    settle(store, predict(store, x, scope="sample@memo"), y, 1)
    with store.write() as session:
        versions.add_version(session, "v1", SCOPE, base="", path="", parent=None, metrics={})
        versions.record_active(session, SCOPE, "v1")
    with store.read() as session:
        found = figures.find_figures(session, SCOPE)
    assert (found["events"], found["predictions"], found["settled"], found["hit@1"]) == (4, 1, 0, None)
    assert [(name, one["hit@1"]) for name, one in found["scopes"].items()] == [(SCOPE, None), ("sample@memo", 1)]
    assert {one["version"] for one in found["scopes"].values()} == {"v1"}, "what serves it"
    settle(store, predict(store, a), b, None)
    with store.read() as session:
        found = figures.find_figures(session, SCOPE)
    assert (found["predictions"], found["settled"], found["hit@1"]) == (2, 1, 0)


def test_action_is_found_if_it_happened_before_a_time(store: Store) -> None:
    happen(store, "ab")
    with store.read() as session:

        def found(target: str, seconds: int) -> bool:
            action = Action(Operation.PROCESS_START, target)
            return events.has_action(session, SCOPE, action, before=START + timedelta(seconds=seconds))

        assert [found("a", 0), found("a", 1), found("b", 1), found("b", 2), found("c", 9)] == [
            False,
            True,
            False,
            True,
            False,
        ]


def claim(store: Store, prediction_id: int, handler: str = "log") -> int | None:
    with store.write() as session:
        one = replace(LOG, prediction_id=prediction_id, handler=handler)
        return dispatches.add_claims(session, [one]).get((prediction_id, handler))


def test_handler_claims_a_prediction_once(store: Store) -> None:
    [event] = happen(store, "a")
    prediction = predict(store, event)
    ready = Barrier(4)

    def go(_: int) -> int | None:
        ready.wait(30)
        return claim(store, prediction)

    with ThreadPoolExecutor(4) as pool:
        won = [row for row in pool.map(go, range(4)) if row is not None]
    assert len(won) == 1
    assert claim(store, prediction, "record") is not None, "another handler has its own go"


def test_lost_claim_leaves_the_transaction_whole(store: Store) -> None:
    [event] = happen(store, "a")
    prediction = predict(store, event)
    claim(store, prediction)
    with store.write() as session:
        log = replace(LOG, prediction_id=prediction)
        record, forgotten = replace(log, handler="record"), replace(log, prediction_id=prediction + 1)
        assert dispatches.add_claims(session, [log, record, forgotten]).keys() == {(prediction, "record")}
    with store.read() as session:
        assert session.scalar(select(func.count()).select_from(DispatchRow)) == 2


def ended(store: Store, rows: Sequence[tuple[int | None, str]]) -> None:
    with store.write() as session:
        for row, status in rows:
            assert row is not None
            dispatches.record_results(session, [ENDED | {"id": row, "status": status, "detail": "detail"}])


def test_cooldown_and_budget_count_done_attempts(store: Store) -> None:
    first, second, third = (predict(store, event) for event in happen(store, "abc"))
    known, other = LOG.action, Action(Operation.PROCESS_START, "other")
    done, elsewhere, failed = claim(store, first), claim(store, first, "record"), claim(store, second)
    ended(store, [(done, "done"), (elsewhere, "done"), (failed, "failed")])
    assert claim(store, third) is not None
    with store.read() as session:
        row = session.get_one(DispatchRow, done)
        assert (row.status, row.detail, row.duration_ms) == ("done", "detail", 1.5)
        assert (row.result, row.cost_ms, row.read_bytes) == ({}, 2.5, 7)
        last = dispatches.find_last_attempt(session, SCOPE, "log", known)
        assert last and last.at == session.scalar(select(func.max(DispatchRow.at)))
        for scope, handler, action in (
            (SCOPE, "log", other),
            (SCOPE, "none", known),
            ("nobody", "log", known),
        ):
            assert dispatches.find_last_attempt(session, scope, handler, action) is None
        assert dispatches.count_last_hour(session, SCOPE, "log") == (2, 7), "what failed costs nothing"
        assert dispatches.count_last_hour(session, SCOPE, "record") == (1, 7)
    with store.write() as session:
        for row in session.scalars(select(DispatchRow)):
            row.at = datetime.now(UTC) - timedelta(hours=2)
    with store.read() as session:
        assert dispatches.count_last_hour(session, SCOPE, "log") == (0, 0)
