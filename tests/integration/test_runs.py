"""Runs: queued by the tick, carried out by a process of their own, on each database."""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from calling import printed
from conftest import logging_restored
from kombu import Connection
from sqlalchemy import delete, update
from sqlalchemy.orm import Session
from stores import store_events
from waiting import TRAINING, WAIT_S

from db.engine import Store
from db.intake import cursors, events, scopes
from db.models import CursorRow, EventRow, JobRow, LaunchRow, PredictionRow, RunRow
from db.prediction import predictions, versions
from db.store_access import process_store
from db.upkeep import jobs, retention, runs
from memo.clock.reading import Reading
from memo.core.errors import MemoError
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running
from memo.stack.spawn import PARENT
from memo.stack.task_queue import LOOK, PREDICT, make_app
from memo.store import manifest
from scheduler import pruning, tick, upkeep
from training import __main__ as process
from training import build_version
from worker.resources import open_resources

SCOPE = "a@b"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For a run that imports torch, which takes seconds; the rows of runs are tested on both."""


@pytest.fixture
def settings(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    monkeypatch.setenv("MEMO_SCHEDULE__RETRAIN_IDLE_S", "0")
    return Settings.load()


@pytest.fixture
def store(settings: Settings, store: Store) -> Store:
    return store


def add(store: Store, names: Sequence[str], scope: str = SCOPE, operation: Operation = Operation.PROCESS_START) -> None:
    happened = [Event(START + timedelta(seconds=second), operation, name) for second, name in enumerate(names)]
    with store.write() as session:
        store_events(session, scope, happened)


def ask(store: Store, kind: str) -> int:
    with store.write() as session:
        row = runs.add_run(session, kind, SCOPE)
        assert row is not None
        return row.id


def carry_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Carry out what is queued as the process for it does, without the seconds in which that one loads torch."""
    monkeypatch.setattr(process, "end_with_parent", lambda: None)
    for name in ("take_limits", "be_idle"):
        monkeypatch.setattr(process, name, lambda: None)
    with logging_restored():
        process.main()


def carry_out_in_a_process() -> int:
    silent = subprocess.DEVNULL
    return subprocess.run(TRAINING, stdout=silent, stderr=silent, timeout=WAIT_S, check=False).returncode


def run_row(store: Store, run_id: int) -> RunRow:
    with store.read() as session:
        return session.get_one(RunRow, run_id)


def test_add_run_queues_each_kind_once(store: Store) -> None:
    ask(store, "train")
    with store.write() as session:
        assert runs.add_run(session, "train", SCOPE) is None
        assert runs.add_run(session, "evaluate", SCOPE) is not None


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("train", "0 actions are new to the active version; 30 are needed"),
        ("evaluate", "0 actions are too few to review; 30 are needed"),
    ],
)
def test_run_with_too_few_actions_trains_nothing(
    store: Store, home: Home, monkeypatch: pytest.MonkeyPatch, kind: str, note: str
) -> None:
    add(store, "abcd" * 75)
    run_id = ask(store, kind)
    carry_out(monkeypatch)
    assert run_row(store, run_id).result["note"].startswith(note)
    assert not any(home.models.iterdir())


@pytest.mark.parametrize(
    ("kind", "note"), [("train", "3 events are too few"), ("evaluate", "0 actions are too few to review")]
)
def test_run_with_too_few_events_says_so(store: Store, monkeypatch: pytest.MonkeyPatch, kind: str, note: str) -> None:
    add(store, "abc")
    run_id = ask(store, kind)
    carry_out(monkeypatch)
    row = run_row(store, run_id)
    assert row.state == "done" and row.started_at is not None and row.ended_at is not None
    assert row.result["note"].startswith(note)
    with store.read() as session:
        job = session.get_one(JobRow, "retrain" if kind == "train" else kind)
    assert "too few" in job.last_result


def test_training_leaves_out_what_is_excluded_since(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, ["work.example", "bank.example", "shop.example"], operation=Operation.WEB_VISIT)
    assert [event.target for event in build_version.find_events(store, Settings.load(), SCOPE)][1] == "bank.example"
    monkeypatch.setenv("MEMO_PRIVACY__SITES", '["bank.example"]')
    found = build_version.find_events(store, Settings.load(), SCOPE)
    assert [event.target for event in found] == ["work.example", "shop.example"]


