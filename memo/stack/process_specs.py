"""The parts of the running stack, and what each of their processes does when it starts."""

import ctypes
import os
import signal
import sys
from dataclasses import dataclass

from memo.core.paths import be_private
from memo.stack.spawn import PARENT, collect_rarely, python_command
from memo.stack.task_queue import DISPATCH, PREDICT

PR_SET_PDEATHSIG = 1  # source: linux/prctl.h
M_MMAP_THRESHOLD = -3  # source: malloc.h
MMAP_THRESHOLD = 64 * 1024  # bytes; freed blocks of this size or more are returned to the system


@dataclass(frozen=True, slots=True)
class Part:
    """A child process of the supervisor; a Celery worker if it has queues.

    A worker imports the modules of `include`, and calls the functions that `periodic` names at each tick.
    """

    name: str
    module: str
    queues: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    periodic: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """The command that starts the part."""
        return python_command(self.module, self.name)


BROKER = Part("broker", "memo.stack.broker")  # only where no URL names another one
PARTS = (
    Part("collector", "collector"),
    Part("worker", "memo.stack.celery_main", (PREDICT,), ("worker.prediction.predict_task",)),
    Part(
        "dispatcher",
        "memo.stack.celery_main",
        (DISPATCH,),
        ("worker.dispatch.dispatch_tasks",),
        ("scheduler.tick:tick", "worker.dispatch.dispatch_tasks:settle"),
    ),
)


def give_back_memory() -> None:
    """Return large freed blocks to the system, else a process keeps its peak. Source: mallopt(3)."""
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD)


def end_with_parent() -> None:
    """Have the kernel kill this process when the parent dies, however it dies; exit if it is already dead.

    SIGKILL also ends a process that is stopped, or whose threads wait: else it would go on next to its successor.
    The parent is the process that started this one with `child_environment`. Every child begins with this function,
    hence it also makes the process private, and its start short.
    """
    be_private()
    collect_rarely()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ.get(PARENT, os.getppid())):
        sys.exit("The parent process died before this one could start.")
