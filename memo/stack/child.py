"""One process of the stack: started, watched, ended."""

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from memo.stack.spawn import child_environment

BACK_OFF_S = 0.5
"""First pause before a restart; each is twice the one before."""
DEATHS, WITHIN_S = 5, 60.0
"""So many deaths within that time, and the child is given up."""
MAX_OUTPUT = 1_000_000
"""Bytes of a child's own output, which begins anew above this; its log is another file."""


class ChildState(StrEnum):
    """Of a child."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    FAILED = "failed"


@dataclass
class Child:
    """A process that is kept running. `ready` tells whether it serves."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    output: Path
    state: ChildState = ChildState.STOPPED
    restarts: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    _deaths: deque[float] = field(default_factory=lambda: deque(maxlen=DEATHS))
    _again_at: float = 0.0

    def start(self) -> None:
        """Start it, in a session of its own: a Ctrl-C at the terminal is the supervisor's to handle."""
        try:
            self.process = start(self.command, self.output)
            self.state = ChildState.STARTING
        except OSError:  # no memory or no process to be had just now: as if it had died at once
            self._died()

    def watch(self) -> None:
        """Note what has become of it, and start it again when that is due."""
        if self.state in (ChildState.STARTING, ChildState.RUNNING) and self.process and self.process.poll() is not None:
            self._died()
        elif self.state is ChildState.STARTING and self.ready():
            self.state = ChildState.RUNNING
        elif self.state is ChildState.RESTARTING and time.monotonic() >= self._again_at:
            self.restarts += 1
            self.start()

    def _died(self) -> None:
        now = time.monotonic()
        self._deaths.append(now)
        recent = sum(now - death < WITHIN_S for death in self._deaths)
        self.state = ChildState.FAILED if recent >= DEATHS else ChildState.RESTARTING
        self._again_at = now + BACK_OFF_S * 2 ** (recent - 1)

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        return self.process.pid if self.process and self.process.poll() is None else None


def last_line(output: Path) -> str:
    """What a process wrote last."""
    with suppress(OSError):
        lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""


def start(command: Sequence[str], output: Path) -> "subprocess.Popen[bytes]":
    """Start a command in a session of its own, its output appended to a file."""
    mode = "wb" if output.exists() and output.stat().st_size > MAX_OUTPUT else "ab"
    with output.open(mode) as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=child_environment(),
            start_new_session=True,
        )


def end(processes: Sequence["subprocess.Popen[bytes] | None"], grace_s: float) -> None:
    """SIGTERM to all; to those that live on after `grace_s`, and to their children, SIGKILL."""
    living = [process for process in processes if process is not None and process.poll() is None]
    for process in living:
        process.terminate()
    deadline = time.monotonic() + grace_s
    for process in living:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
