"""Commands and environments of MEMO's own Python processes, which run no code of the caller's folder or PYTHONPATH."""

import os
import sys

PARENT = "MEMO_PARENT"  # environment variable: process id of the parent, which a child compares with its own


def python_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of MEMO; `-P` keeps the working directory off the path."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """Return this process's environment for a child, without the variables that change which code Python runs."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return inherited | {PARENT: str(os.getpid())}
