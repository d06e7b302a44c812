"""A look at a scope, on both databases, with a real Redis: one answer for an event, one outcome, sent at least once."""

import base64
import json
import pickle
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import structlog
from jsonschema import Draft202012Validator
from redis import Redis
from resources import new_resources
from sqlalchemy import delete, func, select
from sqlalchemy.event import listen
from sqlalchemy.orm import Session
from stores import store_events
from structlog.testing import capture_logs

from db.engine import Store
from db.intake import events, scopes, time_order
from db.models import Base, CheckpointRow, EventRow, PredictionRow, ScopeRow, VersionRow
from db.prediction import predictions, versions
from forget import erase_files
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.predictions import Ranking
from memo.core.settings import PredictSettings, Settings
from memo.messaging.publisher import FIELD, Publisher
from memo.stack import heartbeat
from memo.stack.guard import refusals
from memo.stack.task_queue import ACT, ACT_EXPIRES_S, DISPATCH, stream_key
from memo.store import manifest
from worker.prediction import outbox, snapshots, update
from worker.prediction.scope_models import ScopeModels
from worker.prediction.update import BATCH, MAX_ATTEMPTS, ScopeUpdater
from worker.predictors.language_model import probe
from worker.predictors.mixed import MixedPredictor
from worker.predictors.serving import BUILTIN, BUILTIN_ADAPTER, Serving
from worker.resources import Resources

SCOPE = "ada@host"
START = datetime(2026, 3, 2, 9, tzinfo=timezone(timedelta(hours=8)))
STATEMENTS, TRANSACTIONS = 24, 5  # of an update after one event, for whose prediction somebody waits
NEWEST = 10**9  # a number above that of any event
NOBODY = "redis://127.0.0.1:1/0"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "prediction.v2.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


@pytest.fixture
def opened(database_url: str, redis_url: str, home: Home) -> Iterator[Resources]:
    settings = Settings(database_url=database_url, broker_url=redis_url, scope=SCOPE)
    with new_resources(settings, home) as context:
        yield context


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


def updater(opened: Resources, serving: Serving | None = None, **limits: int) -> ScopeUpdater:
    made = ScopeUpdater(opened)
    made.models = ScopeModels(opened, serving or Alone(opened), **limits)
    return made


def every(opened: Resources) -> Resources:
    return replace(opened, settings=opened.settings.model_copy(update={"predict": PredictSettings(every=SCOPE)}))


def store(opened: Resources, happened: Sequence[Event], scope: str = SCOPE) -> list[int]:
    """Append the events; their ids."""
    with opened.store.write() as session:
        return store_events(session, scope, happened)


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
    entries: Any = redis.xrange(stream_key())
    return [json.loads(fields[FIELD.encode()]) for _, fields in entries]


def handed_over(redis: Redis) -> list[int]:
    """Predictions that the dispatcher is asked to act on, oldest first."""
    tasks: Any = redis.lrange(f"memo:{DISPATCH}", 0, -1)
    asked = [json.loads(task) for task in reversed(tasks)]
    assert all(task["headers"]["task"] == ACT and task["headers"]["expires"] for task in asked)
    return [json.loads(base64.b64decode(task["body"]))[0][0] for task in asked]


def target(prediction: PredictionRow, rank: int) -> str:
    return str(prediction.candidates[rank - 1]["action"]["target"])


def test_update_makes_one_prediction_and_repeated_nothing(opened: Resources, redis: Redis) -> None:
    *_, newest = happen(opened, "abab")
    one = updater(opened)
    one.update(SCOPE)
    [prediction] = made(opened)
    assert (prediction.last_event_id, prediction.model_version) == (newest, BUILTIN)
    before = everything(opened)
    one.update(SCOPE)
    updater(opened).update(SCOPE)
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
    updater(opened).update(SCOPE)
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
    updater(opened).update(SCOPE)
    assert len(made(opened)[0].candidates) == opened.settings.predict.top == 10


def test_a_scope_without_events_gets_no_prediction(opened: Resources, redis: Redis) -> None:
    with opened.store.write() as session:
        scopes.lock_scope(session, "nobody")
    updater(opened).update("nobody")
    assert made(opened, "nobody") == [] == sent(redis)


@pytest.mark.parametrize("scope", ["nobody", "ada@host ", "ada@host' OR 1=1"])
def test_an_unknown_scope_makes_no_row_and_is_counted(opened: Resources, scope: str) -> None:
    updater(opened).update(scope)
    with opened.store.read() as session:
        assert list(scopes.find_scope_names(session)) == []
    assert refusals.count(opened.home) == 1


