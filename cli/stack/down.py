"""`memo down`."""

import os
import select
import signal
from contextlib import suppress

from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.stack import running

DOWN_S = 12.0  # for a stack to stop


def down() -> None:
    """Stop MEMO; stored data stays."""
    home = Home.find()
    home.standby.unlink(missing_ok=True)  # without its socket, the process that stands by for `memo pick` ends
    if (pid := running.holder(home)) is None:
        print("MEMO is not running.")
        return
    with suppress(ProcessLookupError):  # it has just ended
        supervisor = os.pidfd_open(pid)  # readable once the process has ended, not only released its lock
        try:
            signal.pidfd_send_signal(supervisor, signal.SIGTERM)
            if not select.select([supervisor], [], [], DOWN_S)[0]:
                raise MemoError(f"MEMO did not stop within {DOWN_S:.0f} s; end it with `kill -9 {pid}`.")
        finally:
            os.close(supervisor)
    print("MEMO has stopped.")
