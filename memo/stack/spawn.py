"""MEMO's own Python processes: their commands and environments, and how rarely they collect garbage.

They run no code of the caller's folder or PYTHONPATH.
"""

import atexit
import gc
import os
import sys

PARENT = "MEMO_PARENT"  # environment variable: process id of the parent, which a child compares with its own
YOUNG = 10_000  # objects made between two collections; at Python's 700 these take a good part of a start


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of MEMO.

    `-E` ignores the caller's PYTHON… variables, and `-P` keeps the working directory off the path.
    """
    return [sys.executable, "-E", "-P", "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """Return the environment of a child: this process's own, which apps that it launches inherit whole."""
    return os.environ | {PARENT: str(os.getpid())}


def collect_rarely() -> None:
    """Walk this process's objects less often, and not once more at exit, which returns its memory anyway."""
    gc.set_threshold(YOUNG, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)