def test_each_scope_is_learned_for_itself(opened: Resources) -> None:
    happen(opened, "abab")
    happen(opened, "xyxy", scope="bob@host")
    one = updater(opened)
    for scope, known in ((SCOPE, {"a", "b"}), ("bob@host", {"x", "y"})):
        one.update(scope)
        [row] = made(opened, scope)
        assert {candidate["action"]["target"] for candidate in row.candidates} == known


def test_an_outcome_is_the_rank_of_the_truth_and_is_settled_once(opened: Resources) -> None:
    one = updater(opened)
    happen(opened, "abcab")
    one.update(SCOPE)
    first = made(opened)[0]
    assert first.outcome_event_id is None
    rank = [target(first, n) for n in (1, 2, 3)].index("c") + 1
    [truth] = happen(opened, "c")
    one.update(SCOPE)
    happen(opened, "b")
    one.update(SCOPE)
    updater(opened).update(SCOPE)
    settled, second, third = made(opened)
    assert (settled.outcome_event_id, settled.outcome_rank) == (truth, rank)
    assert (settled.outcome_operation, settled.outcome_target) == ("process_start", "c")
    assert second.outcome_rank is not None and target(second, second.outcome_rank) == "b"
    assert third.outcome_event_id is None


def test_what_was_no_candidate_has_no_rank(opened: Resources) -> None:
    one = updater(opened)
    happen(opened, "ab")
    one.update(SCOPE)
    [truth] = happen(opened, ["never seen"])
    one.update(SCOPE)
    row = made(opened)[0]
    assert (row.outcome_event_id, row.outcome_target, row.outcome_rank) == (truth, "never seen", None)


def test_another_worker_takes_over_and_settles(opened: Resources) -> None:
    happen(opened, "abab")
    updater(opened).update(SCOPE)
    happen(opened, "ab")
    updater(opened).update(SCOPE)
    first, second = made(opened)
    assert first.outcome_rank == 1
    assert second.outcome_event_id is None


def test_context_settles_nothing_and_gets_an_answer(opened: Resources) -> None:
    one = updater(opened)
    happen(opened, "abab")
    one.update(SCOPE)
    [session_start] = store(opened, [Event(START + timedelta(hours=1), Operation.SESSION_START)])
    one.update(SCOPE)
    first, second = made(opened)
    assert second.last_event_id == session_start
    assert first.outcome_event_id is second.outcome_event_id is None
    [truth] = happen(opened, "a")
    one.update(SCOPE)
    assert [row.outcome_event_id for row in made(opened)] == [truth, truth, None]


def test_a_burst_gets_one_prediction_for_its_newest(opened: Resources, redis: Redis) -> None:
    one = updater(opened)
    happen(opened, "ab")
    one.update(SCOPE)
    burst = happen(opened, "ab" * 200)
    one.update(SCOPE)
    first, second = made(opened)
    assert second.last_event_id == burst[-1]
    assert first.outcome_event_id == burst[0]
    assert [message["id"] for message in sent(redis)] == [first.id, second.id]


