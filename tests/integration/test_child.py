import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from dispatching import reach

from memo.core.paths import Home
from memo.stack import child, supervisor
from memo.stack.child import BACK_OFF_S, DEATHS, WITHIN_S, Child, ChildState, end, last_line, start
from memo.stack.process_specs import Part
from memo.stack.spawn import PARENT
from memo.stack.supervisor import Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DIE = ["false"]
SHORT_S = 30.0
"""Far more than anything here takes."""


class Clock:
    """Time that goes on when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(child, "time", made)
    return made


def watched(tmp_path: Path, command: list[str], ready: bool = True) -> Child:
    return Child("part", command, lambda: ready, tmp_path / "part.out")


def wait_for_death(one: Child) -> None:
    """Until it is dead and that is noted."""
    assert one.process is not None
    one.process.wait(SHORT_S)
    one.watch()


def until_gone(pid: int) -> None:
    deadline = time.monotonic() + SHORT_S
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} lives on"
        time.sleep(0.02)


def test_a_child_runs_once_it_is_ready(tmp_path: Path) -> None:
    found = SimpleNamespace(ready=False)
    one = Child("part", SLEEP, lambda: found.ready, tmp_path / "part.out")
    assert (one.state, one.pid) == (ChildState.STOPPED, None)
    one.start()
    states = []
    for found.ready in (False, True):
        one.watch()
        states.append(one.state)
    assert states == [ChildState.STARTING, ChildState.RUNNING] and one.pid is not None
    end([one.process], SHORT_S)
    assert one.pid is None


def test_a_child_has_a_session_of_its_own_and_knows_its_parent(tmp_path: Path) -> None:
    process = start(SLEEP, tmp_path / "out")
    try:
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
        assert psutil.Process(process.pid).environ()[PARENT] == str(os.getpid())
    finally:
        end([process], SHORT_S)


def test_each_pause_before_a_restart_is_twice_the_one_before(tmp_path: Path, clock: Clock) -> None:
    one = watched(tmp_path, DIE)
    one.start()
    for n in range(DEATHS - 1):
        wait_for_death(one)
        assert one.state is ChildState.RESTARTING
        clock.now += BACK_OFF_S * 2**n - 0.01
        one.watch()
        assert one.restarts == n, "too early"
        clock.now += 0.02
        one.watch()
        assert one.restarts == n + 1
    wait_for_death(one)
    assert one.state is ChildState.FAILED


def test_one_that_is_given_up_stays_so(tmp_path: Path, clock: Clock) -> None:
    one = watched(tmp_path, ["/nowhere/no-program"])
    one.start()
    for _ in range(3 * DEATHS):
        clock.now += 10.0
        one.watch()
    assert (one.state, one.restarts, one.pid) == (ChildState.FAILED, DEATHS - 1, None)


def test_deaths_long_apart_are_never_given_up(tmp_path: Path, clock: Clock) -> None:
    one = watched(tmp_path, DIE)
    one.start()
    for n in range(2 * DEATHS):
        wait_for_death(one)
        assert one.state is ChildState.RESTARTING
        clock.now += WITHIN_S / (DEATHS - 1) + 0.1
        one.watch()
        assert one.restarts == n + 1
    wait_for_death(one)


def test_one_that_dies_before_it_is_ready_is_started_again(tmp_path: Path, clock: Clock) -> None:
    one = watched(tmp_path, DIE, ready=False)
    one.start()
    wait_for_death(one)
    assert one.state is ChildState.RESTARTING


def test_output_is_appended_and_begins_anew_when_it_is_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "out"
    for said in ("one", "two"):
        start(["sh", "-c", f"echo {said}; echo more >&2"], output).wait(SHORT_S)
    assert output.read_text() == "one\nmore\ntwo\nmore\n"
    monkeypatch.setattr(child, "MAX_OUTPUT", 10)
    start(["echo", "three"], output).wait(SHORT_S)
    assert output.read_text() == "three\n"


@pytest.mark.parametrize(
    ("written", "expected"), [(None, ""), (b"", ""), (b"\n\n", ""), (b"a\nb\n\n", "b"), (b"a\n\xff!\n", "\ufffd!")]
)
def test_the_last_line(tmp_path: Path, written: bytes | None, expected: str) -> None:
    output = tmp_path / "out"
    if written is not None:
        output.write_bytes(written)
    assert last_line(output) == expected


def test_end_asks_first(tmp_path: Path) -> None:
    asked = start(SLEEP, tmp_path / "out")
    dead = start(DIE, tmp_path / "out")
    dead.wait(SHORT_S)
    end([None, dead, asked], SHORT_S)
    assert (dead.returncode, asked.returncode) == (1, -signal.SIGTERM)


def test_one_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    deaf = "import subprocess, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    grandchild = f"print(subprocess.Popen({SLEEP!r}).pid, flush=True); import time; time.sleep(60)"
    output = tmp_path / "out"
    process = start([sys.executable, "-c", deaf + grandchild], output)
    while not (said := output.read_text()).endswith("\n"):
        assert process.poll() is None
        time.sleep(0.02)
    end([process], grace_s=0.1)
    assert process.returncode == -signal.SIGKILL
    until_gone(int(said))


PARENT_DIES = '''
import sys, time
from pathlib import Path
from memo.stack.child import start
code = """
import time
from memo.stack.process_specs import end_with_parent
{before}
end_with_parent()
{after}
time.sleep(60)
"""
process = start([sys.executable, "-c", code], Path(sys.argv[1]))
while {waits}: time.sleep(0.02)
print(process.pid, flush=True)
'''
READY = "print('tied', flush=True)"


@pytest.mark.parametrize(
    ("before", "after", "waits"),
    [
        pytest.param("pass", READY, "not Path(sys.argv[1]).read_text()", id="while-it-runs"),
        pytest.param("time.sleep(1)", "pass", "False", id="before-it-has-asked-to-be-told"),
    ],
)
def test_a_child_ends_with_its_parent(tmp_path: Path, before: str, after: str, waits: str) -> None:
    code = PARENT_DIES.format(before=before, after=after, waits=waits)
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "out"], capture_output=True, text=True, timeout=SHORT_S, check=True
    )
    until_gone(int(done.stdout))


HEALTHY = """
import sys, time
from memo.stack.process_specs import end_with_parent, say_ready
from memo.core.paths import Home
end_with_parent()
say_ready(Home.find(), sys.argv[1])
time.sleep(60)
"""


@pytest.fixture
def fake_parts(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`healthy`, which runs, and `sickly`, which dies at once."""
    (tmp_path / "healthy.py").write_text(HEALTHY)
    (tmp_path / "sickly.py").write_text("raise SystemExit('it has no legs')")
    reach(tmp_path, monkeypatch)
    monkeypatch.setattr(supervisor, "PARTS", (Part("healthy", "healthy"), Part("sickly", "sickly")))
    monkeypatch.setattr(supervisor, "BROKER", Part("broker", "sickly"))
    monkeypatch.setattr(child, "BACK_OFF_S", 0.0)


