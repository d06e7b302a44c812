"""The Celery task that updates a scope. The language model stays loaded in the process that runs it."""

import gc
from functools import cache
from typing import TYPE_CHECKING

from celery import shared_task, signals

from memo.stack.task_queue import LOOK

if TYPE_CHECKING:
    from worker.prediction.update import ScopeUpdater


@cache
def _updater() -> "ScopeUpdater":
    from worker.prediction.update import ScopeUpdater
    from worker.resources import open_resources

    return ScopeUpdater(open_resources())


@signals.worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
def load(**_: object) -> None:
    """Load the language model before the first task."""
    _updater().warm_up()
    gc.collect()
    gc.freeze()  # the libraries' objects stay: walking them in a collection would delay a prediction


@signals.worker_shutdown.connect(weak=False)  # type: ignore[untyped-decorator]
def save(**_: object) -> None:
    """Write snapshots for the next worker."""
    _updater().models.close()


@shared_task(name=LOOK)  # type: ignore[untyped-decorator]
def look(scope: str) -> None:
    """Predict what follows the newest event of a scope."""
    _updater().update(scope)
