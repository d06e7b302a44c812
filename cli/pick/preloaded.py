"""`python -m cli.pick.preloaded`: stand by for `memo pick` while MEMO runs; else until it was not needed for an hour.

Each pick runs in a fork of this process, so that it reads settings, rules and the store anew.
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
CHECK_S = 60.0  # between two looks at whether another process has taken over the socket, or the home is gone
MAX_BYTES = 4_000_000  # of an environment


def start() -> None:
    """Start the process that stands by."""
    quiet = subprocess.DEVNULL
    command = python_command("cli.pick.preloaded")
    subprocess.Popen(
        command,
        cwd="/",
        env=child_environment(),
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    )


def main() -> None:
    """Serve for as long as this process is of use."""
    be_private()
    home = Home.find()
    with suppress(MemoError):  # a first list, which nobody sees, imports and prepares all that the next ones need
        find_offer(Settings.load(), home)
    path = home.standby
    with socket.socket(socket.AF_UNIX) as server:
        path.unlink(missing_ok=True)
        server.bind(str(path))
        server.listen()
        server.settimeout(CHECK_S)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
        gc.freeze()  # else a collection in a fork would copy each page that it shares with this process
        _serve(server, home)


def _serve(server: socket.socket, home: Home) -> None:
    path, last = home.standby, time.monotonic()
    own = path.stat().st_ino
    while (
        (time.monotonic() < last + IDLE_S or running.holder(home) is not None)
        and path.exists()
        and path.stat().st_ino == own
    ):
        with suppress(OSError):  # nobody asks, or who did has gone
            connection, _ = server.accept()
            last = time.monotonic()
            with connection:
                connection.sendall(b"\n")
                if os.fork() == 0:
                    _end_fork(connection)


def _end_fork(connection: socket.socket) -> None:
    """Run `memo pick` for who has asked, and end this process."""
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
    """Take environment and standard files from who has asked."""
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
