"""A process that stands still is named, and restarted if it is a part; what waits for it has a bound."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from threading import Thread
from typing import Any

import psycopg
import pytest
from dispatching import reach
from ports import silent_port
from stack import MEMO, Stack, lines, new_stack
from stopping import family, is_alive, stopped
from waiting import until

from memo.core.paths import Home
from memo.stack import heartbeat, running
from memo.stack.process_specs import Part
from memo.stack.supervisor import Supervisor
from memo.store import postgres

BOUND_S = 45.0  # far below the 300 s for which commands hung


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with new_stack() as made:
        yield made


@pytest.fixture
def up(stack: Stack) -> Stack:
    """A stack that runs, whatever the test before it has done."""
    stack.run()
    return stack


def bounded(stack: Stack, *words: str) -> str:
    """What a command says, whatever its exit status; fail if it hangs."""
    done = subprocess.run([MEMO, *words], env=stack.environment, capture_output=True, text=True, timeout=BOUND_S)
    return done.stdout + done.stderr


def problems(stack: Stack) -> str:
    return " ".join(json.loads(bounded(stack, "status", "--json"))["problems"])


def named(said: str, names: list[str], seen: set[str]) -> set[str]:
    """The parts named so far: the first may run again before the last one is named."""
    seen |= {name for name in names if f"The {name} (process" in said}
    return seen


def pids(stack: Stack) -> dict[str, int]:
    return {part["name"]: part["pid"] for part in running.state(stack.home)["parts"]}


@pytest.mark.slow
def test_stopped_parts_are_named_and_restarted(up: Stack) -> None:
    before, names = pids(up), ["collector", "worker", "dispatcher"]
    up.predict(lines(2, "2026-03-02 09:00:00"))
    seen = set[str]()
    with stopped(*(before[name] for name in names)):
        up.append(lines(3, "2026-03-03 09:00:00"))
        until("one is named", lambda: named(problems(up), names, seen))
        said = bounded(up, "doctor")
        assert "WRONG parts" in said and "has been stuck for" in said and "MEMO restarts it" in said
        until("all are named", lambda: named(problems(up), names, seen) == set(names))
        until("all are restarted", lambda: not any(pids(up)[name] == before[name] for name in names))
    until("all run", lambda: not problems(up))
    up.until_stored(5)
    up.until_predicted()
    assert not any(is_alive(before[name]) for name in names)
    assert pids(up)["broker"] == before["broker"]


@pytest.mark.slow
def test_stopped_broker_is_named_and_restarted(up: Stack) -> None:
    before = pids(up)
    with stopped(before["broker"]):
        assert "No broker answers at" in problems(up)
        assert "WRONG broker" in bounded(up, "doctor")
        until("it is named", lambda: "The broker (process" in problems(up))
        until("it is restarted", lambda: pids(up)["broker"] != before["broker"])
    up.predict(lines(2, "2026-03-04 09:00:00"))
    assert {name: pid for name, pid in pids(up).items() if name != "broker"} == {
        name: pid for name, pid in before.items() if name != "broker"
    }, "parts that wait for the broker are not stuck"


@pytest.mark.slow
def test_stopped_supervisor_is_named_and_restarts_nothing(up: Stack) -> None:
    before, supervisor = pids(up), up.status()["pid"]
    with stopped(supervisor, *(pid for part in before.values() for pid in family(part))):
        until("it is named", lambda: f"The supervisor (process {supervisor})" in problems(up))
        assert f"`kill -9 {supervisor}`, then `memo up`" in bounded(up, "doctor")
    until("nothing is wrong", lambda: not problems(up))
    assert pids(up) == before, "time in which all stood still is nobody's fault"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "url", "words"),
    [
        ("MEMO_DATABASE_URL", "postgresql+psycopg://u@127.0.0.1:{port}/x", "Cannot use the store postgresql+psycopg"),
        ("MEMO_BROKER_URL", "redis://127.0.0.1:{port}/0", "No broker answers at redis://"),
        ("MEMO_BROKER_URL", "amqp://127.0.0.1:{port}//", "No broker answers at amqp://"),
    ],
)
def test_doctor_of_a_silent_server_names_it(setting: str, url: str, words: str) -> None:
    with silent_port() as port, new_stack(**{setting: url.format(port=port)}) as stack:
        assert words in bounded(stack, "doctor")
        if setting == "MEMO_DATABASE_URL":
            assert words in bounded(stack, "status")


def test_postgres_that_stops_answering_is_given_up(postgres_url: str) -> None:
    address = postgres_url.replace("+psycopg", "")
    with postgres.connect(address, answer_s=0.5) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="no answer within"):
            connection.execute("SELECT pg_sleep(60)")
        assert connection.closed


# The supervisor alone.

BEATS = """
import sys, time
from memo.core.paths import Home
from memo.stack.heartbeat import beat, say_ready
from memo.stack.process_specs import end_with_parent
end_with_parent()
say_ready(Home.find(), sys.argv[1])
while True:
    time.sleep(0.1)
    beat()