@ON_SQLITE
def test_run_without_its_model_fails_with_a_sentence(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_MODEL__BASE", "/no/such/model")
    add(store, "ab" * 150, operation=Operation.WEB_VISIT)
    run_id = ask(store, "train")
    carry_out(monkeypatch)  # only a process that could not carry out its runs delays the next one
    row = run_row(store, run_id)
    assert row.state == "failed" and "/no/such/model" in row.result["reason"]


@ON_SQLITE
def test_run_trains_judges_and_promotes_or_rejects(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_TRAIN__EPOCHS", "1")
    add(store, "abcd" * 75, operation=Operation.WEB_VISIT)
    run_id = ask(store, "train")
    assert carry_out_in_a_process() == 0
    row = run_row(store, run_id)
    assert (row.state, row.version) == ("done", "v0001")
    with store.read() as session:
        version = versions.find_version(session, "v0001")
    verdict = version.metrics["judged"]
    assert manifest.read(home.version(version.path))["judged"] == verdict
    promoted = verdict["promoted"]
    assert row.result == {"version": "v0001", "promoted": promoted, "reason": verdict["reason"]}
    assert version.state == ("active" if promoted else "rejected")
    shown = printed("model", "show", "v0001")
    assert verdict["reason"] in " ".join(shown.split()) and "place, 59 questions" in shown and "markov1" in shown
    assert verdict["memory_mb"]["candidate"] > verdict["memory_mb"]["history"] + 5, "the weights alone are 5 MB"
    assert min(verdict["latency_ms"].values()) > 0 and {"mru", "markov1", "ppm"} <= verdict["memory_mb"].keys()
    assert verdict["table"]["place"]["candidate"]["n"] == 59, "all of the newest fifth that something follows"
    assert version.metrics["events"] == 241, "and nothing of it is trained on but the action before"
    assert active(store) == ("v0001" if promoted else versions.BUILTIN)
    assert list(home.models.iterdir()) == [home.version(version.path)], "nothing unfinished is left"


class Sent:
    """A Celery app on the in-memory transport, and the messages sent through it."""

    def __init__(self, settings: Settings) -> None:
        self.app = make_app("memory://")

    def take(self, queue: str) -> list[tuple[str, list[Any]]]:
        """Take the waiting messages; return their task names and arguments."""
        found = []
        with Connection("memory://") as connection, connection.channel() as channel:
            while (message := channel.basic_get(f"memo.{queue}", no_ack=True)) is not None:
                found.append((message.headers["task"], message.decode()[0]))
        return found


@pytest.fixture
def sent(settings: Settings) -> Iterator[Sent]:
    opened = Sent(settings)
    with Connection("memory://") as connection:
        for queue in opened.app.conf.task_queues:
            queue(connection).declare()
    yield opened
    opened.take(PREDICT)
    opened.app.close()


def test_tick_first_only_records_the_time(store: Store, settings: Settings, sent: Sent) -> None:
    tick.run(sent.app, settings, store)
    with store.read() as session:
        assert set(jobs.find_last_runs(session, tick.JOBS)) == set(tick.JOBS)
    tick.run(sent.app, settings, store)
    assert queued(store) == []


def make_all_due(store: Store) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=30)
    with store.write() as session:
        for name in tick.JOBS:
            session.merge(JobRow(name=name, last_run=long_ago, last_result=""))
        session.execute(update(RunRow).values(created_at=long_ago))


def queued(store: Store) -> list[tuple[str, str]]:
    with store.read() as session:
        return [(row.kind, row.scope) for row in runs.find_queued(session)]


@pytest.fixture
def requests(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The signals that the supervisor of this home gets; this process takes its place."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in (signal.SIGUSR1, signal.SIGUSR2)
    }
    monkeypatch.setenv(PARENT, str(os.getpid()))
    with running.hold(home):
        yield received
    for number, handler in before.items():
        signal.signal(number, handler)


def test_tick_and_dispatcher_share_one_store(store: Store) -> None:
    try:
        _, _, of_tick = tick._open()
        assert of_tick is open_resources().store
    finally:
        process_store().close()
        for made in (tick._open, open_resources, process_store):
            made.cache_clear()


def test_tick_queues_each_due_run_once(store: Store, settings: Settings, sent: Sent, requests: list[int]) -> None:
    tick.run(sent.app, settings, store)
    assert signal.SIGUSR1 not in requests
    add(store, "abc")
    make_all_due(store)
    tick.run(sent.app, settings, store)
    tick.run(sent.app, settings, store)
    assert queued(store) == [("train", SCOPE), ("evaluate", SCOPE)]


def test_tick_delays_only_scopes_that_fail(
    store: Store, settings: Settings, sent: Sent, requests: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, "abc")
    add(store, "abc", "other")
    for delays in range(3):
        make_all_due(store)
        tick.run(sent.app, settings, store)
        assert ("train", "other") in queued(store)
        assert (("train", SCOPE) in queued(store)) is (delays == 0)
        with store.write() as session:
            while (row := runs.record_next_start(session)) is not None:
                runs.record_result(session, row.id, "failed" if row.scope == SCOPE else "done", {})
    with store.write() as session:
        for seconds, failures in ((4, 1), (6, 1), (6, 2), (11, 2), (86_399, 30), (86_401, 30)):
            session.execute(delete(RunRow))
            ended_at = datetime.now(UTC) - timedelta(seconds=seconds)
            failed = {"kind": "train", "scope": SCOPE, "state": "failed", "created_at": START, "ended_at": ended_at}
            session.add_all(RunRow(**failed) for _ in range(failures))
            session.flush()
            is_over = seconds in (11, 86_401) or (seconds, failures) == (6, 1)
            assert runs.is_delayed(session, "train", SCOPE) is not is_over


def test_tick_repeats_a_retrain_whose_request_was_lost(
    store: Store, settings: Settings, sent: Sent, requests: list[int]
) -> None:
    """An earlier version requested it by a message, which no part of this one reads, and recorded that as a run."""
    add(store, "abc")
    asked = datetime.now(UTC) - settings.schedule.retrain_every
    for last_run, expected in ((asked + timedelta(hours=1), []), (asked, [("train", SCOPE)])):
        with store.write() as session:
            session.merge(JobRow(name=jobs.RETRAIN, last_run=last_run, last_result="asked for 1 scopes"))
        tick.run(sent.app, settings, store)
        assert queued(store) == expected
    assert requests.count(signal.SIGUSR1) == 1


def test_tick_asks_the_supervisor_until_no_run_is_queued(
    store: Store, settings: Settings, sent: Sent, requests: list[int]
) -> None:
    ask(store, "train")
    tick.run(sent.app, settings, store)
    tick.run(sent.app, settings, store)
    assert requests.count(signal.SIGUSR1) == 2, "a request that is lost is repeated"
    with store.write() as session:
        runs.record_next_start(session)
    tick.run(sent.app, settings, store)
    assert requests.count(signal.SIGUSR1) == 2


def test_request_training_never_signals_another_process(
    home: Home, requests: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PARENT, "1")
    running.request(home, running.TRAINING)
    assert signal.SIGUSR1 not in requests


def test_tick_repeats_a_lost_request_for_a_prediction(store: Store, settings: Settings, sent: Sent) -> None:
    add(store, "abc")
    tick.run(sent.app, settings, store)
    tick.run(sent.app, settings, store)
    assert sent.take(PREDICT) == [(LOOK, [SCOPE])], "one ask is under way"
    with store.write() as session:
        scopes.record_start(session, SCOPE)
    tick.run(sent.app, settings, store)
    assert sent.take(PREDICT) == [(LOOK, [SCOPE])], "it was lost"


def add_reading(session: Session, ahead: timedelta = timedelta(), ago: timedelta = timedelta(hours=3)) -> None:
    """Record that the clock was read a while ago, and by how much it was ahead then."""
    now = Reading.now()
    earlier = Reading(now.at - ago + ahead, now.boot, now.uptime_s - ago.total_seconds())
    jobs.record_run(session, pruning.CLOCK, str(earlier))


@pytest.mark.parametrize(
    ("readings", "result"),
    [
        ([], pruning.FIRST_READING),
        ([{"ago": timedelta(hours=1)}], pruning.TOO_EARLY),
        ([{"ahead": -timedelta(days=1095)}], "removed nothing: the clock went from "),
        ([{"ahead": timedelta(days=1095)}], "removed nothing: the clock went from "),
        ([{"ahead": timedelta(hours=-1)}], "removed nothing: the clock went from "),
        ([{"ahead": timedelta(minutes=1)}], "3 events and 0 predictions removed"),
    ],
)
def test_prune_removes_nothing_by_a_clock_that_was_set(
    readings: list[dict[str, timedelta]], result: str, store: Store, settings: Settings, home: Home
) -> None:
    add(store, "abc")
    with store.write() as session:
        session.execute(update(EventRow).values(at=START - timedelta(days=9_000)))
        for reading in readings:
            add_reading(session, **reading)
    assert pruning.prune(settings, store, home, Reading.now()).startswith(result)


def test_prune_waits_three_days_after_the_clock_was_set(store: Store, settings: Settings, home: Home) -> None:
    add(store, "abc")
    results = []
    with store.write() as session:
        session.execute(update(EventRow).values(at=START - timedelta(days=9_000)))
        add_reading(session, ahead=timedelta(days=-1095))
    results.append(pruning.prune(settings, store, home, Reading.now()))
    with store.write() as session:
        add_reading(session)
    results.append(pruning.prune(settings, store, home, Reading.now()))
    with store.write() as session:
        add_reading(session)
        session.get_one(JobRow, pruning.CLOCK_SET).last_run -= timedelta(days=4)
    results.append(pruning.prune(settings, store, home, Reading.now()))
    assert results[0].startswith(jobs.CLOCK_WAS_SET)
    assert results[1:] == [pruning.NOT_SETTLED, "3 events and 0 predictions removed"]


def test_prune_removes_what_was_too_old_at_the_reading_before(store: Store, settings: Settings, home: Home) -> None:
    add(store, "ab")
    keep, now = settings.schedule.keep_events, Reading.now()
    with store.write() as session:
        for row, hours in zip(events.find_window(session, SCOPE, 2), (4, 2), strict=True):
            row.at = now.at - keep - timedelta(hours=hours)
        add_reading(session)
    assert pruning.prune(settings, store, home, now).startswith("1 events")


def test_prune_after_a_shutdown_believes_a_clock_of_a_later_day(store: Store, settings: Settings, home: Home) -> None:
    now = Reading.now()
    day_before = Reading(now.at - timedelta(days=1), "another boot", 50.0)
    assert Reading(now.at, now.boot, 60.0).agrees_with(day_before)
    assert not Reading(now.at + timedelta(days=1095), now.boot, 60.0).agrees_with(day_before)
    assert not Reading(now.at - timedelta(days=2), now.boot, 60.0).agrees_with(day_before)


def test_one_run_removes_a_share_at_most(
    store: Store, settings: Settings, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ALWAYS", 2)
    add(store, "abcdefghijkl")
    with store.write() as session:
        session.execute(update(EventRow).values(at=START - timedelta(days=9_000)))
    counts = []
    for _ in range(3):
        with store.write() as session:
            add_reading(session)
        counts.append(pruning.prune(settings, store, home, Reading.now()))
    assert [int(found.split()[0]) for found in counts] == [3, 2, 2]
    assert all(found.endswith("; a run removes no more, the next one goes on") for found in counts)


def test_one_run_removes_a_share_of_the_launches_at_most(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ALWAYS", 2)
    sizes = {"major_faults": 0, "read_bytes": 0, "known_bytes": 0}
    with store.write() as session:
        session.add_all(LaunchRow(scope=SCOPE, app="a", executable="/a", at=START, **sizes) for _ in range(12))
    ahead = START + timedelta(days=1)
    removed = retention.prune(store, ahead, ahead, 0)
    assert (removed["launches"], removed["limited"]) == (3, 1)


def test_tick_prunes_old_predictions(store: Store, settings: Settings, sent: Sent) -> None:
    add(store, "abc")
    with store.write() as session:
        for row, age in zip(events.find_window(session, SCOPE, 2), (400, 1), strict=True):
            made_at = datetime.now(UTC) - timedelta(days=age)
            session.add(
                PredictionRow(
                    scope=SCOPE,
                    made_at=made_at,
                    last_event_id=row.id,
                    model_version="builtin",
                    candidates=[],
                    upcoming=[],
                    new_probability=1.0,
                    latency_ms=1.0,
                )
            )
        add_reading(session)
        session.add(JobRow(name=jobs.PRUNE, last_run=START, last_result=""))
    upkeep.run(settings, store)
    with store.read() as session:
        assert session.query(PredictionRow).count() == 1
        assert session.get_one(JobRow, jobs.PRUNE).last_result == "0 events and 1 predictions removed"
        assert predictions.find_unsent(session, SCOPE, 10)


def test_tick_clears_learned_state_with_pruned_events(store: Store, settings: Settings, home: Home, sent: Sent) -> None:
    add(store, "abc")
    kept = home.learned / "x.pickle"
    kept.touch()
    with store.write() as session:
        add_reading(session)
        session.add(JobRow(name=jobs.PRUNE, last_run=START, last_result=""))
    upkeep.run(settings, store)
    assert kept.exists(), "nothing was old"
    with store.write() as session:
        session.execute(update(EventRow).values(at=START - timedelta(days=9_000)))
        session.get_one(JobRow, jobs.PRUNE).last_run = START
        add_reading(session)
    upkeep.run(settings, store)
    assert not kept.exists()


def test_tick_prunes_old_events(store: Store, settings: Settings, home: Home, sent: Sent) -> None:
    add(store, "abc")
    (home.learned / "some.pickle").touch()
    with store.write() as session:
        for row, age in zip(events.find_window(session, SCOPE, 3), (731, 729, 1), strict=True):
            row.at = datetime.now(UTC) - timedelta(days=age)
        add_reading(session)
        session.add(JobRow(name=jobs.PRUNE, last_run=START, last_result=""))
    upkeep.run(settings, store)
    with store.read() as session:
        assert [row.target for row in events.find_window(session, SCOPE, 3)] == ["b", "c"]
        assert session.get_one(JobRow, jobs.PRUNE).last_result == "1 events and 0 predictions removed"
    assert list(home.learned.iterdir()) == []


@pytest.mark.parametrize("there", [True, False], ids=["an inbox with files", "an inbox elsewhere"])
def test_tick_prunes_cursors_of_deleted_files(
    there: bool, store: Store, settings: Settings, home: Home, sent: Sent
) -> None:
    keys = {"gone": "1:1", "just gone": "1:2"}
    if there:
        (home.inbox / "ada@host").mkdir()
        (home.inbox / "ada@host" / "a.txt").touch()
        found = (home.inbox / "ada@host" / "a.txt").stat()
        keys["there"] = f"{found.st_dev}:{found.st_ino}"
    long_ago = datetime.now(UTC) - timedelta(days=31)
    with store.write() as session:
        for name, key in keys.items():
            cursors.record_cursor(session, "inbox", key, {})
            cursors.record_cursor(session, "another", key, {})
            if name != "just gone":
                session.get_one(CursorRow, ("inbox", key)).moved_at = long_ago
        add_reading(session)
        session.add(JobRow(name=jobs.PRUNE, last_run=START, last_result=""))
    upkeep.run(settings, store)
    with store.read() as session:
        left = {name for name, key in keys.items() if cursors.find_cursor(session, "inbox", key) is not None}
        assert all(cursors.find_cursor(session, "another", key) is not None for key in keys.values())
    assert left == ({"just gone", "there"} if there else set(keys))


def register(store: Store, home: Home, version: str) -> None:
    folder = home.models / version
    folder.mkdir()
    with store.write() as session:
        versions.add_version(session, version, SCOPE, base="builtin", path=str(folder), parent=None, metrics={})


def active(store: Store) -> str:
    with store.read() as session:
        row = versions.find_serving(session, SCOPE, SCOPE)
        return row.id if row else versions.BUILTIN


def test_rollback_activates_the_version_before(store: Store, home: Home) -> None:
    for version in ("v0001", "v0002"):
        register(store, home, version)
        with store.write() as session:
            build_version.activate(session, SCOPE, version)
    for expected in ("v0001", versions.BUILTIN):
        with store.write() as session:
            versions.record_active(session, SCOPE, build_version.find_replaced(session, SCOPE))
        assert active(store) == expected
    with store.read() as session, pytest.raises(MemoError, match="nothing to go back to"):
        build_version.find_replaced(session, SCOPE)


def test_prune_keeps_the_active_newest_and_best(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMO_SCHEDULE__KEEP_VERSIONS", "1")
    for version in ("v0000", "v0001", "v0002", "v0003", "v0004", "v0005"):
        register(store, home, version)
    with store.write() as session:
        for version, loss in {"v0000": 0.5, "v0003": 0.7}.items():
            verdict = {"promoted": False, "table": {"place": {"candidate": {"log_loss": loss}}}}
            versions.find_version(session, version).metrics = {"judged": verdict}
        versions.find_version(session, "v0004").metrics = {"judged": {"promoted": False}}  # of an earlier release
    with store.write() as session:
        build_version.activate(session, SCOPE, "v0001")
        build_version.activate(session, SCOPE, "v0002")
    assert "Deleted v0003, v0004." in printed("model", "prune")
    assert "No version is old enough" in printed("model", "prune")
    assert {folder.name for folder in home.models.iterdir()} == {"v0000", "v0001", "v0002", "v0005"}
    with store.write() as session, pytest.raises(MemoError, match="files of v0003 are gone"):
        build_version.activate(session, SCOPE, "v0003")
