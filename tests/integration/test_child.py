"""Child processes and their supervisor: restarts, giving up, the end, and training on request."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from clocks import Seconds
from dispatching import reach
from waiting import WAIT_S, until

from memo.core.paths import Home
from memo.service.service_manager import Notifier
from memo.stack import supervisor
from memo.stack.child import (
    DEATHS_WINDOW_S,
    FIRST_DELAY_S,
    MAX_DEATHS,
    Child,
    ChildState,
    end,
    last_line,
    start,
)
from memo.stack.process_specs import Part
from memo.stack.running import TRAINING, UPKEEP
from memo.stack.spawn import PARENT
from memo.stack.supervisor import Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DIE = ["false"]


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


def watched(tmp_path: Path, command: list[str], clock: Seconds, ready: bool = True) -> Child:
    return Child("part", command, lambda: ready, tmp_path / "part.out", clock=clock)


def wait_for_death(one: Child) -> None:
    """Wait until the child is dead and has recorded that."""
    assert one.process is not None
    one.process.wait(WAIT_S)
    one.watch()


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_child_runs_once_it_is_ready(tmp_path: Path) -> None:
    found = SimpleNamespace(ready=False)
    one = Child("part", SLEEP, lambda: found.ready, tmp_path / "part.out")
    assert (one.state, one.pid) == (ChildState.STOPPED, None)
    one.start()
    states = []
    for found.ready in (False, True):
        one.watch()
        states.append(one.state)
    assert states == [ChildState.STARTING, ChildState.RUNNING] and one.pid is not None
    end([one.process], WAIT_S)
    assert one.pid is None


def test_start_gives_a_session_and_the_parents_id(tmp_path: Path) -> None:
    process = start(SLEEP, tmp_path / "out")
    try:
        assert os.getsid(process.pid) == process.pid != os.getsid(0)
        environment = until("the program has its environment", psutil.Process(process.pid).environ)
        assert environment[PARENT] == str(os.getpid())
    finally:
        end([process], WAIT_S)


def test_child_restart_delay_doubles_until_it_is_given_up(tmp_path: Path, clock: Seconds) -> None:
    one = watched(tmp_path, DIE, clock)
    one.start()
    for n in range(MAX_DEATHS - 1):
        wait_for_death(one)
        assert one.state is ChildState.RESTARTING
        clock.now += FIRST_DELAY_S * 2**n - 0.01
        one.watch()
        assert one.restarts == n, "too early"
        clock.now += 0.02
        one.watch()
        assert one.restarts == n + 1
    wait_for_death(one)
    assert one.state is ChildState.FAILED


def test_child_given_up_is_never_started_again(tmp_path: Path, clock: Seconds) -> None:
    one = watched(tmp_path, ["/nowhere/no-program"], clock)
    one.start()
    for _ in range(3 * MAX_DEATHS):
        clock.now += 10.0
        one.watch()
    assert (one.state, one.restarts, one.pid) == (ChildState.FAILED, MAX_DEATHS - 1, None)


def test_child_with_deaths_far_apart_is_never_given_up(tmp_path: Path, clock: Seconds) -> None:
    one = watched(tmp_path, DIE, clock)
    one.start()
    for n in range(2 * MAX_DEATHS):
        wait_for_death(one)
        assert one.state is ChildState.RESTARTING
        clock.now += DEATHS_WINDOW_S / (MAX_DEATHS - 1) + 0.1
        one.watch()
        assert one.restarts == n + 1
    wait_for_death(one)


def test_child_that_dies_before_it_is_ready_restarts(tmp_path: Path, clock: Seconds) -> None:
    one = watched(tmp_path, DIE, clock, ready=False)
    one.start()
    wait_for_death(one)
    assert one.state is ChildState.RESTARTING


def test_start_appends_output_and_empties_a_long_file(tmp_path: Path) -> None:
    output = tmp_path / "out"
    for said in ("one", "two"):
        start(["sh", "-c", f"echo {said}; echo more >&2"], output).wait(WAIT_S)
    assert output.read_text() == "one\nmore\ntwo\nmore\n"
    start(["echo", "three"], output, max_output=10).wait(WAIT_S)
    assert output.read_text() == "three\n"


@pytest.mark.parametrize(
    ("written", "expected"), [(None, ""), (b"", ""), (b"\n\n", ""), (b"a\nb\n\n", "b"), (b"a\n\xff!\n", "\ufffd!")]
)
def test_last_line_returns_the_last_written_line(tmp_path: Path, written: bytes | None, expected: str) -> None:
    output = tmp_path / "out"
    if written is not None:
        output.write_bytes(written)
    assert last_line(output) == expected


def test_end_sends_sigterm_first(tmp_path: Path) -> None:
    asked = start(SLEEP, tmp_path / "out")
    dead = start(DIE, tmp_path / "out")
    dead.wait(WAIT_S)
    end([None, dead, asked], WAIT_S)
    assert (dead.returncode, asked.returncode) == (1, -signal.SIGTERM)


def test_end_kills_a_deaf_process_with_its_children(tmp_path: Path) -> None:
    deaf = "import subprocess, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    grandchild = f"print(subprocess.Popen({SLEEP!r}).pid, flush=True); import time; time.sleep(60)"
    output = tmp_path / "out"
    process = start([sys.executable, "-c", deaf + grandchild], output)
    until("its child's id", lambda: output.read_text().endswith("\n"))
    end([process], grace_s=0.1)
    assert process.returncode == -signal.SIGKILL
    until("the end of its child", lambda: is_gone(int(output.read_text())))


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
        pytest.param("time.sleep(1)", "pass", "False", id="before-the-child-has-asked"),
    ],
)
def test_end_with_parent_ends_the_child(tmp_path: Path, before: str, after: str, waits: str) -> None:
    code = PARENT_DIES.format(before=before, after=after, waits=waits)
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "out"], capture_output=True, text=True, timeout=WAIT_S, check=True
    )
    until("the end of the child", lambda: is_gone(int(done.stdout)))


HEALTHY = """
import sys, time
from memo.stack.heartbeat import say_ready
from memo.stack.process_specs import end_with_parent
from memo.core.paths import Home
end_with_parent()
say_ready(Home.find(), sys.argv[1])
time.sleep(60)
"""


Supervise = Callable[[list[str], Callable[[str], None]], Supervisor]


@pytest.fixture
def supervise(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supervise:
    """A supervisor of `healthy`, which runs, and of `sickly` and `broker`, which die at once."""
    (tmp_path / "healthy.py").write_text(HEALTHY)
    (tmp_path / "sickly.py").write_text("raise SystemExit('it has no legs')")
    reach(tmp_path, monkeypatch)
    specs = (Part("broker", "sickly"), Part("healthy", "healthy"), Part("sickly", "sickly"))
    return lambda names, say: Supervisor(home, names, say, specs, first_delay_s=0.0)


class Listener:
    """Records what the supervisor says, and stops it after the first sentence."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.supervisor: Supervisor | None = None

    def hear(self, sentence: str) -> None:
        self.said.append(sentence)
        if self.supervisor is not None:
            self.supervisor.stop()


