"""A look at a scope, on both databases, with a real Redis: one answer for an event, one outcome, sent at least once."""

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from redis import Redis
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db import migrate
from db.engine import Store, open_store
from db.intake import events, scopes
from db.models import Base, CheckpointRow, EventRow, PredictionRow, ScopeRow, VersionRow
from db.prediction import predictions, versions
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.predictions import Ranking
from memo.core.settings import PredictSettings, Settings
from memo.messaging.message import FIELD, STREAM, Publisher
from memo.stack.task_queue import ACT, ACT_EXPIRES_S, DISPATCH, make_app
from worker.prediction import outbox, scope_model, scope_models, snapshots, update
from worker.prediction.update import BATCH, MAX_ATTEMPTS, ScopeUpdater
from worker.predictors.mixed import MixedPredictor
from worker.predictors.serving import BUILTIN, Serving
from worker.resources import Resources

SCOPE = "ada@host"
START = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
NOBODY = "redis://127.0.0.1:1/0"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "prediction.v1.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.fixture
def opened(database_url: str, redis_url: str, home: Home) -> Iterator[Resources]:
    settings = Settings(database_url=database_url, broker_url=redis_url, scope=SCOPE)
    migrate.upgrade(settings, home)
    context = Resources(home, settings, open_store(settings, home), Publisher(redis_url), make_app(redis_url, settings))
    yield context
    context.publisher.close()
    context.queue.close()
    context.store.close()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    client = Redis.from_url(redis_url)
    yield client
    client.close()


class Alone(Serving):
    """Serves predictors of a kind without a language model, and notes for what."""

    def __init__(self, opened: Resources, kind: type[MixedPredictor] = MixedPredictor) -> None:
        super().__init__(opened.settings.model)
        self.kind = kind
        self.asked: list[tuple[str, Path | None]] = []
        self.weights: list[dict[str, Any] | None] = []
        self.taken_over: list[tuple[str, Path | None]] = []

    def predictor(self, version: str, folder: Path | None, weights: dict[str, Any] | None = None) -> MixedPredictor:
        self.asked.append((version, folder))
        self.weights.append(weights)
        return self.kind(None, weights)

    def reader(self, version: str, folder: Path | None) -> None:
        self.taken_over.append((version, folder))


def looker(opened: Resources, serving: Serving | None = None) -> ScopeUpdater:
    made = ScopeUpdater(opened)
    made.streams.serving = serving or Alone(opened)
    return made


def every(opened: Resources) -> Resources:
    return replace(opened, settings=opened.settings.model_copy(update={"predict": PredictSettings(every=SCOPE)}))


def store(opened: Resources, happened: Sequence[Event], scope: str = SCOPE) -> list[int]:
    """Append the events; their ids."""
    with opened.store.write() as session:
        first = events.find_last_seq(session, scope) + 1
        keys = [f"key {first + n}" for n in range(len(happened))]
        events.add_events(session, scope, happened, keys)
        query = select(EventRow.id).where(EventRow.scope == scope, EventRow.seq >= first).order_by(EventRow.seq)
        return list(session.scalars(query))


def happen(opened: Resources, names: Sequence[str], scope: str = SCOPE, source: str = "inbox") -> list[int]:
    """An app starts for each name, a second apart."""
    with opened.store.read() as session:
        seq = events.find_last_seq(session, scope)
    return store(
        opened,
        [
            Event(START + timedelta(seconds=seq + n), Operation.PROCESS_START, name, source=source)
            for n, name in enumerate(names)
        ],
        scope,
    )


def made(opened: Resources, scope: str = SCOPE) -> list[PredictionRow]:
    with opened.store.read() as session:
        query = select(PredictionRow).where(PredictionRow.scope == scope).order_by(PredictionRow.id)
        return list(session.scalars(query))


def everything(opened: Resources) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    with opened.store.read() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


