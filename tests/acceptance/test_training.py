"""Training beside the running loop, once through: asked for by the tick, killed, done, activated, served."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psutil
import pytest
from stack import SCOPE, Stack, new_stack
from waiting import hurry, until

from memo.stack import running

SETTINGS = {
    "MEMO_SCHEDULE__RETRAIN_EVERY": "1",
    "MEMO_SCHEDULE__RETRAIN_IDLE_S": "0",
    "MEMO_TRAIN__MINIMUM_EVENTS": "50",
    "MEMO_TRAIN__EPOCHS": "1",
    "MEMO_TRAIN__RANK": "2",
    "MEMO_PREDICT__EVERY": SCOPE,
}
PAST = 170
"""Events that are stored before, of which the newest fifth is judged by."""
PAUSE_S = 0.3
"""Between two events of the person who works on."""


@dataclass
class Course:
    """What was seen."""

    supervisor: int = 0
    trainers: list[psutil.Process] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    first: dict[str, Any] = field(default_factory=dict)
    parts: list[list[dict[str, Any]]] = field(default_factory=list)
    runs: list[tuple[Any, ...]] = field(default_factory=list)
    version: str = ""
    appended: int = 0
    events: list[int] = field(default_factory=list)
    predictions: list[tuple[Any, ...]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    leftovers: list[str] = field(default_factory=list)


def visit(number: int, begin: datetime) -> str:
    return f"{begin + timedelta(minutes=number)} - Visited site site{number % 7}.example, page 'P'"


class Person:
    """Works on, a line at a time."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.lines = 0

    def work(self) -> None:
        self._stack.append([visit(self.lines, datetime(2026, 2, 1, 9))])
        self.lines += 1
        time.sleep(PAUSE_S)


@pytest.fixture(scope="module")
def course() -> Iterator[Course]:
    with new_stack(**SETTINGS) as stack:
        yield run_through(stack, Course())


def run_through(stack: Stack, course: Course) -> Course:
    stack.home.run.mkdir(parents=True)
    past = stack.home.root / "past.txt"
    begin = datetime(2026, 1, 2, 9)
    past.write_text("".join(f"{visit(number, begin)}\n" for number in range(PAST)), encoding="utf-8")
    stack.ok("import", str(past))
    stack.ok("up")
    found = stack.status()
    course.supervisor = found["pid"]
    course.parts.append(found["parts"])
    person = Person(stack)

    until("a training process", lambda: working(person, held_trainer(stack, course)))
    course.trainers[0].kill()
    until("the run has failed", lambda: working(person, runs(stack, "failed")))
    course.first = json.loads(runs(stack, "failed")[0][2])
    until("the next training process", lambda: working(person, held_trainer(stack, course)))
    course.trainers[1].resume()
    [done, *_] = until("a run is done", lambda: working(person, runs(stack, "done")))
    assert done[1], runs(stack, "done")
    course.version = done[1]
    stack.ok("model", "activate", course.version)
    until("the new version predicts", lambda: working(person, predicted_by(stack, course.version)))
    person.work()
    stack.until_stored(PAST + person.lines)
    stack.until_predicted()

    course.appended = person.lines
    course.status = stack.status()
    course.parts.append(course.status["parts"])
    stack.ok("down")
    course.leftovers = stack.leftovers()
    course.events = [row[0] for row in stack.sql("SELECT id FROM events WHERE source = 'inbox' ORDER BY seq")]
    course.predictions = stack.sql("SELECT last_event_id, model_version, outcome_event_id FROM predictions ORDER BY id")
    course.runs = stack.sql("SELECT state, kind, scope FROM runs ORDER BY id")
    return course


def runs(stack: Stack, state: str) -> list[tuple[Any, ...]]:
    return stack.sql(f"SELECT id, version, result FROM runs WHERE state = '{state}' AND kind = 'train' ORDER BY id")


def predicted_by(stack: Stack, version: str) -> int:
    return int(stack.one(f"SELECT count(*) FROM predictions WHERE model_version = '{version}'"))


def working(person: Person, found: Any) -> Any:
    """What was found, while the person works on."""
    person.work()
    return found


def held_trainer(stack: Stack, course: Course) -> bool:
    """Stop the process that carries out a run, and add it; False where there is none, or its run has just ended."""
    found = [entry["pid"] for entry in running.state(stack.home).get("passing", []) if entry["name"] == "training"]
    with suppress(psutil.NoSuchProcess):
        for process in map(psutil.Process, found):
            hurry(process.pid)
            process.suspend()  # so that its run does not end while we look
            if runs(stack, "running"):
                assert process.cmdline()[3:5] == ["-m", "training"]
                course.trainers.append(process)
                course.parents.append(process.ppid())
                return True
            process.resume()
    return False


def test_training_runs_in_a_process_of_its_own(course: Course) -> None:
    assert course.parents == [course.supervisor, course.supervisor]
    parts = {part["pid"] for part in course.parts[0]}
    assert len({process.pid for process in course.trainers} - parts) == 2


def test_killed_training_fails_and_a_next_one_is_started(course: Course) -> None:
    assert course.first == {"reason": "its process was killed, as when memory runs out"}
    assert [row[0] for row in course.runs[:2]] == ["failed", "done"]


def test_new_version_serves_without_a_restart(course: Course) -> None:
    before, after = ([(part["name"], part["pid"], part["restarts"]) for part in parts] for parts in course.parts)
    assert before == after
    served = [row[1] for row in course.predictions]
    assert set(served) == {"builtin", course.version}
    assert served == sorted(served, key=["builtin", course.version].index), "never back again"
    assert course.version in [scope["version"] for scope in course.status["scopes"].values()]


def test_training_loses_no_event_and_no_prediction(course: Course) -> None:
    assert len(course.events) == course.appended
    assert {row[0] for row in course.predictions} == set(course.events)
    made = [row[:2] for row in course.predictions]
    assert len(made) == len(set(made))


def test_each_prediction_has_its_outcome(course: Course) -> None:
    after = dict(zip(course.events, [*course.events[1:], None], strict=True))
    assert [row[2] for row in course.predictions] == [after[row[0]] for row in course.predictions]


def test_down_ends_a_running_training(course: Course) -> None:
    assert course.leftovers == []
    assert not any(process.is_running() for process in course.trainers)
