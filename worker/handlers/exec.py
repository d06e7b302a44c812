"""The handler that passes a candidate to a program of the owner's; off until that is named."""

import ctypes
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from memo.core.paths import given_umask
from memo.protocols import Action, Candidate, DispatchContext, Handler, Home, MemoError, Settings
from worker.handlers.payload import payload

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # source: linux/prctl.h
KILLS = 10  # rounds of killing
KILL_S = 1.0  # longest wait for the killed of a round to end
LIMIT_S = 10.0  # a program that runs longer is killed
ENVIRONMENT = (  # the only variables that the program gets
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
)


def become_subreaper() -> None:
    """Let what the program starts stay a descendant of this process, in whichever session. Source: prctl(2)."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that ends. Source: prctl(2)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def keep_program() -> None:
    """Fork, and let the child become the program; this process ends when the program does.

    If the handler's process ends first, however it does, this one kills the program and all that it started.
    """
    handler = os.getppid()
    become_subreaper()
    program = os.fork()
    if not program:
        die_with_parent()
        return
    os.closerange(0, os.sysconf("SC_OPEN_MAX"))  # else whoever waits for the program's start would wait for its end
    signal.signal(signal.SIGTERM, _end_all)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != handler:
        _end_all()
    status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
    os._exit(status if status >= 0 else 128 - status)


def _end_all(*_: object) -> None:
    _kill_all_but(set())
    os._exit(1)


def _kill_all_but(before: set[psutil.Process]) -> None:
    """Kill the descendants of this process that it did not have before."""
    for _ in range(KILLS):  # one may start another meanwhile
        if not (found := {*psutil.Process().children(recursive=True)} - before):
            return
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, KILL_S)


class ProgramFailed(MemoError):
    """The program did not succeed."""


class ExecHandler(Handler):
    """Runs `[exec] command` with JSON on its standard input, never on its command line; its output is discarded."""

    name = "exec"
    limit_s = LIMIT_S + 5.0

    def __init__(self, settings: Settings, home: Home, program_limit_s: float = LIMIT_S) -> None:
        self._command, self._language = settings.exec.command, settings.language
        self._program_limit_s = program_limit_s

    def accepts(self, action: Action) -> bool:
        """Return whether a program is named in the settings."""
        return bool(self._command)

    def handle(self, candidate: Candidate, context: DispatchContext) -> dict[str, Any]:
        """Run the program to its end. Raises ProgramFailed if it can't be run, takes too long or reports an error."""
        body = payload(candidate, context, self._language)
        try:
            status = self._run(body)
        except OSError as error:
            raise ProgramFailed(f"the program can't be run ({error.strerror}); see [exec] command") from error
        if status:
            raise ProgramFailed(f"the program ended with status {status}; see [exec] command")
        return {"status": status}

    def _run(self, body: bytes) -> int:
        become_subreaper()
        before = {*psutil.Process().children(recursive=True)}
        with subprocess.Popen(
            self._command,
            env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
            cwd=Path.home(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            umask=given_umask(),
            preexec_fn=keep_program,
        ) as program:
            try:
                program.communicate(body, self._program_limit_s)
            except subprocess.TimeoutExpired as error:
                _kill_all_but(before)
                limit = f"{self._program_limit_s:.0f} s"
                raise ProgramFailed(f"the program was killed after {limit}; see [exec] command") from error
        return program.returncode
