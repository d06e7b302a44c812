"""The parts of the running stack, and how a part says that it is ready."""

import os
import sys
from dataclasses import dataclass

from memo.paths import Home
from memo.queue import DISPATCH, PREDICT, TRAINING


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
        return [sys.executable, "-m", self.module, self.name]


PARTS = (
    Part("collector", "collector"),
    Part("worker", "memo.celery_part", (PREDICT,), ("worker.tasks",)),
    Part(
        "dispatcher", "memo.celery_part", (DISPATCH, TRAINING), ("worker.dispatch", "training.tasks", "scheduler.tasks")
    ),
    Part("beat", "memo.celery_part"),
)


def say_ready(home: Home, name: str) -> None:
    """Tell the supervisor that this process serves."""
    (home.run / f"{name}.ready").write_text(str(os.getpid()))
