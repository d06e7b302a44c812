"""Ask the process that stands by for `memo pick`: it has imported everything, which takes longer than all the rest."""

import json
import os
import socket

from memo.core.errors import MemoError
from memo.core.paths import Home, be_private

READY_S = 1.0  # within which it answers, unless it hangs
PICK_S = 700.0  # longer than a picker stays open


def ask(ready_s: float = READY_S) -> int | None:
    """Let the process that stands by run `memo pick` with the environment and standard files of this one.

    Return the exit status, or None if no process stands by.
    """
    be_private()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ready_s)
        try:
            connection.connect(str(Home.find().standby))
            connection.recv(1)  # one that hangs would keep this process's files open
            socket.send_fds(connection, [b"\n"], [0, 1, 2])
            connection.sendall(json.dumps(dict(os.environ)).encode())
            connection.shutdown(socket.SHUT_WR)
            if not connection.recv(1):
                return None
        except (OSError, MemoError):
            return None
        connection.settimeout(PICK_S)
        return int(connection.recv(8) or b"1")
