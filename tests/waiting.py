"""Waiting for a state: the one loop that all tests share."""

import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

WAIT_S = 600.0  # far more than anything takes on a busy machine; reached only where the state does not come
POLL_S = 0.02
TRAINING = [
    sys.executable,
    "-c",
    """
import os
os.sched_setscheduler = os.setpriority = lambda *_: None
from training.__main__ import main
main()
""",
]
"""Carries out queued runs at the priority of the tests: at idle priority it may stand still while others run."""

Found = TypeVar("Found")


def until(what: str, look: Callable[[], Found | None]) -> Found:
    """Return what `look` returns once it is true; fail where it stays false for `WAIT_S`."""
    deadline = time.monotonic() + WAIT_S
    while not (found := look()):
        assert time.monotonic() < deadline, f"not seen in {WAIT_S:.0f} s: {what}"
        time.sleep(POLL_S)
    return found


def hurry(pid: int) -> None:
    """Let a process and all below it run like any other: at idle priority they may stand still for minutes."""
    with suppress(OSError):  # it has just ended, or this user may not
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
            os.setpriority(os.PRIO_PROCESS, int(task.name), 0)
            for child in (task / "children").read_text().split():
                hurry(int(child))