"""
LOADS = BEATS.replace("beat()\n", "beat(3600)\n")
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + BEATS


@pytest.fixture
def supervised(home: Home, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    for name, code in (("beats", BEATS), ("loads", LOADS), ("deaf", DEAF)):
        (tmp_path / f"{name}.py").write_text(code)
    reach(tmp_path, monkeypatch)
    specs = [Part(name, name) for name in ("beats", "loads", "deaf")]
    with running.hold(home):
        supervisor = Supervisor(home, [spec.name for spec in specs], print, specs, first_delay_s=0.0)
        thread = Thread(target=supervisor.run)
        thread.start()
        until("all parts run", lambda: supervisor.ready)
        yield supervisor
        supervisor.stop()
        thread.join()


def states(home: Home) -> dict[str, str]:
    return {part["name"]: part["state"] for part in running.state(home)["parts"]}


def restarts(home: Home) -> dict[str, int]:
    return {part["name"]: part["restarts"] for part in running.state(home)["parts"]}


def test_supervisor_restarts_what_is_silent_alone(home: Home, supervised: Supervisor) -> None:
    found = {part["name"]: part["pid"] for part in running.state(home)["parts"]}
    loads = heartbeat.file_of(home, "loads")
    until("it has asked for time", lambda: (heartbeat.last(loads) or 0) > time.monotonic() + 100)
    with stopped(*found.values()):
        until("they are stuck", lambda: states(home) == {"beats": "stuck", "deaf": "stuck", "loads": "running"})
        until("they run again", lambda: set(restarts(home).items()) == {("beats", 1), ("deaf", 1), ("loads", 0)})
    until("all run", lambda: set(states(home).values()) == {"running"})
    assert not is_alive(found["deaf"]) and is_alive(found["loads"]), "who has asked for time is left alone"


def test_silence_is_excused_after_a_pause_of_all(home: Home, supervised: Supervisor) -> None:
    parts = [part["pid"] for part in running.state(home)["parts"]]
    check, checks = supervised._check, list[bool]()

    def check_after_a_pause() -> None:
        if not checks:
            time.sleep(heartbeat.RESTART_S + 1)
            for pid in parts:
                os.kill(pid, signal.SIGCONT)
        check()
        checks.append(True)

    with stopped(*parts):
        supervised._check = check_after_a_pause  # type: ignore[method-assign]
        until("the pause is over", lambda: checks and set(states(home).values()) == {"running"})
    seen = len(checks)
    until("two more checks", lambda: len(checks) > seen + 1)
    assert set(restarts(home).values()) == {0}


def test_heartbeat_needs_no_space_and_no_clock(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "_file", None)
    heartbeat.beat()  # of no part: nothing happens
    heartbeat.say_ready(home, "any")
    file = heartbeat.file_of(home, "any")
    assert file.stat().st_size == 0 and heartbeat.silent_s(file) < 60
    os.utime(file, ns=(0, 0))
    assert heartbeat.silent_s(file) > 10, "it has been silent since the machine started"
    heartbeat.beat(1000)
    assert heartbeat.silent_s(file) == 0
    assert heartbeat.silent_s(home.run / "nobody.ready") == 0
