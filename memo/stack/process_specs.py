"""The parts of the running stack, and what a part does to be one."""

import ctypes
import os
import signal
import sys
from dataclasses import dataclass

from memo.core.paths import Home
from memo.stack.spawn import PARENT, python_command
from memo.stack.task_queue import DISPATCH, PREDICT, TRAINING

PR_SET_PDEATHSIG = 1
M_MMAP_THRESHOLD, BIG = -3, 64 * 1024
"""Of malloc: blocks above go back to the system when freed, else a process keeps the most that it ever held."""


@dataclass(frozen=True, slots=True)
class Part:
    """A child process of the supervisor; a Celery worker where it has queues."""

    name: str
    module: str
    queues: tuple[str, ...] = ()
    include: tuple[str, ...] = ()

    @property
    def command(self) -> list[str]:
        """How the part is started."""
        return python_command(self.module, self.name)


BROKER = Part("broker", "memo.stack.broker")
"""Only where no URL names another one."""
PARTS = (
    Part("collector", "collector"),
    Part("worker", "memo.stack.celery_main", (PREDICT,), ("worker.prediction.predict_task",)),
    Part(
        "dispatcher",
        "memo.stack.celery_main",
        (DISPATCH, TRAINING),
        ("worker.dispatch.dispatch_tasks", "training.tasks", "scheduler.tick_task"),
    ),
    Part("beat", "memo.stack.celery_main"),
)


def say_ready(home: Home, name: str) -> None:
    """Tell the supervisor that this process serves."""
    (home.run / f"{name}.ready").write_text(str(os.getpid()))


def give_back_memory() -> None:
    """Let freed blocks go back to the system. Source: mallopt(3)."""
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, BIG)


def end_with_parent() -> None:
    """Be told to end when the supervisor dies, however it dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = str(os.getppid())
    if os.environ.get(PARENT, parent) != parent:
        sys.exit("the supervisor died before this process could ask to be told")
