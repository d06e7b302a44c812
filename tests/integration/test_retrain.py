"""When a training is due, what it waits for, and how it gives way to the person, on each database."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from stores import make_store, store_events
from waiting import TRAINING, WAIT_S, until

from db.engine import Store, open_store
from db.models import RunRow
from db.prediction import versions
from db.upkeep import jobs, retrain, runs
from memo.clock import pauses
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import ScheduleSettings, Settings
from memo.desktop.machine import Machine

SCOPE = "a@b"
SCHEDULE = ScheduleSettings(retrain_actions=10)
LONG_AGO = timedelta(hours=2)


@dataclass
class FakeMachine(Machine):
    """A machine that is idle, on mains power."""

    charge: float | None = None
    free: int = 8_000_000_000
    at_work: float = 0.0

    def battery(self) -> float | None:
        return self.charge

    def free_bytes(self) -> int:
        return self.free

    def load(self) -> float:
        return self.at_work


@pytest.fixture
def store(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("MEMO_DATABASE_URL", database_url)
    monkeypatch.setenv("MEMO_SCOPE", SCOPE)
    make_store(Settings.load(), home)
    opened = open_store(Settings.load(), home)
    yield opened
    opened.close()


def act(store: Store, number: int, ago: timedelta = LONG_AGO, operation: Operation = Operation.FILE_ACCESS) -> None:
    """Add events that end some time ago."""
    end = datetime.now(UTC) - ago
    happened = [Event(end - timedelta(seconds=number - n), operation, f"{n % 7}.txt", "editor") for n in range(number)]
    with store.write() as session:
        store_events(session, SCOPE, happened)


def outlook(store: Store, ahead: timedelta = timedelta()) -> retrain.Outlook:
    with store.read() as session:
        return retrain.find_outlook(session, SCOPE, SCHEDULE, datetime.now(UTC) + ahead)


def due(store: Store) -> list[str]:
    with store.read() as session:
        return retrain.find_due_scopes(session, SCHEDULE, datetime.now(UTC))


def obstacle(store: Store, home: Home, machine: Machine | None = None, schedule: ScheduleSettings = SCHEDULE) -> str:
    with store.read() as session:
        return retrain.find_obstacle(session, home, schedule, datetime.now(UTC), machine or FakeMachine())


def run_through(store: Store, state: str) -> None:
    with store.write() as session:
        row = runs.add_run(session, runs.TRAIN, SCOPE)
        assert row is not None
        runs.record_result(session, row.id, state, {})


def test_training_is_due_after_enough_actions(store: Store) -> None:
    act(store, 9)
    act(store, 50, operation=Operation.PROCESS_START)
    assert not outlook(store).is_due and outlook(store).reason.startswith("after 1 more actions, or on ")
    act(store, 1, ago=timedelta(hours=1))
    assert outlook(store) == (True, "10 new actions")
    assert due(store) == [SCOPE]


def add_verdicts(store: Store, *promoted: bool) -> None:
    with store.write() as session:
        for number, verdict in enumerate(promoted):
            metrics = {"judged": {"promoted": verdict}}
            name = f"v{number:04d}"
            versions.add_version(session, name, SCOPE, base="builtin", path=name, parent=None, metrics=metrics)
        versions.add_version(session, "mine", SCOPE, base="builtin", path="mine", parent=None, metrics={})


@pytest.mark.parametrize(
    ("verdicts", "needed"),
    [((True,), 10), ((False, True, False), 20), ((True, False, False), 40), ((False,) * 5, 80)],
)
def test_rejected_versions_make_training_rarer(store: Store, verdicts: tuple[bool, ...], needed: int) -> None:
    add_verdicts(store, *verdicts)
    act(store, needed - 1)
    assert not outlook(store).is_due and outlook(store).reason.startswith("after 1 more actions, or on ")
    assert ("versions rejected in a row" in outlook(store).reason) is (needed > 10)
    act(store, 1, ago=timedelta(hours=1))
    assert outlook(store) == (True, f"{needed} new actions")


def test_actions_before_the_last_training_are_not_new(store: Store) -> None:
    act(store, 20)
    run_through(store, "done")
    assert outlook(store).reason.startswith("after 10 more actions") and due(store) == []


def test_training_that_failed_is_due_again(store: Store) -> None:
    act(store, 20)
    run_through(store, "failed")
    assert outlook(store).is_due and due(store) == [], "its delay has not passed"
    with store.write() as session:
        session.execute(update(RunRow).values(ended_at=datetime.now(UTC) - timedelta(hours=1)))
    assert due(store) == [SCOPE]


def test_training_is_due_after_a_week(store: Store) -> None:
    act(store, 1)
    with store.write() as session:
        jobs.record_run(session, jobs.RETRAIN, jobs.NOT_YET)
    week = timedelta(days=7)
    assert not outlook(store, week - timedelta(minutes=1)).is_due
    assert outlook(store, week + timedelta(minutes=1)).reason.startswith("none since ")
    run_through(store, "done")
    with store.write() as session:
        session.execute(update(RunRow).values(created_at=datetime.now(UTC) - timedelta(days=3)))
    assert not outlook(store, timedelta(days=3, hours=23)).is_due
    assert outlook(store, timedelta(days=4)).is_due


def test_training_under_way_is_not_queued_twice(store: Store) -> None:
    act(store, 20)
    with store.write() as session:
        runs.add_run(session, runs.TRAIN, SCOPE)
    assert due(store) == []


@pytest.mark.parametrize(
    ("machine", "waits_for"),
    [
        (FakeMachine(), ""),
        (FakeMachine(charge=90.0), "the machine has mains power"),
        (FakeMachine(free=1_000_000_000), "1.5 GB of memory are free"),
        (FakeMachine(at_work=0.8), "the machine is less busy"),
    ],
)
def test_training_waits_for_the_machine(store: Store, home: Home, machine: Machine, waits_for: str) -> None:
    act(store, 20)
    assert obstacle(store, home, machine) == waits_for
    assert obstacle(store, home, machine, ScheduleSettings(retrain_idle_s=0)) == ""


@pytest.mark.parametrize(("ago_s", "waits"), [(-10, True), (5, True), (590, True), (610, False), (-4000, False)])
def test_training_waits_until_the_person_is_away(store: Store, home: Home, ago_s: int, waits: bool) -> None:
    act(store, 1, ago=timedelta(seconds=ago_s))
    act(store, 1, ago=timedelta(), operation=Operation.PROCESS_START)
    assert obstacle(store, home) == ("nobody has done anything for 10 minutes" if waits else "")


def test_training_asked_for_waits_for_the_end_of_a_pause_only(store: Store, home: Home) -> None:
    act(store, 1, ago=timedelta())
    with store.write() as session:
        runs.record_urgent(session, runs.TRAIN, SCOPE)
    assert obstacle(store, home, FakeMachine(10.0, 0, 9.0)) == ""
    pauses.begin(home, None)
    assert obstacle(store, home) == "MEMO is resumed"
    run_through_queued(store)
    pauses.end(home)
    assert obstacle(store, home) == "nobody has done anything for 10 minutes", "the next one waits again"


def run_through_queued(store: Store) -> None:
    with store.write() as session:
        row = runs.record_next_start(session)
        assert row is not None
        runs.record_result(session, row.id, "done", {})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_training_stops_for_the_person_and_goes_on(store: Store, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TRAIN__EPOCHS": "30", "TRAIN__RANK": "2", "SCHEDULE__RETRAIN_IDLE_S": "60"}.items():
        monkeypatch.setenv(f"MEMO_{name}", value)
    act(store, 400)
    with store.write() as session:
        runs.add_run(session, runs.TRAIN, SCOPE)

    def state() -> str:
        with store.read() as session:
            return session.get_one(RunRow, 1).state

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(TRAINING, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def found() -> Path | None:
        return next(home.models.glob("*/checkpoint/state.safetensors"), None)

    def goes_on() -> bool:
        return checkpoint.stat().st_mtime_ns > before

    with start() as process:
        checkpoint = until("a checkpoint", found)
        assert Path(f"/proc/{process.pid}/oom_score_adj").read_text().strip() == "1000", "before any app of the person"
        act(store, 1, ago=timedelta())
        assert process.wait(WAIT_S) == 0, process.stdout and process.stdout.read()
    assert state() == "queued" and checkpoint.exists()
    monkeypatch.setenv("MEMO_SCHEDULE__RETRAIN_IDLE_S", "0")
    before = checkpoint.stat().st_mtime_ns
    with start() as process:
        until("the training goes on", goes_on)
        process.kill()
    assert state() == "running"
