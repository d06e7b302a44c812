"""Limits of a training process: a bound of memory and, where a user manager answers, a unit of systemd.

RLIMIT_DATA bounds what each process writes into its memory: a library that gets no more raises an error, so the run
can say why it failed. The unit bounds all processes of a training together, page cache included. Its CPU weight counts
beside other units, such as those of apps; that of a process counts only within its own unit.
"""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil

from db.upkeep.retrain import MEMORY
from memo.core.errors import MemoError
from memo.stack.spawn import python_command

LIMITED = "--limited"  # argument of a process that has its limits
MOST = 0.5  # share of the machine's memory
CPU_WEIGHTS = ("idle", "1")  # systemd before 252 does not know the first
ANSWER_S = 10.0  # for a user manager to answer
NO_MEMORY = "allocate memory"  # in what torch and the C library say


def take_limits() -> None:
    """Bound this process and those that it starts; it goes on in a unit of systemd, if it can, as the same process."""
    if LIMITED in sys.argv:
        return
    bound = find_bound()
    limit_memory(bound)
    _go_on_in_unit(python_command("training", LIMITED), bound)


def find_bound() -> int:
    """Return the bytes of memory that a training may take: what is free, and at most half of the machine's.

    So nothing that runs has to be swapped out for it. It is at least what a training waits for.
    """
    memory = psutil.virtual_memory()
    return int(max(MEMORY, min(memory.available, MOST * memory.total)))


def limit_memory(bound: int) -> None:
    """Bound the private, writable memory of this process, and of each that it starts, unless a lower bound holds."""
    given = (limit for limit in resource.getrlimit(resource.RLIMIT_DATA) if limit != resource.RLIM_INFINITY)
    lowest = min([bound, *given])
    resource.setrlimit(resource.RLIMIT_DATA, (lowest, lowest))


def describe_limits() -> dict[str, object]:
    """Return the limits of this process, for the log."""
    return {"memory": resource.getrlimit(resource.RLIMIT_DATA)[0], "has_unit": LIMITED in sys.argv}


@contextmanager
def naming_the_bound() -> Iterator[None]:
    """Raise MemoError, which names the bound and the remedies, where a process with limits gets no more memory."""
    try:
        yield
    except Exception as error:
        bound, _ = resource.getrlimit(resource.RLIMIT_DATA)
        is_reached = isinstance(error, MemoryError) or NO_MEMORY in str(error)
        if bound == resource.RLIM_INFINITY or not is_reached:
            raise
        raise MemoError(
            f"The training needs more than the {bound / 1e9:.1f} GB of memory that it may take (what was free, at most "
            "half of the machine's); end some programs, set model.base to a smaller model, or run `memo train`, which "
            "has no such limit."
        ) from error


def _go_on_in_unit(command: Sequence[str], bound: int) -> None:
    """Replace this process by a command in a unit; return if systemd does not make one."""
    program = shutil.which("systemd-run")
    for weight in CPU_WEIGHTS if program else ():
        asked = [
            *(str(program), "--user", "--scope", "--quiet", "--collect", "--no-ask-password"),
            *("--description=MEMO trains", "--slice=background.slice"),
            *(f"--property=CPUWeight={weight}", "--property=IOWeight=1"),
            *(f"--property=MemoryMax={bound}", "--property=MemorySwapMax=0", "--"),
        ]
        if _works([*asked, "true"]):
            os.execv(asked[0], [*asked, *command])


def _works(command: Sequence[str]) -> bool:
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=ANSWER_S, check=False)
        return done.returncode == 0
    return False