class Listener:
    """Hears what the supervisor says, and lets it end after the first sentence."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.supervisor: Supervisor | None = None

    def hear(self, sentence: str) -> None:
        self.said.append(sentence)
        if self.supervisor is not None:
            self.supervisor.stop()


def test_a_part_that_dies_too_often_is_given_up_aloud(home: Home, fake_parts: None) -> None:
    listener = Listener()
    listener.supervisor = Supervisor(home, ["healthy", "sickly"], listener.hear)
    assert listener.supervisor.run() is False
    [sentence] = listener.said
    assert sentence.startswith(f"The sickly died {DEATHS} times in a minute and is given up: it has no legs;")
    assert "memo down" in sentence
    assert os.listdir(home.run) == []


def test_the_others_go_on_beside_it(home: Home, fake_parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    listener = Listener()
    one = Supervisor(home, ["healthy", "sickly"], listener.hear)
    looks: list[dict[str, ChildState]] = []

    def look() -> None:
        Supervisor._look(one)
        states = {found.name: found.state for found in one._children}
        looks.append(states)
        if states == {"healthy": ChildState.RUNNING, "sickly": ChildState.FAILED}:
            one.stop()

    monkeypatch.setattr(one, "_look", look)
    assert one.run() is False
    assert looks[-1]["healthy"] is ChildState.RUNNING


def test_without_a_broker_nothing_begins_and_all_ends(home: Home, fake_parts: None) -> None:
    listener = Listener()
    one = Supervisor(home, ["broker", "healthy"], listener.hear)
    assert one.run() is False, "it ends by itself"
    assert [sentence.split(":")[0] for sentence in listener.said] == [
        f"The broker died {DEATHS} times in a minute and is given up"
    ]
    assert not (home.logs / "healthy.out").exists()


def test_all_well_is_true(home: Home, fake_parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Supervisor(home, ["healthy"], print)
    monkeypatch.setattr(one, "_write", lambda: one.stop() if one.ready else None)
    assert one.run() is True
    assert os.listdir(home.run) == []
