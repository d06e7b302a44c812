"""A program of the handler `exec` in a running stack ends with the stack's parts, however those end."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from stack import Stack, lines, new_stack
from stopping import is_alive
from waiting import until

from memo.stack import running

PROGRAM = """#!/bin/sh
echo $$ >> {pids}
setsid sh -c 'echo $$ >> {pids}; exec sleep 1000' &
setsid --fork sh -c 'setsid --fork sh -c "echo \\$\\$ >> {pids}; trap \\"\\" TERM HUP; sleep 1000 & wait; sleep 1000"'
sleep 1000
"""


def _supervisor(stack: Stack) -> int:
    return running.holder(stack.home) or 0


def _dispatcher(stack: Stack) -> int:
    return int(stack.part("dispatcher")["pid"])


@pytest.mark.parametrize("victim", [_supervisor, _dispatcher])
def test_no_program_of_exec_outlives_what_was_killed(tmp_path: Path, victim: Callable[[Stack], int]) -> None:
    pids, program = tmp_path / "pids", tmp_path / "program"
    program.write_text(PROGRAM.format(pids=pids))
    program.chmod(0o755)
    settings = {
        "MEMO_DISPATCH__ON": json.dumps(["exec"]),
        "MEMO_DISPATCH__ROUTES": json.dumps({"window_focus": ["exec"]}),
        "MEMO_DISPATCH__MINIMUM_PROBABILITY": "0",
        "MEMO_EXEC__COMMAND": json.dumps([str(program)]),
    }
    with new_stack(**settings) as stack:
        stack.run()
        for line in lines(12, "2026-03-02 09:00:00"):
            stack.predict([line.replace("Started app", "Switched to window")])
        until("the program and all it started run", lambda: pids.exists() and len(pids.read_text().split()) >= 3)
        started = [int(pid) for pid in pids.read_text().split()]
        of_program = {child.pid for pid in started for child in psutil.Process(pid).children()}
        os.kill(victim(stack), signal.SIGKILL)
        until("all have ended", lambda: not any(map(is_alive, {*started, *of_program})))