def sent(redis: Redis) -> list[dict[str, Any]]:
    entries: Any = redis.xrange(STREAM)
    return [json.loads(fields[FIELD.encode()]) for _, fields in entries]


def handed_over(redis: Redis) -> list[int]:
    """Predictions that the dispatcher is asked to act on, oldest first."""
    tasks: Any = redis.lrange(f"memo:{DISPATCH}", 0, -1)
    asked = [json.loads(task) for task in reversed(tasks)]
    assert all(task["headers"]["task"] == ACT and task["headers"]["expires"] for task in asked)
    return [json.loads(base64.b64decode(task["body"]))[0][0] for task in asked]


def target(prediction: PredictionRow, rank: int) -> str:
    return str(prediction.candidates[rank - 1]["action"]["target"])


def test_a_look_makes_one_prediction_and_a_second_changes_nothing(opened: Resources, redis: Redis) -> None:
    *_, newest = happen(opened, "abab")
    one = looker(opened)
    one.look(SCOPE)
    [prediction] = made(opened)
    assert (prediction.last_event_id, prediction.model_version) == (newest, BUILTIN)
    before = everything(opened)
    one.look(SCOPE)
    looker(opened).look(SCOPE)
    assert everything(opened) == before
    assert len(sent(redis)) == len(handed_over(redis)) == 1
    with opened.store.read() as session:
        row = scopes.find_scope(session, SCOPE)
        assert row is not None and (row.attempts, row.pending_until) == (0, None)
        assert predictions.find_unasked_scopes(session) == []


def test_the_flat_columns_are_those_of_the_first_candidate(opened: Resources) -> None:
    visits = [
        Event(START + timedelta(seconds=n), Operation.WINDOW_FOCUS, name, app="Code") for n, name in enumerate("aba")
    ]
    store(opened, visits)
    looker(opened).look(SCOPE)
    [row] = made(opened)
    first = row.candidates[0]
    assert (row.operation, row.target, row.app) == tuple(first["action"].values()) == ("window_focus", "b", "Code")
    assert row.probability == pytest.approx(first["probability"], abs=1e-6)
    assert row.expected_at is not None
    assert row.expected_at.isoformat() == datetime.fromisoformat(first["expected_at"]).astimezone(UTC).isoformat()
    assert first["expected_at"].endswith("+08:00"), "on the events' own clock"
    assert sum(one["probability"] for one in row.candidates) + row.new_probability <= 1 + 1e-5


def test_at_most_top_candidates_are_kept(opened: Resources) -> None:
    happen(opened, [f"app {n}" for n in range(40)])
    looker(opened).look(SCOPE)
    assert len(made(opened)[0].candidates) == opened.settings.predict.top == 10


def test_a_scope_without_events_gets_no_prediction(opened: Resources, redis: Redis) -> None:
    looker(opened).look("nobody")
    assert made(opened, "nobody") == [] == sent(redis)


def test_each_scope_is_learned_for_itself(opened: Resources) -> None:
    happen(opened, "abab")
    happen(opened, "xyxy", scope="bob@host")
    one = looker(opened)
    for scope, known in ((SCOPE, {"a", "b"}), ("bob@host", {"x", "y"})):
        one.look(scope)
        [row] = made(opened, scope)
        assert {candidate["action"]["target"] for candidate in row.candidates} == known


def test_an_outcome_is_the_rank_of_the_truth_and_is_settled_once(opened: Resources) -> None:
    one = looker(opened)
    happen(opened, "abcab")
    one.look(SCOPE)
    first = made(opened)[0]
    assert first.outcome_event_id is None
    rank = [target(first, n) for n in (1, 2, 3)].index("c") + 1
    [truth] = happen(opened, "c")
    one.look(SCOPE)
    happen(opened, "b")
    one.look(SCOPE)
    looker(opened).look(SCOPE)
    settled, second, third = made(opened)
    assert (settled.outcome_event_id, settled.outcome_rank) == (truth, rank)
    assert (settled.outcome_operation, settled.outcome_target) == ("process_start", "c")
    assert second.outcome_rank is not None and target(second, second.outcome_rank) == "b"
    assert third.outcome_event_id is None