def test_supervisor_says_which_part_it_gave_up(home: Home, supervise: Supervise) -> None:
    listener = Listener()
    listener.supervisor = supervise(["healthy", "sickly"], listener.hear)
    assert listener.supervisor.run() is False
    [sentence] = listener.said
    assert sentence.startswith(f"The sickly died {MAX_DEATHS} times in a minute and is given up: it has no legs;")
    assert "memo down" in sentence
    assert os.listdir(home.run) == []


def test_supervisor_keeps_other_parts_after_giving_one_up(
    home: Home, supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    one = supervise(["healthy", "sickly"], listener.hear)
    looks: list[dict[str, ChildState]] = []

    def look() -> None:
        Supervisor._check(one)
        states = {found.name: found.state for found in one._children}
        looks.append(states)
        if states == {"healthy": ChildState.RUNNING, "sickly": ChildState.FAILED}:
            one.stop()

    monkeypatch.setattr(one, "_check", look)
    assert one.run() is False
    assert looks[-1]["healthy"] is ChildState.RUNNING


def test_supervisor_without_a_broker_starts_nothing_and_ends(home: Home, supervise: Supervise) -> None:
    listener = Listener()
    one = supervise(["broker", "healthy"], listener.hear)
    assert one.run() is False, "it ends by itself"
    assert [sentence.split(":")[0] for sentence in listener.said] == [
        f"The broker died {MAX_DEATHS} times in a minute and is given up"
    ]
    assert not (home.logs / "healthy.out").exists()


def test_supervisor_returns_true_if_all_is_well(
    home: Home, supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = supervise(["healthy"], print)
    monkeypatch.setattr(one, "_write_state", lambda: one.stop() if one.ready else None)
    assert one.run() is True
    assert os.listdir(home.run) == []


def test_supervisor_tells_the_service_manager(
    home: Home, supervise: Supervise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, received = supervise(["healthy"], print), list[str]()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(WAIT_S)
        monkeypatch.setattr(one, "_notifier", Notifier(str(tmp_path / "notify")))

        def look() -> None:
            Supervisor._check(one)
            while not received or not received[-1].startswith("WATCHDOG=1"):
                received.append(manager.recv(999).decode())
            working.append(received.pop())
            if "READY=1" in received and len(working) > 2:
                one.stop()

        working: list[str] = []
        monkeypatch.setattr(one, "_check", look)
        one.run()
        received.append(manager.recv(999).decode())
    assert received == ["READY=1", "STOPPING=1"]
    assert working[-1] == "WATCHDOG=1\nSTATUS=healthy running"


class Training:
    """A supervisor without parts, whose training process is a command of a test."""

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
        self.started: list[str] = []
        self.supervisor = Supervisor(home, [], print)

        def start(module: str) -> list[str]:
            self.started.append(module)
            return command

        monkeypatch.setattr(supervisor, "python_command", start)

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        return self.supervisor._passing["training"]

    def check(self) -> int:
        """Let the supervisor check once; return how many training processes it has started so far."""
        self.supervisor._check()
        return len(self.started)


def test_supervisor_trains_once_for_each_request(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(home, monkeypatch, ["true"])
    assert training.check() == 0
    training.supervisor.request(TRAINING)
    assert training.check() == 1 and training.started == ["training"]
    training.supervisor.request(TRAINING)
    training.process.wait(WAIT_S)
    assert [training.check(), training.check()] == [1, 1], "a request beside a running process is the process's own"


def test_supervisor_trains_again_after_a_kill(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(home, monkeypatch, SLEEP)
    training.supervisor.request(TRAINING)
    training.check()
    training.process.kill()
    training.process.wait(WAIT_S)
    assert training.check() == 2, "the next process records that the run has failed"
    end([training.process], WAIT_S)


def test_supervisor_backs_off_after_a_failed_training(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(home, monkeypatch, DIE)
    training.supervisor.request(TRAINING)
    training.check()
    training.process.wait(WAIT_S)
    training.check()
    training.supervisor.request(TRAINING)
    assert training.check() == 1
    training.supervisor._background["training"].start_at = 0.0
    assert training.check() == 2
    training.process.wait(WAIT_S)


def test_supervisor_does_upkeep_beside_training(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training(home, monkeypatch, SLEEP)
    training.supervisor.request(TRAINING)
    training.supervisor.request(UPKEEP)
    training.check()
    training.supervisor.request(UPKEEP)
    training.check()
    assert training.started == ["training", "scheduler"]
    end(list(training.supervisor._passing.values()), WAIT_S)


def test_supervisor_trains_at_sigusr1(home: Home) -> None:
    process = start([sys.executable, "-P", "-m", "memo.stack.supervisor", "collector"], home.logs / "out")
    try:
        until("the collector is ready", (home.run / "collector.ready").exists)
        os.kill(process.pid, signal.SIGUSR1)
        until("the end of the training", lambda: "process_ended" in (home.logs / "supervisor.log").read_text())
    finally:
        end([process], WAIT_S)
    assert '"name": "training"' in (home.logs / "supervisor.log").read_text()
