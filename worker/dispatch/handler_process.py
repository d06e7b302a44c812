"""A handler's process, as the dispatcher holds it: started at its first go, killed at its time limit."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from memo.core.errors import MemoError
from memo.stack.spawn import child_environment, python_command
from worker.dispatch.handler_main import EXPIRE, asked
from worker.gates.attempt import Attempt

START_S, GRACE_S = 30.0, 1.0
"""To be ready; to end by itself."""
MAX_REPLY = 1_000_000
"""Bytes."""
BACK_OFF_S, LONGEST_S = 1.0, 60.0
"""Pauses before a process that died is started again; each is twice the one before."""


class HandlerFailed(MemoError):
    """What its process says, or that it says nothing."""


class HandlerProcess:
    """The process of one handler; none until it is needed. One thread uses it, and the process ends with that one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._running: tuple[subprocess.Popen[bytes], socket.socket] | None = None
        self._deaths, self._again_at = 0, 0.0

    @property
    def pid(self) -> int | None:
        """Its process id while there is one."""
        return self._running[0].pid if self._running else None

    @property
    def rest_s(self) -> float:
        """How long it is not started again, having died."""
        return max(0.0, self._again_at - time.monotonic())

    def handle(self, go: Attempt, limit_s: float) -> dict[str, Any]:
        """Act; what the handler returned. Raises HandlerFailed."""
        return self._call(asked(go.candidate, go.context), limit_s)

    def expire(self, result: Mapping[str, Any], limit_s: float) -> None:
        """Take back. Raises HandlerFailed."""
        self._call({"do": EXPIRE, "result": result}, limit_s)

    def end(self) -> int:
        """Let the process end by itself, kill it where it does not; its exit status."""
        if self._running is None:
            return 0
        process, connection = self._running
        self._running = None
        connection.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        with suppress(ProcessLookupError, PermissionError):  # with all that it has started in its session
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def _call(self, ask: dict[str, Any], limit_s: float) -> dict[str, Any]:
        try:
            connection = self._running[1] if self._running else self._start()
            reply = _exchange(connection, json.dumps(ask).encode() + b"\n", limit_s)
        except TimeoutError as error:
            self._died()
            raise HandlerFailed(str(error)) from error
        except (OSError, ValueError) as error:
            raise HandlerFailed(f"its process ended (status {self._died()})") from error
        self._deaths = 0
        if "error" in reply:
            raise HandlerFailed(reply["error"])
        result: dict[str, Any] = reply["result"]
        return result

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                python_command("worker.dispatch.handler_main", self.name),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=child_environment(),
                start_new_session=True,
            )
        self._running = process, ours
        said = _exchange(ours, b"", START_S)
        if "error" in said:
            self._died()
            raise HandlerFailed(said["error"])
        return ours

    def _died(self) -> int:
        """Make sure of that, and rest before the next one; its exit status."""
        self._deaths += 1
        self._again_at = time.monotonic() + min(LONGEST_S, BACK_OFF_S * 2 ** (self._deaths - 1))
        return self.end()


def _exchange(connection: socket.socket, words: bytes, limit_s: float) -> dict[str, Any]:
    """Send a line, receive one. Raises TimeoutError, OSError where the other end is gone, ValueError for no JSON."""
    deadline = time.monotonic() + limit_s
    line = b""
    try:
        connection.settimeout(limit_s)
        connection.sendall(words)
        while not line.endswith(b"\n"):
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            line += _received(connection, line)
    except TimeoutError as error:
        raise TimeoutError(f"it took longer than {limit_s:g} s") from error
    answer: dict[str, Any] = json.loads(line)
    return answer


def _received(connection: socket.socket, before: bytes) -> bytes:
    chunk = connection.recv(65_536)
    if not chunk or len(before) > MAX_REPLY:
        raise ConnectionError("no answer")
    return chunk
