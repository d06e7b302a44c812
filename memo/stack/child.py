"""A child process of the supervisor: started, watched, restarted, ended."""

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

from memo.stack import heartbeat
from memo.stack.backoff import Backoff
from memo.stack.spawn import child_environment

FIRST_DELAY_S = 0.5  # before the first restart; doubles each time
LONGEST_DELAY_S = 4.0
MAX_DEATHS = 5  # within DEATHS_WINDOW_S; then the child is given up
DEATHS_WINDOW_S = 60.0
STUCK_GRACE_S = 3.0  # between SIGTERM and SIGKILL for a child that is stuck
MAX_OUTPUT = 1_000_000  # bytes of a child's output file; a larger one is emptied at the next start


class ChildState(StrEnum):
    """The states of a child."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STUCK = "stuck"  # it is silent: see `heartbeat`
    RESTARTING = "restarting"
    FAILED = "failed"


SERVING = (ChildState.RUNNING, ChildState.STUCK)
ALIVE = (ChildState.STARTING, *SERVING)


@dataclass
class Child:
    """A process that is restarted whenever it dies or is stuck.

    `ready` returns whether it serves, `silent_s` for how long it has done nothing since; `clock` counts seconds. A
    process that has served is not given up while `has_room` says that the disk is full: there may be room again.
    """

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    output: Path
    backoff: Backoff = field(default_factory=lambda: Backoff(FIRST_DELAY_S, LONGEST_DELAY_S))
    clock: Callable[[], float] = time.monotonic
    silent_s: Callable[[], float] = lambda: 0.0
    has_room: Callable[[], bool] = lambda: True
    state: ChildState = ChildState.STOPPED
    restarts: int = 0
    process: "subprocess.Popen[bytes] | None" = None
    _deaths: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_DEATHS))
    _started_at: float = 0.0
    _restart_at: float = 0.0
    _kill_at: float | None = None
    _has_served: bool = False

    def start(self) -> None:
        """Start the process."""
        self._started_at, self._kill_at = self.clock(), None
        try:
            self.process = start(self.command, self.output)
            self.state = ChildState.STARTING
        except OSError:  # no memory or no process id is free: the same as an immediate death
            self._record_death()

    def watch(self) -> None:
        """Update the state; end the process if it is stuck, and restart it once its delay has passed."""
        if self.state in ALIVE and self.process and self.process.poll() is not None:
            self._record_death()
        elif self.state is ChildState.STARTING:
            if self.ready():
                self.state, self._has_served = ChildState.RUNNING, True
            elif self.clock() - self._started_at > heartbeat.LOADING_S:
                self._end_stuck()
        elif self.state in ALIVE:
            silent_s = self.silent_s()
            self.state = ChildState.STUCK if silent_s > heartbeat.STUCK_S else ChildState.RUNNING
            if silent_s > heartbeat.RESTART_S or self._kill_at is not None:
                self._end_stuck()
        elif self.state is ChildState.RESTARTING and self.clock() >= self._restart_at:
            self.restarts += 1
            self.start()

    def _end_stuck(self) -> None:
        """Send SIGTERM, and SIGKILL to the whole group at a later call; nothing waits here."""
        if self.process is None:
            return
        if self._kill_at is None:
            self._kill_at = self.clock() + STUCK_GRACE_S
            self.process.terminate()
        elif self.clock() >= self._kill_at:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def _record_death(self) -> None:
        now = self.clock()
        self._deaths.append(now)
        is_hopeless = len(self._deaths) == MAX_DEATHS and now - self._deaths[0] < DEATHS_WINDOW_S
        is_hopeless = is_hopeless and (not self._has_served or self.has_room())
        self.state = ChildState.FAILED if is_hopeless else ChildState.RESTARTING
        self._restart_at = now + self.backoff.delay_after(now - self._started_at)

    @property
    def pid(self) -> int | None:
        """The process id, or None once the process has ended."""
        return self.process.pid if self.process and self.process.poll() is None else None


def last_line(output: Path) -> str:
    """Return the last line that a process wrote."""
    with suppress(OSError):
        lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""


def start(
    command: Sequence[str], output: Path, max_output: int = MAX_OUTPUT, inherits: Sequence[int] = ()
) -> "subprocess.Popen[bytes]":
    """Start a command in its own session, so that Ctrl-C reaches the supervisor alone; append its output to a file.

    `inherits` holds the descriptors that stay open in it.
    """
    mode = "wb" if output.exists() and output.stat().st_size > max_output else "ab"
    with output.open(mode) as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=child_environment(),
            start_new_session=True,
            pass_fds=inherits,
        )


def kill(processes: Sequence["subprocess.Popen[bytes] | None"]) -> None:
    """Send SIGKILL to all processes and their groups."""
    alive = [process for process in processes if process is not None and process.poll() is None]
    for process in alive:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for process in alive:
        process.wait()


def end(processes: Sequence["subprocess.Popen[bytes] | None"], grace_s: float) -> None:
    """Send SIGTERM to all processes, and after `grace_s` SIGKILL to those still alive and their children."""
    alive = [process for process in processes if process is not None and process.poll() is None]
    for process in alive:
        process.terminate()
    deadline = time.monotonic() + grace_s
    for process in alive:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            kill([process])
