"""A handler's process, seen from the dispatcher: started at its first attempt, killed at its time limit."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from memo.core.errors import MemoError
from memo.protocols import NothingToDo
from memo.stack.backoff import BACK_OFF_S, Backoff
from memo.stack.spawn import child_environment, python_command
from worker.dispatch.handler_main import EXPIRE, as_request
from worker.gates.attempt import Attempt

START_S = 30.0  # time to become ready
GRACE_S = 1.0  # time to end by itself
MAX_REPLY = 1_000_000  # bytes


class HandlerFailed(MemoError):
    """The handler's process reports an error, or nothing at all."""


class HandlerProcess:
    """The process of one handler, started on demand. It ends with the thread that uses it."""

    def __init__(self, name: str, back_off_s: tuple[float, float] = BACK_OFF_S) -> None:
        self.name = name
        self._running: tuple[subprocess.Popen[bytes], socket.socket] | None = None
        self._backoff = Backoff(*back_off_s)
        self._again_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process id, or None while there is no process."""
        return self._running[0].pid if self._running else None

    @property
    def rest_s(self) -> float:
        """Seconds until the process may be started again after it died, else 0."""
        return max(0.0, self._again_at - time.monotonic())

    def handle(self, attempt: Attempt, limit_s: float) -> dict[str, Any]:
        """Let the handler act, and return its result. Raises NothingToDo and HandlerFailed."""
        return self._call(as_request(attempt.candidate, attempt.context), limit_s)

    def expire(self, result: Mapping[str, Any], limit_s: float) -> None:
        """Let the handler take back what it did. Raises HandlerFailed."""
        self._call({"do": EXPIRE, "result": result}, limit_s)

    def end(self) -> int:
        """Wait for the process to end, kill it after `GRACE_S`, and return its exit status."""
        if self._running is None:
            return 0
        process, connection = self._running
        self._running = None
        connection.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        with suppress(ProcessLookupError, PermissionError):  # including all processes of its session
            os.killpg(process.pid, signal.SIGKILL)
        return process.wait()

    def _call(self, request: dict[str, Any], limit_s: float) -> dict[str, Any]:
        try:
            connection = self._running[1] if self._running else self._start()
            line = json.dumps(request, default=datetime.isoformat).encode() + b"\n"
            reply = _exchange(connection, line, limit_s)
        except TimeoutError as error:
            self._clean_up()
            raise HandlerFailed(str(error)) from error
        except (OSError, ValueError) as error:
            raise HandlerFailed(f"its process ended (status {self._clean_up()})") from error
        self._backoff.reset()
        if "error" in reply:
            raise HandlerFailed(reply["error"])
        if "nothing" in reply:
            raise NothingToDo(reply["nothing"])
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
        reply = _exchange(ours, b"", START_S)
        if "error" in reply:
            self._clean_up()
            raise HandlerFailed(reply["error"])
        return ours

    def _clean_up(self) -> int:
        """End a process that failed, back off, and return its exit status."""
        self._again_at = time.monotonic() + self._backoff.delay_after()
        return self.end()


def _exchange(connection: socket.socket, line: bytes, limit_s: float) -> dict[str, Any]:
    """Send a line and receive one. Raises TimeoutError, OSError if the other end is gone, ValueError if not JSON."""
    deadline = time.monotonic() + limit_s
    reply = b""
    try:
        connection.settimeout(limit_s)
        connection.sendall(line)
        while not reply.endswith(b"\n"):
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            chunk = connection.recv(65_536)
            if not chunk or len(reply) > MAX_REPLY:
                raise ConnectionError("no reply")
            reply += chunk
    except TimeoutError as error:
        raise TimeoutError(f"it took longer than {limit_s:g} s") from error
    decoded: dict[str, Any] = json.loads(reply)
    return decoded
