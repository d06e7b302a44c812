"""The handler that gives a candidate to a program of its owner's; off until that is named."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from memo.core.errors import MemoError
from memo.core.events import Action
from memo.core.paths import Home
from memo.core.predictions import Candidate
from memo.core.settings import Settings
from memo.protocols import DispatchContext, Handler
from worker.handlers.payload import payload

LIMIT_S = 10.0
"""A program that runs longer is killed."""
ENVIRONMENT = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
)
"""All that the program gets of it."""


class ProgramFailed(MemoError):
    """The program did not do it."""


class ExecHandler(Handler):
    """Runs `[exec] command` with JSON as its standard input, never on its command line; what it writes is dropped."""

    name = "exec"
    limit_s = LIMIT_S + 5.0

    def __init__(self, settings: Settings, home: Home) -> None:
        self._command, self._language = settings.exec.command, settings.language

    def accepts(self, action: Action) -> bool:
        """Everything, once there is a program."""
        return bool(self._command)

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Run it to its end. Raises ProgramFailed where it isn't there, takes too long, or says that it failed."""
        body = payload(candidate, context, self._language)
        try:
            status = self._run(body)
        except OSError as error:
            raise ProgramFailed(f"the program can't be run ({error.strerror}); see [exec] command") from error
        if status:
            raise ProgramFailed(f"the program ends with status {status}; see [exec] command")
        return {"status": status}

    def _run(self, body: bytes) -> int:
        none = subprocess.DEVNULL
        environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
        with subprocess.Popen(
            self._command,
            env=environment,
            cwd=Path.home(),
            stdin=subprocess.PIPE,
            stdout=none,
            stderr=none,
            start_new_session=True,
        ) as program:
            try:
                program.communicate(body, LIMIT_S)
            except subprocess.TimeoutExpired as error:
                os.killpg(program.pid, signal.SIGKILL)  # what it started too
                raise ProgramFailed(f"the program ran for {LIMIT_S:.0f} s and was ended; see [exec] command") from error
        return program.returncode
