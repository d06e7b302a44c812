"""Waiting for a state: the one loop that all tests share."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

WAIT_S = 90.0  # far more than anything takes on a busy machine; reached only where the state does not come
POLL_S = 0.02

Found = TypeVar("Found")


def until(what: str, look: Callable[[], Found | None], wait_s: float = WAIT_S) -> Found:
    """Return what `look` returns once it is true; fail where it stays false for `wait_s`."""
    deadline = time.monotonic() + wait_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not seen in {wait_s:.0f} s: {what}"
        time.sleep(POLL_S)
    return found


def hurry(pid: int) -> None:
    """Let a process run like any other: at idle priority it may stand still for minutes on a busy machine."""
    with suppress(ProcessLookupError, PermissionError):  # that is for root only
        os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
