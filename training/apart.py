"""`python -m training.apart`: a function called in a process of its own, whose memory nothing else has used.

What the function is given and what it returns goes through pipes, between a process and its own child alone.
"""

import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import ParamSpec, TypeVar, cast

from memo.core.errors import MemoError
from memo.stack.process_specs import end_with_parent
from memo.stack.spawn import child_environment, python_command
from training.limits import naming_the_bound

P = ParamSpec("P")
T = TypeVar("T")


def call_apart(function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Return what a function of a module returns in a new process.

    Raises the MemoError that it raises there, or one that says that the process was ended.
    """
    done = subprocess.run(
        python_command("training.apart"),
        env=child_environment(),
        input=pickle.dumps((function, given, named)),
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise MemoError(
            f"A process of the training ended early (status {done.returncode}), as when memory runs out; the next "
            "training goes on."
        )
    found = pickle.loads(done.stdout)
    if isinstance(found, MemoError):
        raise found
    return cast(T, found)


def used_bytes() -> int:
    """Return the bytes of memory of this process that no other one shares."""
    import psutil

    return int(psutil.Process().memory_full_info().uss)


def main() -> None:
    """Call the function that the parent names."""
    end_with_parent()
    function, given, named = pickle.load(sys.stdin.buffer)
    try:
        with redirect_stdout(sys.stderr), naming_the_bound():  # what a library prints is no answer
            found = function(*given, **named)
    except MemoError as error:
        found = error
    sys.stdout.buffer.write(pickle.dumps(found))


if __name__ == "__main__":
    main()
