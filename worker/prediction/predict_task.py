"""The task of the worker: look at a scope. The model stays loaded in the process that looks."""

import gc
from functools import cache
from typing import TYPE_CHECKING

from celery import shared_task, signals

from memo.stack.task_queue import LOOK

if TYPE_CHECKING:
    from worker.prediction.update import ScopeUpdater

TIME_LIMIT_S = 240
"""Below the queue's visibility timeout; what was written by then stands, and the next look goes on."""


@cache
def _updater() -> "ScopeUpdater":
    from worker.prediction.update import ScopeUpdater
    from worker.resources import open_resources  # store and model load here, and only in the child

    return ScopeUpdater(open_resources())


@signals.worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
def load(**_: object) -> None:
    """Load the model before the first task; without it, history answers alone."""
    _updater().warm_up()
    gc.collect()
    gc.freeze()  # the libraries' objects stay; a collection that walks them all would delay a prediction


@signals.worker_process_shutdown.connect(weak=False)  # type: ignore[untyped-decorator]
def keep(**_: object) -> None:
    """Keep what was learned for the next worker."""
    _updater().models.close()


@shared_task(name=LOOK, time_limit=TIME_LIMIT_S)  # type: ignore[untyped-decorator]
def look(scope: str) -> None:
    """Predict what follows the newest event of a scope."""
    _updater().update(scope)
