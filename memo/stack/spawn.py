"""Commands and environments of MEMO's own Python processes, which run no code of the caller's folder or PYTHONPATH."""

import os
import sys

PARENT = "MEMO_PARENT"  # environment variable: process id of the parent, which a child compares with its own


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of MEMO.

    `-E` ignores the caller's PYTHON… variables, and `-P` keeps the working directory off the path.
    """
    return [sys.executable, "-E", "-P", "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """Return the environment of a child: this process's own, which apps that it launches inherit whole."""
    return os.environ | {PARENT: str(os.getpid())}
