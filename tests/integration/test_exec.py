"""Candidates given to a program of its owner's."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from ctypes import CDLL
from pathlib import Path

import psutil
import pytest
from handling import HOSTILE, SCOPE, candidate, context
from stopping import is_alive
from test_webhook import VALIDATOR
from waiting import until

from memo.core.errors import UsageError
from memo.core.events import Operation
from memo.core.paths import Home
from memo.core.settings import ExecSettings, Settings
from worker.handlers.exec import ENVIRONMENT, LIMIT_S, PR_SET_CHILD_SUBREAPER, ExecHandler, ProgramFailed

START = Operation.PROCESS_START
KEEPS = """
import json, os, sys
told = {"argv": sys.argv[2:], "body": sys.stdin.read(), "names": list(os.environ), "cwd": os.getcwd()}
print("x" * 10_000_000)
print("x" * 1_000_000, file=sys.stderr)
with open(sys.argv[1], "w") as file:
    json.dump(told, file)
"""


@pytest.fixture(autouse=True)
def no_subreaper() -> Iterator[None]:
    """Let the orphans of later tests go to init again: they would count as children of this process."""
    yield
    CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0)


def handler(home: Home, *command: str, limit_s: float = LIMIT_S) -> ExecHandler:
    return ExecHandler(Settings(scope=SCOPE, exec=ExecSettings(command=list(command))), home, limit_s)


@pytest.mark.parametrize("name", ["plain", *HOSTILE])
def test_a_program_gets_json_on_its_standard_input_only(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MEMO_WEBHOOK__SECRET", "not for others")
    text, kept = HOSTILE.get(name, "Firefox"), tmp_path / "kept.json"
    made = handler(home, sys.executable, "-c", KEEPS, str(kept), "fixed")
    assert made.accepts(candidate(START, text).action)
    assert made.handle(candidate(START, text, text, text), context()) == {"status": 0}
    told = json.loads(kept.read_text())
    VALIDATOR.validate(json.loads(told["body"]))
    assert told["argv"] == ["fixed"] and told["cwd"] == str(tmp_path)
    assert set(told["names"]) <= {*ENVIRONMENT, "LC_CTYPE"}  # which Python sets itself
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept.json"], "nothing was run"


@pytest.mark.parametrize(
    "script",
    [
        "sleep 1000 & echo $! > {}; wait",
        "setsid sh -c 'echo $$ > {}; exec sleep 1000' & wait; sleep 1000",
        "setsid --fork sh -c 'setsid --fork sh -c \"echo \\$\\$ > {}; exec sleep 1000\"'; sleep 1000",
    ],
)
def test_a_program_that_takes_too_long_is_killed_with_all(home: Home, tmp_path: Path, script: str) -> None:
    pid = tmp_path / "pid"
    made = handler(home, "/bin/sh", "-c", script.format(pid), limit_s=1.0)
    with pytest.raises(ProgramFailed, match="killed after 1 s"):
        made.handle(candidate(START, "x"), context())
    until("its child has ended", lambda: not is_alive(int(pid.read_text())))


def test_a_program_ends_with_its_handler_however_that_ends(tmp_path: Path) -> None:
    code = """
import subprocess, sys
from worker.handlers.exec import die_with_parent
subprocess.Popen(["sleep", sys.argv[1]], start_new_session=True, preexec_fn=die_with_parent)
print("started", flush=True)
sys.stdin.read()
"""
    seconds = f"987.{os.getpid()}"
    command = [sys.executable, "-c", code, seconds]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout and parent.stdout.readline() == b"started\n"
        [program] = psutil.Process(parent.pid).children()
        parent.kill()
    until("the program has ended", lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE)


def test_a_program_that_reads_nothing_is_no_failure(home: Home) -> None:
    assert handler(home, "/bin/true").handle(candidate(START, "x" * 4_000), context()) == {"status": 0}


def test_failures_are_sentences(home: Home, tmp_path: Path) -> None:
    with pytest.raises(ProgramFailed, match="status 3"):
        handler(home, "/bin/sh", "-c", "exit 3").handle(candidate(START, "x"), context())
    with pytest.raises(ProgramFailed, match="No such file"):
        handler(home, str(tmp_path / "absent")).handle(candidate(START, "x"), context())
    (tmp_path / "text").write_text("no program")
    with pytest.raises(ProgramFailed, match="Permission"):
        handler(home, str(tmp_path / "text")).handle(candidate(START, "x"), context())


def test_it_is_off_until_a_program_is_named_by_its_whole_path(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not ExecHandler(Settings(), home).accepts(candidate(START, "Firefox").action)
    monkeypatch.setenv("MEMO_EXEC__COMMAND", '["lights"]')
    with pytest.raises(UsageError, match=r"exec\.command is wrong: .*absolute path"):
        Settings.load()
    monkeypatch.setenv("MEMO_EXEC__COMMAND", json.dumps([os.path.realpath(sys.executable), "-V"]))
    assert Settings.load().exec.command[1] == "-V"


def test_all_that_a_program_started_ends_with_the_handler(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from handling import SCOPE, candidate, context
from memo.core.events import Operation
from memo.core.paths import Home
from memo.core.settings import ExecSettings, Settings
from worker.handlers.exec import ExecHandler
settings = Settings(scope=SCOPE, exec=ExecSettings(command=["/bin/sh", "-c", sys.argv[1]]))
ExecHandler(settings, Home(Path(sys.argv[2]))).handle(candidate(Operation.PROCESS_START, "x"), context())
"""
    pids = [tmp_path / name for name in ("child", "own session", "orphan")]
    script = (
        "sleep 1000 & echo $! > '{}'; setsid sh -c 'echo $$ > \"{}\"; exec sleep 1000' & "
        'setsid --fork sh -c \'setsid --fork sh -c "echo \\$\\$ > \\"{}\\"; exec sleep 1000"\'; sleep 1000'
    ).format(*pids)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", code, script, str(tmp_path)], env=environment) as handler_process:
        until("all run", lambda: all(pid.exists() and pid.read_text().strip() for pid in pids))
        handler_process.kill()
    until("all have ended", lambda: not any(is_alive(int(pid.read_text())) for pid in pids))
