"""Asking the process that stands by for `memo pick`: one that hangs gets nothing and delays nothing for long."""

import socket

from memo.core.paths import Home
from memo.stack import standby


def test_one_that_hangs_gets_no_files(home: Home) -> None:
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(home.standby))
        hanging.listen()
        assert standby.ask(ready_s=0.1) is None
        connection, _ = hanging.accept()
        with connection:
            data, files, *_ = socket.recv_fds(connection, 10, 3)
            assert (data, files) == (b"", [])
