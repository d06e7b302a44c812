"""The Celery tasks of the dispatcher. Imports are late, so that the parent process stays small."""

from functools import cache
from typing import TYPE_CHECKING

from celery import shared_task

from memo.stack.task_queue import ACT, SETTLE

if TYPE_CHECKING:
    from worker.dispatch.dispatcher import Dispatcher

TIME_LIMIT_S = 30


@cache
def _dispatcher() -> "Dispatcher":
    from worker.dispatch.dispatcher import Dispatcher
    from worker.resources import open_resources

    return Dispatcher(open_resources())


@shared_task(name=ACT, time_limit=TIME_LIMIT_S)  # type: ignore[untyped-decorator]
def act(prediction_id: int) -> None:
    """Act on a prediction."""
    _dispatcher().dispatch(prediction_id)


@shared_task(name=SETTLE, time_limit=TIME_LIMIT_S)  # type: ignore[untyped-decorator]
def settle() -> None:
    """Record the outcomes of earlier attempts."""
    _dispatcher().settle()