def test_what_was_no_candidate_has_no_rank(opened: Resources) -> None:
    one = looker(opened)
    happen(opened, "ab")
    one.look(SCOPE)
    [truth] = happen(opened, ["never seen"])
    one.look(SCOPE)
    row = made(opened)[0]
    assert (row.outcome_event_id, row.outcome_target, row.outcome_rank) == (truth, "never seen", None)


def test_another_worker_takes_over_and_settles(opened: Resources) -> None:
    happen(opened, "abab")
    looker(opened).look(SCOPE)
    happen(opened, "ab")
    looker(opened).look(SCOPE)
    first, second = made(opened)
    assert first.outcome_rank == 1
    assert second.outcome_event_id is None


def test_context_settles_nothing_and_gets_an_answer(opened: Resources) -> None:
    one = looker(opened)
    happen(opened, "abab")
    one.look(SCOPE)
    [session_start] = store(opened, [Event(START + timedelta(hours=1), Operation.SESSION_START)])
    one.look(SCOPE)
    first, second = made(opened)
    assert second.last_event_id == session_start
    assert first.outcome_event_id is second.outcome_event_id is None
    [truth] = happen(opened, "a")
    one.look(SCOPE)
    assert [row.outcome_event_id for row in made(opened)] == [truth, truth, None]


def test_a_burst_gets_one_prediction_for_its_newest(opened: Resources, redis: Redis) -> None:
    one = looker(opened)
    happen(opened, "ab")
    one.look(SCOPE)
    burst = happen(opened, "ab" * 200)
    one.look(SCOPE)
    first, second = made(opened)
    assert second.last_event_id == burst[-1]
    assert first.outcome_event_id == burst[0]
    assert [message["id"] for message in sent(redis)] == [first.id, second.id]