def test_the_log_is_read_in_pieces(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    happen(opened, "ab" * 20 + "a")
    monkeypatch.setattr(update, "CHUNK", 7)
    updater(opened).update(SCOPE)
    assert [(target(row, 1), row.last_event_id) for row in made(opened)] == [("b", 41)]


def test_a_late_event_is_learned_last_and_windowed_by_time(opened: Resources) -> None:
    class Watching(MixedPredictor):
        def predict(self, window: Sequence[Event], top: int) -> Ranking:
            windows.append([event.target for event in window])
            return super().predict(window, top)

    windows: list[list[str]] = []
    happen(opened, "abcdef")
    one = updater(opened, Alone(opened, Watching))
    one.update(SCOPE)
    late, far = START + timedelta(seconds=4.5), START - timedelta(days=1)
    store(opened, [Event(far, Operation.PROCESS_START, "far"), Event(late, Operation.PROCESS_START, "late")])
    one.update(SCOPE)
    updater(opened, Alone(opened, Watching)).update(SCOPE)
    assert windows == [list("bcdef"), ["c", "d", "e", "late", "f"]]


def test_every_event_that_was_not_imported_gets_a_prediction(opened: Resources, redis: Redis) -> None:
    happen(opened, "ab" * 10, source=events.IMPORT)
    replayed = happen(opened, "ab" * BATCH)
    one = updater(every(opened))
    one.update(SCOPE)
    rows = made(opened)
    assert [row.last_event_id for row in rows] == replayed
    assert [row.outcome_event_id for row in rows] == [*replayed[1:], None]
    assert rows[-2].outcome_rank == 1
    assert [message["id"] for message in sent(redis)] == [row.id for row in rows]
    more = happen(opened, "ab")
    updater(every(opened)).update(SCOPE)
    one.update(SCOPE)
    assert [row.last_event_id for row in made(opened)] == [*replayed, *more]
    with opened.store.read() as session:
        [checkpoint] = session.scalars(select(CheckpointRow))
    assert checkpoint.seq == 20 + len(replayed) + 2


def test_a_rebuilt_model_is_asked_only_about_new_events(opened: Resources) -> None:
    class Counting(MixedPredictor):
        def predict(self, window: Sequence[Event], top: int) -> Ranking:
            asked.append(window[-1].target)
            return super().predict(window, top)

    asked: list[str] = []
    for names in ("abcd", "efg"):
        happen(opened, names)
        updater(every(opened), Alone(opened, Counting)).update(SCOPE)
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
        updater(every(opened), Alone(opened, Dying)).update(SCOPE)
    assert [row.last_event_id for row in made(opened)] == replayed[:BATCH], "whole transactions"
    updater(every(opened)).update(SCOPE)
    rows = made(opened)
    assert [row.last_event_id for row in rows] == replayed
    assert [row.outcome_event_id for row in rows] == [*replayed[1:], None]


def test_an_event_that_kills_three_attempts_is_given_up(opened: Resources) -> None:
    happen(opened, "ab")
    for _ in range(MAX_ATTEMPTS):
        with opened.store.write() as session:
            scopes.record_start(session, SCOPE)  # and the worker dies
    serving = Alone(opened)
    one = updater(opened, serving)
    one.update(SCOPE)
    one.update(SCOPE)
    assert made(opened) == [] == serving.asked, "the log is not even read"
    [newest] = happen(opened, "a")
    one.update(SCOPE)
    assert [row.last_event_id for row in made(opened)] == [newest]


def test_two_killed_attempts_and_a_good_one_leave_no_count(opened: Resources) -> None:
    happen(opened, "ab")
    for _ in range(MAX_ATTEMPTS - 1):
        with opened.store.write() as session:
            scopes.record_start(session, SCOPE)
    updater(opened).update(SCOPE)
    assert len(made(opened)) == 1
    with opened.store.read() as session:
        row = scopes.find_scope(session, SCOPE)
        assert row is not None and row.attempts == 0


def test_live_prediction_waits_for_the_disk_once(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    def noted(given: Store, is_lasting: bool = True) -> AbstractContextManager[Session]:
        begun.append(is_lasting)
        return write(given, is_lasting)

    happen(opened, "ab")
    one, write, begun = updater(opened), Store.write, list[bool]()
    monkeypatch.setattr(Store, "write", noted)
    one.update(SCOPE)
    assert begun == [False, True, False], "its start, its rows, its publication"


def test_only_loading_a_model_asks_for_time(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[float]()
    monkeypatch.setattr(heartbeat, "beat", lambda ahead_s=0.0: asked.append(ahead_s))
    look = updater(opened)
    happen(opened, ["a", "b"])
    look.update(SCOPE)
    assert asked[0] == heartbeat.LOADING_S and asked[-1] == 0
    asked.clear()
    happen(opened, ["c"])
    look.update(SCOPE)
    assert asked and not any(asked), "a worker that stands still now is noticed soon"


def test_what_was_shown_is_read_at_an_act_only_and_in_part(opened: Resources) -> None:
    def note(_: object, __: object, statement: str, *___: object) -> None:
        read.append(statement)

    one, read, judged = updater(opened), list[str](), "predictions.person_event_id IS NOT NULL"
    happen(opened, "ab")
    one.update(SCOPE)
    listen(opened.store.reader, "before_cursor_execute", note)
    happen(opened, "c")
    one.update(SCOPE)
    assert not [statement for statement in read if judged in statement]
    store(opened, [Event(START + timedelta(minutes=1), Operation.WEB_VISIT, "a.example")])
    one.update(SCOPE)
    [shown] = [statement for statement in read if judged in statement]
    assert not [name for name in ("candidates", "upcoming") if f"predictions.{name}" in shown]
    assert [row.person_event_id is None for row in made(opened)] == [True, False, True]
    assert [row.upcoming_event_id is None for row in made(opened)] == [False, False, True]


def test_live_update_asks_the_store_rarely(opened: Resources) -> None:
    def note(_: object, __: object, statement: str, *___: object) -> None:
        asked.append(statement.split()[0])

    one, asked = updater(opened), list[str]()
    for name in "aba":
        happen(opened, name)
        one.update(SCOPE)
    for engine in {opened.store.writer, opened.store.reader}:
        listen(engine, "before_cursor_execute", note)
        listen(engine, "begin", lambda _: asked.append("transaction"))
    happen(opened, "b")
    asked.clear()
    one.update(SCOPE)
    assert asked.count("transaction") <= TRANSACTIONS
    assert 10 < len([word for word in asked if word in ("SELECT", "INSERT", "UPDATE", "DELETE")]) <= STATEMENTS


def test_what_is_wanted_judges_what_was_upcoming(opened: Resources) -> None:
    one, focus = updater(opened), Event(START, Operation.WINDOW_FOCUS, "a", app="Editor")
    other, title = replace(focus, app="Terminal"), replace(focus, target="another title")
    for n, happened in enumerate([focus, other, focus, title, other]):
        store(opened, [replace(happened, at=START + timedelta(seconds=n))])
        one.update(SCOPE)
    judged = [(row.upcoming_event_id is not None, row.upcoming_rank) for row in made(opened)]
    assert judged == [(True, None), (True, 1), (False, None), (True, 1), (False, None)], "in use: another title"


def test_a_title_after_a_visit_is_no_act(opened: Resources) -> None:
    def title(text: str, n: int) -> Event:
        return Event(START + timedelta(seconds=n), Operation.WINDOW_FOCUS, text, app="Browser")

    one = updater(opened)
    day = [title("a", 0), Event(START + timedelta(seconds=1), Operation.WEB_VISIT, "a.example"), title("b", 2)]
    for happened in day:
        store(opened, [happened])
        one.update(SCOPE)
        one.models.close()  # what has the focus is known after a restart, too
        one = updater(opened)
    assert [row.person_event_id is None for row in made(opened)] == [False, True, True]


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
            updater(every(opened), Alone(opened, Dying)).update(SCOPE)
    assert len(made(opened)) == 2 * BATCH
    assert len(deaths) == MAX_ATTEMPTS + 1, "the first one had made progress before"


def test_after_an_error_the_log_is_learned_again(opened: Resources) -> None:
    class Failing(MixedPredictor):
        def predict(self, window: Sequence[Event], top: int) -> Ranking:
            serving.kind = MixedPredictor
            raise RuntimeError("no answer")

    happen(opened, "aab")
    serving = Alone(opened, Failing)
    one = updater(opened, serving)
    with pytest.raises(RuntimeError, match="no answer"):
        one.update(SCOPE)
    assert made(opened) == []
    one.update(SCOPE)
    assert len(serving.asked) == 2
    plain = MixedPredictor()
    with opened.store.read() as session:
        learned = events.find_newest_events(session, SCOPE)
    for event in learned:
        plain.learn(event)
    expected = [candidate.as_dict("en") for candidate in plain.predict(learned, 10).candidates]
    assert made(opened)[0].candidates == expected, "no event was learned twice"


def test_a_log_that_grew_is_learned_again_with_its_weights(opened: Resources) -> None:
    serving = Alone(opened)
    one = updater(opened, serving)
    for name in "ababab":
        happen(opened, name)
        one.update(SCOPE)
    before = one.models.held[SCOPE].predictor.weights()
    assert before != MixedPredictor().weights()
    past = Event(START - timedelta(days=1), Operation.PROCESS_START, "from the past", source=events.IMPORT)
    store(opened, [past])
    time_order.record_time_order(opened.store, SCOPE, 6)
    one.update(SCOPE)
    assert serving.weights == [None, before]
    assert len(made(opened)) == 6, "the newest event was answered before"
    happen(opened, "a")
    one.update(SCOPE)
    assert len(serving.asked) == 2
    assert one.models.held[SCOPE].generation > 0
    assert "from the past" in {candidate["action"]["target"] for candidate in made(opened)[-1].candidates}
    with opened.store.read() as session:
        assert session.scalars(select(CheckpointRow.generation)).all() == [session.get_one(ScopeRow, SCOPE).generation]


def change(opened: Resources) -> None:
    """Do as if the past had changed."""
    with opened.store.write() as session:
        scopes.record_new_past(session, SCOPE)


def test_weights_of_a_changed_log_are_not_taken_over(opened: Resources) -> None:
    happen(opened, "ab")
    updater(opened).update(SCOPE)
    change(opened)
    serving = Alone(opened)
    updater(opened, serving).update(SCOPE)
    assert serving.weights == [None]


def activate(opened: Resources, version: str) -> None:
    with opened.store.write() as session:
        if version != BUILTIN and session.get(VersionRow, version) is None:
            folder = opened.home.models / version
            folder.mkdir()
            manifest.write(folder, {})
            versions.add_version(session, version, SCOPE, base=BUILTIN, path=str(folder), parent=None, metrics={})
        versions.record_active(session, SCOPE, version)


def test_damaged_version_is_replaced_and_logged_once(opened: Resources) -> None:
    happen(opened, "a")
    activate(opened, "v1")
    (opened.home.models / "v1" / manifest.NAME).write_text("torn")
    one = updater(opened)
    with structlog.testing.capture_logs() as logged:
        one.update(SCOPE)
        happen(opened, "b")
        one.update(SCOPE)
    [entry] = [entry for entry in logged if entry["event"] == "version_unusable"]
    assert entry["reason"].startswith("Version v1 is not used: ")
    assert {row.model_version for row in made(opened)} == {BUILTIN}


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ({"probe": [-9.0] * (len(probe.EVENTS) - 1)}, "Version v2 answers differently than when it was trained."),
        ({"base_fingerprint": "0"}, "Version v2 was trained on other weights than builtin; run memo train again."),
    ],
    ids=["another answer", "another base"],
)
def test_version_unlike_its_training_is_taken_back(opened: Resources, described: dict[str, Any], reason: str) -> None:
    """Its files are whole; what differs is the answer, or what it was trained on."""
    folder = opened.home.models / "v2"
    shutil.copytree(BUILTIN_ADAPTER, folder)
    description = manifest.read(folder) | described
    (folder / manifest.NAME).unlink()
    manifest.write(folder, description)
    activate(opened, "v1")
    happen(opened, "a")
    with opened.store.write() as session:
        metrics = {"replaces": {SCOPE: BUILTIN}}
        versions.add_version(session, "v2", SCOPE, base=BUILTIN, path="models/v2", parent=None, metrics=metrics)
        versions.record_active(session, SCOPE, "v2")
    one = ScopeUpdater(opened)
    with structlog.testing.capture_logs() as logged:
        one.update(SCOPE)
    assert [entry["version"] for entry in logged if entry["event"] == "version_taken_back"] == ["v2"]
    assert [row.model_version for row in made(opened)] == [BUILTIN]
    with opened.store.read() as session:
        assert versions.find_serving_name(session, SCOPE, SCOPE) == BUILTIN
        taken = versions.find_version(session, "v2")
        assert (taken.state, taken.metrics["taken_back"]) == ("rejected", reason)


def test_another_active_version_answers_with_its_own_weights(opened: Resources) -> None:
    serving = Alone(opened)
    one = updater(opened, serving)
    for name in "abab":
        happen(opened, name)
        one.update(SCOPE)
    learned = one.models.held[SCOPE].predictor.weights()
    activate(opened, "v1")
    one.update(SCOPE)
    began = one.models.held[SCOPE].predictor.weights()
    newest = made(opened)[-2:]
    assert [row.model_version for row in newest] == [BUILTIN, "v1"]
    assert newest[0].last_event_id == newest[1].last_event_id
    happen(opened, "a")
    one.update(SCOPE)
    activate(opened, BUILTIN)
    one.update(SCOPE)
    folder = opened.home.models / "v1"
    assert serving.asked == [(BUILTIN, None)], "what was counted stays, so nothing is read anew"
    assert serving.taken_over == [("v1", folder), (BUILTIN, None)]
    assert began == learned, "begun from those before it"
    assert one.models.held[SCOPE].predictor.weights() == learned, "the old ones were kept"
    settled = [row.outcome_rank and target(row, row.outcome_rank) for row in made(opened)[3:5]]
    assert settled == ["a", "a"], "one truth settles both"


def test_a_scope_without_a_version_is_served_by_the_owners(opened: Resources) -> None:
    happen(opened, "a")
    happen(opened, "x", scope="replay")
    activate(opened, "v1")
    updater(opened).update("replay")
    assert [row.model_version for row in made(opened, "replay")] == ["v1"]


def test_where_two_workers_answer_for_one_event_the_first_stands(opened: Resources) -> None:
    class Overtaken(MixedPredictor):
        def predict(self, window: Sequence[Event], top: int) -> Ranking:
            updater(opened).update(SCOPE)
            overtaken.append(made(opened))
            return super().predict(window, top)

    overtaken: list[list[PredictionRow]] = []
    happen(opened, "ab")
    updater(opened, Alone(opened, Overtaken)).update(SCOPE)
    [[first]] = overtaken
    assert [row.id for row in made(opened)] == [first.id]


def test_weights_are_a_checkpoint_for_another_worker(opened: Resources) -> None:
    one, serving = updater(opened), Alone(opened)
    for name in "abab":
        happen(opened, name)
        one.update(SCOPE)
    with opened.store.read() as session:
        [checkpoint] = session.scalars(select(CheckpointRow))
    assert (checkpoint.scope, checkpoint.version, checkpoint.generation, checkpoint.seq) == (SCOPE, BUILTIN, 0, 4)
    assert checkpoint.weights == one.models.held[SCOPE].predictor.weights() != MixedPredictor().weights()
    updater(opened, serving).update(SCOPE)
    assert serving.weights == [checkpoint.weights]


def test_a_broker_that_is_away_loses_nothing(opened: Resources, redis: Redis) -> None:
    cut_off = replace(opened, publisher=Publisher(NOBODY))
    one = updater(cut_off)
    for name in "aba":
        happen(opened, name)
        one.update(SCOPE)
    rows = made(opened)
    assert [(row.published_at, row.dispatched_at) for row in rows] == [(None, None)] * 3
    with opened.store.read() as session:
        assert predictions.find_unasked_scopes(session) == [SCOPE], "the tick asks again"
    updater(opened).update(SCOPE)
    rows = made(opened)
    assert all(row.published_at is not None for row in rows)
    assert [row.dispatched_at is not None for row in rows] == [False, False, True], "only the newest is acted on"
    assert [message["id"] for message in sent(redis)] == [row.id for row in rows]
    assert handed_over(redis) == [rows[-1].id]
    updater(opened).update(SCOPE)
    assert len(sent(redis)) == 3


def test_a_queue_that_is_away_is_asked_again(opened: Resources, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("connection refused")

    happen(opened, "ab")
    with monkeypatch.context() as patched:
        patched.setattr(opened.queue, "send_task", refuse)
        updater(opened).update(SCOPE)
    [row] = made(opened)
    assert (row.published_at, row.dispatched_at) == (None, None)
    updater(opened).update(SCOPE)
    assert {message["id"] for message in sent(redis)} == {row.id} == set(handed_over(redis)), "perhaps twice, by its id"


def test_after_a_long_outage_nothing_stale_is_acted_on(
    opened: Resources, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCH", 3)
    one = updater(every(replace(opened, publisher=Publisher(NOBODY))))
    happen(opened, "abababa")
    one.update(SCOPE)
    long_ago = datetime.now(UTC) - timedelta(seconds=ACT_EXPIRES_S + 1)
    with opened.store.write() as session:
        for row in session.scalars(select(PredictionRow)):
            row.made_at = long_ago
    updater(opened).update(SCOPE)
    rows = made(opened)
    assert [message["id"] for message in sent(redis)] == [row.id for row in rows]
    assert all(row.published_at is not None and row.dispatched_at is None for row in rows)
    assert handed_over(redis) == []


def test_messages_keep_to_the_schema_and_tell_what_was_settled(opened: Resources, redis: Redis) -> None:
    one = updater(opened)
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
        one.update(SCOPE)
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
    updater(opened).update(SCOPE)
    [row] = made(opened)
    assert (row.candidates, row.upcoming, row.new_probability) == ([], [], 1.0)
    assert (row.operation, row.target, row.app, row.probability, row.expected_at) == (None,) * 5


def test_without_a_language_model_history_answers(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = opened.settings.model.model_copy(update={"base": "no/such-model"})
    settings = opened.settings.model_copy(update={"model": broken})
    happen(opened, "abab")
    ScopeUpdater(replace(opened, settings=settings)).update(SCOPE)
    assert target(made(opened)[0], 1) == "a"
    with opened.store.read() as session:
        assert session.scalar(select(func.count()).select_from(PredictionRow)) == 1


def test_a_gap_in_the_numbers_makes_no_model_begin_anew(opened: Resources) -> None:
    happen(opened, "abcd")
    with opened.store.write() as session:
        scopes.lock_scope(session, SCOPE).last_seq += 100
    serving = Alone(opened)
    one = updater(opened, serving, learned=4)
    for name in "efg":
        happen(opened, name)
        one.update(SCOPE)
    held = one.models.held[SCOPE]
    assert (held.began, held.seq, held.learned, len(serving.asked)) == (1, 107, 6, 1)


def test_a_long_log_is_learned_in_part_and_answered_once(
    opened: Resources,
) -> None:
    happen(opened, "abcdefgh")
    serving = Alone(opened)
    one = updater(opened, serving, learned=4)
    one.update(SCOPE)
    held = one.models.held[SCOPE]
    assert (held.began, held.seq) == (4, 8)
    known = {candidate["action"]["target"] for candidate in made(opened)[0].candidates}
    assert known == set("efgh")
    for name in "ijklmnopqrst":
        happen(opened, name)
        one.update(SCOPE)
    assert (one.models.held[SCOPE].began, one.models.held[SCOPE].learned) == (14, 6), "it has begun anew"
    assert len(serving.asked) == 2
    assert len(made(opened)) == 13


def test_a_lossless_replay_answers_all_of_a_long_backlog(opened: Resources) -> None:
    happen(opened, "abcdefghijklmnopqrst")
    updater(every(opened), learned=4).update(SCOPE)
    assert len(made(opened)) == 20


def test_what_is_imported_is_past_and_gets_no_prediction(opened: Resources, redis: Redis) -> None:
    happen(opened, "ab", source=events.IMPORT)
    updater(opened).update(SCOPE)
    assert not made(opened) and not handed_over(redis)
    with opened.store.read() as session:
        assert predictions.find_unasked_scopes(session) == []
    happen(opened, "a")
    updater(opened).update(SCOPE)
    assert len(made(opened)) == 1


def test_only_the_scope_of_a_replay_is_answered_for_each_event(opened: Resources) -> None:
    happen(opened, "abc")
    happen(opened, "abc", scope="replay@day")
    settings = opened.settings.model_copy(update={"predict": PredictSettings(every="replay@day")})
    one = updater(replace(opened, settings=settings))
    for scope in (SCOPE, "replay@day"):
        one.update(scope)
    assert (len(made(opened)), len(made(opened, "replay@day"))) == (1, 3)


def test_learned_state_is_kept_over_a_restart(opened: Resources) -> None:
    one = updater(opened)
    for name in "abcabcab":
        happen(opened, name)
        one.update(SCOPE)
    one.models.close()
    happen(opened, "c")
    serving = Alone(opened)
    two = updater(opened, serving)
    for each in (one, two):
        each.update(SCOPE)
    assert serving.asked == [] and len(serving.taken_over) == 1, "the log is not learned anew"
    happen(opened, "a")
    answers = [each.models.open(*_row(opened)).predictor.predict([], 10) for each in (one, two)]
    happened = Event(START + timedelta(minutes=1), Operation.PROCESS_START, "x")
    for each in (one, two):
        each.models.held[SCOPE].predictor.learn(happened)
    kept, restored = (each.models.held[SCOPE].predictor.predict([happened], 10) for each in (one, two))
    assert kept == restored and kept.candidates, "the same numbers by either way"
    assert answers[0] == answers[1]


def _row(opened: Resources) -> tuple[ScopeRow, versions.Usable]:
    with opened.store.read() as session:
        row = scopes.find_scope(session, SCOPE)
    assert row is not None
    return row, versions.Usable(versions.BUILTIN, None)


def test_a_snapshot_of_a_changed_log_is_not_used(opened: Resources) -> None:
    happen(opened, "abab")
    one = updater(opened)
    one.update(SCOPE)
    one.models.close()
    [kept] = opened.home.learned.iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    change(opened)
    assert snapshots.load(opened, SCOPE, NEWEST) is None
    kept.unlink()
    one.models.held[SCOPE].saved = 0
    one.models.close()
    assert not kept.exists(), "nor is it written again"


def test_a_snapshot_does_not_outlive_its_events(opened: Resources) -> None:
    happen(opened, "abab")
    one = updater(opened)
    one.update(SCOPE)
    one.models.close()
    assert snapshots.load(opened, SCOPE, NEWEST) is not None
    with opened.store.write() as session:
        session.execute(delete(EventRow).where(EventRow.seq == 1))
    assert snapshots.load(opened, SCOPE, NEWEST) is None
    two = updater(opened)
    two.update(SCOPE)
    two.models.close()
    kept = snapshots.load(opened, SCOPE, NEWEST)
    assert kept is not None and kept.began == 1, "one without it is kept again"


@pytest.mark.parametrize("content", [b"", b"no snapshot", b"\x80\x05."], ids=["empty", "text", "pickle"])
def test_a_damaged_snapshot_is_refused(opened: Resources, content: bytes) -> None:
    happen(opened, "ab")
    one = updater(opened)
    one.update(SCOPE)
    one.models.close()
    [kept] = opened.home.learned.iterdir()
    kept.write_bytes(content)
    two = updater(opened)
    happen(opened, "a")
    with capture_logs() as logged:
        two.update(SCOPE)
    assert len(made(opened)) == 2, "the log was learned again"
    [refused] = logged
    assert (refused["event"], refused["reason"]) == ("snapshot_refused", "its checksum does not match")


def keep(opened: Resources, seqs: Sequence[int]) -> list[int]:
    """Let a worker end after each of these events; return those after which a snapshot is kept then."""
    for seq in seqs:
        with opened.store.read() as session:
            happen(opened, "a" * (seq - events.find_last_seq(session, SCOPE)))
        one = updater(opened)
        one.update(SCOPE)
        one.models.close()
    return sorted(int(path.stem.rpartition("-")[2]) for path in opened.home.learned.iterdir())


def test_few_snapshots_are_kept_and_far_apart(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "EVERY", 10)
    assert keep(opened, [3, 12, 14]) == [3, 14]
    assert keep(opened, [15, 21]) == [3, 14, 21], "the latest, and of the others those ten events apart"
    assert keep(opened, [23, 26]) == [3, 14, 26]
    assert keep(opened, [38, 50]) == [14, 26, 38, 50], "the oldest go"


def test_the_latest_snapshot_that_can_be_used_serves(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "EVERY", 10)
    keep(opened, [5, 15, 25])
    for newest, found in ((4, None), (5, 5), (24, 15), (NEWEST, 25)):
        model = snapshots.load(opened, SCOPE, newest)
        assert (model and model.seq) == found
    [latest] = opened.home.learned.glob("*-25.snapshot")
    latest.write_bytes(b"damaged")
    (copy := latest.with_stem(f"{latest.stem} (copy)")).touch()
    model = snapshots.load(opened, SCOPE, NEWEST)
    assert model is not None and model.seq == 15
    copy.unlink()
    latest.rename(latest.with_name(f"{latest.stem.partition('-')[0]}.snapshot"))  # the name of an earlier release
    stray = latest.with_name(f"{latest.stem.partition('-')[0]}-9-25.snapshot")
    stray.touch()
    assert keep(opened, [26]) == [5, 15, 26], "what is of no generation, or of another one, goes"


def test_a_deleted_snapshot_is_soon_written_again(opened: Resources) -> None:
    happen(opened, "abab")
    one = updater(opened)
    one.update(SCOPE)
    one.models.close()
    erase_files.clear_learned(opened.home)
    happen(opened, "a")
    one.update(SCOPE)
    model = snapshots.load(opened, SCOPE, NEWEST)
    assert model is not None and model.seq == 5


def test_old_pickles_are_removed_unopened(opened: Resources, tmp_path: Path) -> None:
    happen(opened, "ab")
    one = updater(opened)
    one.update(SCOPE)
    one.models.close()
    [kept] = opened.home.learned.iterdir()
    pickled = pickle.dumps(Hostile(tmp_path / "executed"))
    pickle.loads(pickled)
    (tmp_path / "executed").unlink()
    kept.with_suffix(".pickle").write_bytes(pickled)
    assert snapshots.load(opened, SCOPE, NEWEST) is not None
    assert [path.name for path in opened.home.learned.iterdir()] == [kept.name]
    kept.write_bytes(pickled)
    assert snapshots.load(opened, SCOPE, NEWEST) is None
    assert not (tmp_path / "executed").exists()


class Hostile:
    """Pickled, it makes a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_models_above_the_limit_are_kept_on_disk_only(opened: Resources) -> None:
    serving = Alone(opened)
    one = updater(opened, serving, held=2)
    for scope in ("a", "b", "c"):
        happen(opened, "xyx", scope=scope)
        one.update(scope)
    assert list(one.models.held) == ["b", "c"]
    happen(opened, "y", scope="a")
    one.update("a")
    assert list(one.models.held) == ["c", "a"]
    assert len(serving.asked) == 3 and len(serving.taken_over) == 1, "a was read from its snapshot"
