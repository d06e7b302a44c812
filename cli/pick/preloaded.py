"""`python -m cli.pick.preloaded`: stand by for `memo pick` while this MEMO runs, else for an hour after a pick.

Each pick runs in a fork of this process, so that it reads settings, rules and the store again. The process itself keeps
its code and the texts of its first list, so it ends when MEMO restarts or `memo forget` deletes its socket.
"""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import cli
from cli.pick.pick import find_offer
from memo.core.errors import MemoError
from memo.core.paths import Home, be_private
from memo.core.settings import Settings
from memo.stack import running
from memo.stack.spawn import child_environment, python_command

IDLE_S = 3600.0  # without MEMO and without a pick
CHECK_S = 60.0  # between two looks at whether this process is still of use
MAX_BYTES = 4_000_000  # of an environment


def start() -> None:
    """Start the process that stands by."""
    quiet = subprocess.DEVNULL
    subprocess.Popen(
        python_command("cli.pick.preloaded"),
        cwd="/",
        env=child_environment(),
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    )


def main(idle_s: float = IDLE_S, check_s: float | None = CHECK_S) -> None:
    """Serve for as long as this process is of use."""
    be_private()
    home = Home.find()
    with socket.socket(socket.AF_UNIX) as server:
        home.standby.unlink(missing_ok=True)
        server.bind(str(home.standby))  # before anything is read, so that `memo forget` finds this process
        began = _find_state(home)
        with suppress(MemoError):  # a first list, which nobody sees, imports and prepares all that the next ones need
            find_offer(Settings.load(), home)
        server.listen()
        server.settimeout(check_s)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
        gc.freeze()  # else a garbage collection in a fork would copy each page that it shares with this process
        _serve(server, home, began, idle_s)


def _find_state(home: Home) -> tuple[int | None, int | None]:
    """Return which process runs MEMO, and which socket is in place: if either changes, this process is of no use."""
    path = home.standby
    return running.holder(home), path.stat().st_ino if path.exists() else None


def _serve(server: socket.socket, home: Home, began: tuple[int | None, int | None], idle_s: float) -> None:
    last = time.monotonic()
    while _find_state(home) == began and (began[0] is not None or time.monotonic() < last + idle_s):
        with suppress(OSError):  # nobody asks, or the process that asked has ended
            connection, _ = server.accept()
            last = time.monotonic()
            with connection:
                if _find_state(home) == began:  # MEMO may have been restarted during the wait
                    connection.sendall(b"\n")
                    if os.fork() == 0:
                        _end_fork(connection)


def _end_fork(connection: socket.socket) -> None:
    """Run `memo pick` for the process that asked, and end this one."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        connection.settimeout(CHECK_S)
        _take_over(connection)
        connection.sendall(b"\n")
        cli.main()
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0
    finally:
        with suppress(OSError):
            connection.sendall(str(status).encode())
        os._exit(status)


def _take_over(connection: socket.socket) -> None:
    """Take environment and standard files from the process that asked."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    for number, file in enumerate(files):
        os.dup2(file, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    with connection.makefile("rb") as request:
        environment = json.loads(request.read(MAX_BYTES))
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["memo", "pick"]


if __name__ == "__main__":
    main()