def test_the_log_is_read_in_pieces(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(opened, "ab" * 20 + "a")
    monkeypatch.setattr(update, "CHUNK", 7)
    looker(opened).look(SCOPE)
    assert [(target(row, 1), row.last_event_id) for row in made(opened)] == [("b", 41)]


def test_a_late_event_is_learned_last_and_stands_in_the_window_by_its_time(opened: Resources) -> None:
    class Watching(MixedPredictor):
        def predict(self, window: Sequence[Event], top: int) -> Ranking:
            windows.append([event.target for event in window])
            return super().predict(window, top)

    windows: list[list[str]] = []
    happen(opened, "abcdef")
    one = looker(opened, Alone(opened, Watching))
    one.look(SCOPE)
    late, far = START + timedelta(seconds=4.5), START - timedelta(days=1)
    store(opened, [Event(far, Operation.PROCESS_START, "far"), Event(late, Operation.PROCESS_START, "late")])
    one.look(SCOPE)
    looker(opened, Alone(opened, Watching)).look(SCOPE)
    assert windows == [list("bcdef"), ["c", "d", "e", "late", "f"]]


def test_every_event_that_was_not_imported_gets_a_prediction(opened: Resources, redis: Redis) -> None:
    happen(opened, "ab" * 10, source=events.IMPORT)
    replayed = happen(opened, "ab" * BATCH)
    one = looker(every(opened))
    one.look(SCOPE)
    rows = made(opened)
    assert [row.last_event_id for row in rows] == replayed
    assert [row.outcome_event_id for row in rows] == [*replayed[1:], None]
    assert rows[-2].outcome_rank == 1
    assert [message["id"] for message in sent(redis)] == [row.id for row in rows]
    more = happen(opened, "ab")
    looker(every(opened)).look(SCOPE)
    one.look(SCOPE)
    assert [row.last_event_id for row in made(opened)] == [*replayed, *more]
    with opened.store.read() as session:
        [checkpoint] = session.scalars(select(CheckpointRow))
    assert checkpoint.seq == 20 + len(replayed) + 2


def test_a_rebuilt_stream_is_asked_only_what_is_new(opened: Resources) -> None:
    class Counting(MixedPredictor):
        def predict(self, window: Sequence[Event], top: int) -> Ranking:
            asked.append(window[-1].target)
            return super().predict(window, top)

    asked: list[str] = []
    for names in ("abcd", "efg"):
        happen(opened, names)
        looker(every(opened), Alone(opened, Counting)).look(SCOPE)
    assert asked == list("abcdefg")


def test_a_replay_that_was_cut_off_goes_on_where_it_stopped(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dying(MixedPredictor):
        asked = 0

        def predict(self, window: Sequence[Event], top: int) -> Ranking:
            self.asked += 1
            if self.asked > BATCH + 5:
                raise KeyboardInterrupt
            return super().predict(window, top)

    replayed = happen(opened, "ab" * BATCH)
    with pytest.raises(KeyboardInterrupt):
        looker(every(opened), Alone(opened, Dying)).look(SCOPE)
    assert [row.last_event_id for row in made(opened)] == replayed[:BATCH], "whole transactions"
    looker(every(opened)).look(SCOPE)
    rows = made(opened)
    assert [row.last_event_id for row in rows] == replayed
    assert [row.outcome_event_id for row in rows] == [*replayed[1:], None]


def test_a_killed_attempt_is_given_up_after_three_goes(opened: Resources) -> None:
    happen(opened, "ab")
    for _ in range(MAX_ATTEMPTS):
        with opened.store.write() as session:
            scopes.record_start(session, SCOPE)  # and the worker dies
    serving = Alone(opened)
    one = looker(opened, serving)
    one.look(SCOPE)
    one.look(SCOPE)
    assert made(opened) == [] == serving.asked, "the log is not even read"
    [newest] = happen(opened, "a")
    one.look(SCOPE)
    assert [row.last_event_id for row in made(opened)] == [newest]


def test_two_killed_attempts_and_a_good_one_leave_no_count(opened: Resources) -> None:
    happen(opened, "ab")
    for _ in range(MAX_ATTEMPTS - 1):
        with opened.store.write() as session:
            scopes.record_start(session, SCOPE)
    looker(opened).look(SCOPE)
    assert len(made(opened)) == 1
    with opened.store.read() as session:
        row = scopes.find_scope(session, SCOPE)
        assert row is not None and row.attempts == 0


def test_live_prediction_takes_three_transactions(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    def counted(given: Store) -> AbstractContextManager[Session]:
        begun.append(given)
        return write(given)

    happen(opened, "ab")
    one, write, begun = looker(opened), Store.write, list[Store]()
    monkeypatch.setattr(Store, "write", counted)
    one.look(SCOPE)
    assert len(begun) == 3, "its start, its rows, its publication: each is an fsync"


def test_killed_attempts_after_progress_are_counted_anew(opened: Resources) -> None:
    """What was written is not tried again; the place at which the worker dies has its three attempts."""

    class Dying(MixedPredictor):
        def predict(self, window: Sequence[Event], top: int) -> Ranking:
            if window[-1].target == "x":
                deaths.append(1)
                raise KeyboardInterrupt
            return super().predict(window, top)

    deaths = list[int]()
    happen(opened, "ab" * BATCH + "x")
    for _ in range(2 * MAX_ATTEMPTS):
        with suppress(KeyboardInterrupt):
            looker(every(opened), Alone(opened, Dying)).look(SCOPE)
    assert len(made(opened)) == 2 * BATCH
    assert len(deaths) == MAX_ATTEMPTS + 1, "the first one had made progress before"


def test_after_an_error_the_stream_is_read_anew(opened: Resources) -> None:
    class Failing(MixedPredictor):
        def predict(self, window: Sequence[Event], top: int) -> Ranking:
            serving.kind = MixedPredictor
            raise RuntimeError("no answer")

    happen(opened, "aab")
    serving = Alone(opened, Failing)
    one = looker(opened, serving)
    with pytest.raises(RuntimeError, match="no answer"):
        one.look(SCOPE)
    assert made(opened) == []
    one.look(SCOPE)
    assert len(serving.asked) == 2
    plain = MixedPredictor()
    with opened.store.read() as session:
        learned = list(events.find_all_events(session, SCOPE))
    for event in learned:
        plain.learn(event)
    expected = [candidate.as_dict("en") for candidate in plain.predict(learned, 10).candidates]
    assert made(opened)[0].candidates == expected, "no event was learned twice"


def test_a_past_that_grew_is_learned_anew_and_the_weights_stay(opened: Resources) -> None:
    serving = Alone(opened)
    one = looker(opened, serving)
    for name in "ababab":
        happen(opened, name)
        one.look(SCOPE)
    before = one.streams.held[SCOPE].predictor.weights()
    assert before != MixedPredictor().weights()
    past = Event(START - timedelta(days=1), Operation.PROCESS_START, "from the past", source=events.IMPORT)
    store(opened, [past])
    with opened.store.write() as session:
        events.record_time_order(session, SCOPE)
    one.look(SCOPE)
    assert serving.weights == [None, before]
    assert len(made(opened)) == 6, "the newest event was answered before"
    happen(opened, "a")
    one.look(SCOPE)
    assert len(serving.asked) == 2
    assert one.streams.held[SCOPE].generation == 1
    assert "from the past" in {candidate["action"]["target"] for candidate in made(opened)[-1].candidates}
    with opened.store.read() as session:
        assert session.scalars(select(CheckpointRow.generation)).all() == [1]


def test_weights_of_an_older_past_are_no_start_for_another_worker(opened: Resources) -> None:
    happen(opened, "ab")
    looker(opened).look(SCOPE)
    with opened.store.write() as session:
        events.record_time_order(session, SCOPE)
    serving = Alone(opened)
    looker(opened, serving).look(SCOPE)
    assert serving.weights == [None]


def activate(opened: Resources, version: str) -> None:
    with opened.store.write() as session:
        if version != BUILTIN and session.get(VersionRow, version) is None:
            path = str(opened.home.models / version)
            versions.add_version(session, version, SCOPE, base=BUILTIN, path=path, parent=None, metrics={})
        versions.record_active(session, SCOPE, version)


def test_another_active_version_answers_with_its_own_weights(opened: Resources) -> None:
    serving = Alone(opened)
    one = looker(opened, serving)
    for name in "abab":
        happen(opened, name)
        one.look(SCOPE)
    learned = one.streams.held[SCOPE].predictor.weights()
    activate(opened, "v1")
    one.look(SCOPE)
    began = one.streams.held[SCOPE].predictor.weights()
    newest = made(opened)[-2:]
    assert [row.model_version for row in newest] == [BUILTIN, "v1"]
    assert newest[0].last_event_id == newest[1].last_event_id
    happen(opened, "a")
    one.look(SCOPE)
    activate(opened, BUILTIN)
    one.look(SCOPE)
    folder = opened.home.models / "v1"
    assert serving.asked == [(BUILTIN, None)], "what was counted stays, so nothing is read anew"
    assert serving.taken_over == [("v1", folder), (BUILTIN, None)]
    assert began == learned, "begun from those before it"
    assert one.streams.held[SCOPE].predictor.weights() == learned, "the old ones were kept"
    settled = [row.outcome_rank and target(row, row.outcome_rank) for row in made(opened)[3:5]]
    assert settled == ["a", "a"], "one truth settles both"


def test_a_scope_without_a_version_is_served_by_the_owners(opened: Resources) -> None:
    happen(opened, "a")
    happen(opened, "x", scope="replay")
    activate(opened, "v1")
    looker(opened).look("replay")
    assert [row.model_version for row in made(opened, "replay")] == ["v1"]


def test_where_two_workers_answer_for_one_event_the_first_stands(opened: Resources) -> None:
    class Overtaken(MixedPredictor):
        def predict(self, window: Sequence[Event], top: int) -> Ranking:
            looker(opened).look(SCOPE)
            overtaken.append(made(opened))
            return super().predict(window, top)

    overtaken: list[list[PredictionRow]] = []
    happen(opened, "ab")
    looker(opened, Alone(opened, Overtaken)).look(SCOPE)
    [[first]] = overtaken
    assert [row.id for row in made(opened)] == [first.id]


def test_weights_are_a_checkpoint_from_which_another_worker_begins(opened: Resources) -> None:
    one, serving = looker(opened), Alone(opened)
    for name in "abab":
        happen(opened, name)
        one.look(SCOPE)
    with opened.store.read() as session:
        [checkpoint] = session.scalars(select(CheckpointRow))
    assert (checkpoint.scope, checkpoint.version, checkpoint.generation, checkpoint.seq) == (SCOPE, BUILTIN, 0, 4)
    assert checkpoint.weights == one.streams.held[SCOPE].predictor.weights() != MixedPredictor().weights()
    looker(opened, serving).look(SCOPE)
    assert serving.weights == [checkpoint.weights]


def test_a_broker_that_is_away_loses_nothing(opened: Resources, redis: Redis) -> None:
    cut_off = replace(opened, publisher=Publisher(NOBODY))
    one = looker(cut_off)
    for name in "aba":
        happen(opened, name)
        one.look(SCOPE)
    rows = made(opened)
    assert [(row.published_at, row.dispatched_at) for row in rows] == [(None, None)] * 3
    with opened.store.read() as session:
        assert predictions.find_unasked_scopes(session) == [SCOPE], "the tick asks again"
    looker(opened).look(SCOPE)
    rows = made(opened)
    assert all(row.published_at is not None for row in rows)
    assert [row.dispatched_at is not None for row in rows] == [False, False, True], "only the newest is acted on"
    assert [message["id"] for message in sent(redis)] == [row.id for row in rows]
    assert handed_over(redis) == [rows[-1].id]
    looker(opened).look(SCOPE)
    assert len(sent(redis)) == 3


def test_a_queue_that_is_away_is_asked_again(opened: Resources, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("connection refused")

    happen(opened, "ab")
    with monkeypatch.context() as patched:
        patched.setattr(opened.queue, "send_task", refuse)
        looker(opened).look(SCOPE)
    [row] = made(opened)
    assert (row.published_at, row.dispatched_at) == (None, None)
    looker(opened).look(SCOPE)
    assert {message["id"] for message in sent(redis)} == {row.id} == set(handed_over(redis)), "perhaps twice, by its id"


def test_after_a_long_outage_all_is_sent_and_nothing_stale_is_acted_on(
    opened: Resources, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCH", 3)
    one = looker(every(replace(opened, publisher=Publisher(NOBODY))))
    happen(opened, "abababa")
    one.look(SCOPE)
    long_ago = datetime.now(UTC) - timedelta(seconds=ACT_EXPIRES_S + 1)
    with opened.store.write() as session:
        for row in session.scalars(select(PredictionRow)):
            row.made_at = long_ago
    looker(opened).look(SCOPE)
    rows = made(opened)
    assert [message["id"] for message in sent(redis)] == [row.id for row in rows]
    assert all(row.published_at is not None and row.dispatched_at is None for row in rows)
    assert handed_over(redis) == []


def test_messages_keep_to_the_schema_and_tell_what_was_settled(opened: Resources, redis: Redis) -> None:
    one = looker(opened)
    day = [
        Event(START, Operation.TIME_CONTEXT, "1", detail="9"),
        Event(START, Operation.SESSION_START),
        Event(START, Operation.PROCESS_START, "Firefox", executable="/usr/bin/firefox"),
        Event(START, Operation.WEB_VISIT, "a.example", detail="it's 'here'"),
        Event(START, Operation.WINDOW_FOCUS, "会议 (1) 🚀", app="Firefox"),
        Event(START, Operation.FILE_ACCESS, "a.txt", detail="/home/ada"),
        Event(START, Operation.APP_USAGE, "Firefox", detail="12.5"),
        Event(START, Operation.PROCESS_END, "Firefox"),
        Event(START, Operation.PROCESS_START, "Firefox"),
    ]
    for n, event in enumerate(day):
        store(opened, [replace(event, at=event.at + timedelta(minutes=2 * n))])
        one.look(SCOPE)
    messages = sent(redis)
    assert len(messages) == len(day)
    for message in messages:
        VALIDATOR.validate(message)
    last = messages[-1]
    assert (last["scope"], last["model"]) == (SCOPE, BUILTIN)
    assert last["event"]["text"] == "2026-03-02 09:16:00 - Started app: Firefox"
    assert last["candidates"][0]["executable"] in {"", "/usr/bin/firefox"}
    assert {entry["action"]["target"] for entry in last["upcoming"]} == {"a.example", "a.txt"}
    before = messages[-2]
    rank = [one["action"]["target"] + one["action"]["operation"] for one in before["candidates"]].index(
        "Firefoxprocess_start"
    )
    assert [(one["id"], one["rank"]) for one in last["settled"]] == [(before["id"], rank + 1)]


def test_where_nothing_can_be_said_the_columns_are_null(opened: Resources) -> None:
    store(opened, [Event(START, Operation.SESSION_START)])
    looker(opened).look(SCOPE)
    [row] = made(opened)
    assert (row.candidates, row.upcoming, row.new_probability) == ([], [], 1.0)
    assert (row.operation, row.target, row.app, row.probability, row.expected_at) == (None,) * 5


def test_without_a_language_model_history_answers(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = opened.settings.model.model_copy(update={"base": "no/such-model"})
    settings = opened.settings.model_copy(update={"model": broken})
    happen(opened, "abab")
    ScopeUpdater(replace(opened, settings=settings)).look(SCOPE)
    assert target(made(opened)[0], 1) == "a"
    with opened.store.read() as session:
        assert session.scalar(select(func.count()).select_from(PredictionRow)) == 1


def test_a_long_past_is_learned_in_part_and_nothing_is_answered_twice(
    opened: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (scope_models, scope_model):
        monkeypatch.setattr(module, "LEARNED", 4)
    happen(opened, "abcdefgh")
    serving = Alone(opened)
    one = looker(opened, serving)
    one.look(SCOPE)
    held = one.streams.held[SCOPE]
    assert (held.began, held.seq) == (4, 8)
    known = {candidate["action"]["target"] for candidate in made(opened)[0].candidates}
    assert known == set("efgh")
    for name in "ijklmnopqrst":
        happen(opened, name)
        one.look(SCOPE)
    assert one.streams.held[SCOPE].began == 14, "twice as many more, and it began anew"
    assert len(serving.asked) == 2
    assert len(made(opened)) == 13


def test_a_lossless_replay_answers_all_of_a_long_backlog(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (scope_models, scope_model):
        monkeypatch.setattr(module, "LEARNED", 4)
    happen(opened, "abcdefghijklmnopqrst")
    looker(every(opened)).look(SCOPE)
    assert len(made(opened)) == 20


def test_what_is_imported_is_past_and_gets_no_prediction(opened: Resources, redis: Redis) -> None:
    happen(opened, "ab", source=events.IMPORT)
    looker(opened).look(SCOPE)
    assert not made(opened) and not handed_over(redis)
    with opened.store.read() as session:
        assert predictions.find_unasked_scopes(session) == []
    happen(opened, "a")
    looker(opened).look(SCOPE)
    assert len(made(opened)) == 1


def test_only_the_scope_of_a_replay_is_answered_for_each_event(opened: Resources) -> None:
    happen(opened, "abc")
    happen(opened, "abc", scope="replay@day")
    settings = opened.settings.model_copy(update={"predict": PredictSettings(every="replay@day")})
    one = looker(replace(opened, settings=settings))
    for scope in (SCOPE, "replay@day"):
        one.look(scope)
    assert (len(made(opened)), len(made(opened, "replay@day"))) == (1, 3)


def test_what_was_learned_is_kept_over_a_restart(opened: Resources) -> None:
    one = looker(opened)
    for name in "abcabcab":
        happen(opened, name)
        one.look(SCOPE)
    one.streams.close()
    happen(opened, "c")
    serving = Alone(opened)
    two = looker(opened, serving)
    for each in (one, two):
        each.look(SCOPE)
    assert serving.asked == [] and len(serving.taken_over) == 1, "the log is not learned anew"
    happen(opened, "a")
    answers = [each.streams.of(*_row(opened)).predictor.predict([], 10) for each in (one, two)]
    happened = Event(START + timedelta(minutes=1), Operation.PROCESS_START, "x")
    for each in (one, two):
        each.streams.held[SCOPE].predictor.learn(happened)
    kept, restored = (each.streams.held[SCOPE].predictor.predict([happened], 10) for each in (one, two))
    assert kept == restored and kept.candidates, "the same numbers by either way"
    assert answers[0] == answers[1]


def _row(opened: Resources) -> tuple[ScopeRow, None]:
    with opened.store.read() as session:
        row = scopes.find_scope(session, SCOPE)
    assert row is not None
    return row, None


def test_a_snapshot_of_a_past_that_has_changed_is_not_used(opened: Resources) -> None:
    happen(opened, "abab")
    one = looker(opened)
    one.look(SCOPE)
    one.streams.close()
    [kept] = opened.home.learned.iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    with opened.store.write() as session:
        events.record_time_order(session, SCOPE)
    assert snapshots.load(opened, SCOPE) is None
    kept.unlink()
    one.streams.held[SCOPE].saved = 0
    one.streams.close()
    assert not kept.exists(), "nor is it written again"


def test_a_snapshot_does_not_outlive_the_events_that_it_has_learned(opened: Resources) -> None:
    happen(opened, "abab")
    one = looker(opened)
    one.look(SCOPE)
    one.streams.close()
    assert snapshots.load(opened, SCOPE) is not None
    with opened.store.write() as session:
        session.execute(delete(EventRow).where(EventRow.seq == 1))
    assert snapshots.load(opened, SCOPE) is None
    two = looker(opened)
    two.look(SCOPE)
    two.streams.close()
    kept = snapshots.load(opened, SCOPE)
    assert kept is not None and kept.began == 1, "one without it is kept again"


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x05."], ids=["empty", "text", "torn"])
def test_a_damaged_snapshot_is_passed_over(opened: Resources, content: bytes) -> None:
    happen(opened, "ab")
    one = looker(opened)
    one.look(SCOPE)
    one.streams.close()
    [kept] = opened.home.learned.iterdir()
    kept.write_bytes(content)
    two = looker(opened)
    happen(opened, "a")
    two.look(SCOPE)
    assert len(made(opened)) == 2


def test_one_of_another_code_is_passed_over(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(opened, "ab")
    one = looker(opened)
    one.look(SCOPE)
    one.streams.close()
    monkeypatch.setattr(snapshots, "_code", lambda: "newer")
    assert snapshots.load(opened, SCOPE) is None


def test_only_so_many_streams_are_held_and_the_others_kept(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope_models, "HELD", 2)
    serving = Alone(opened)
    one = looker(opened, serving)
    for scope in ("a", "b", "c"):
        happen(opened, "xyx", scope=scope)
        one.look(scope)
    assert list(one.streams.held) == ["b", "c"]
    happen(opened, "y", scope="a")
    one.look("a")
    assert list(one.streams.held) == ["c", "a"]
    assert len(serving.asked) == 3 and len(serving.taken_over) == 1, "a was read from its snapshot"
