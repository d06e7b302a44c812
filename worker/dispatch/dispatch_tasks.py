"""The Celery task of the dispatcher, and what it does at each tick. Imports are late, so that it is soon ready."""

from functools import cache
from typing import TYPE_CHECKING

from celery import shared_task

from memo.stack.task_queue import ACT

if TYPE_CHECKING:
    from worker.dispatch.dispatcher import Dispatcher


@cache
def _dispatcher() -> "Dispatcher":
    from worker.dispatch.dispatcher import Dispatcher
    from worker.resources import open_resources

    return Dispatcher(open_resources())


@shared_task(name=ACT)  # type: ignore[untyped-decorator]
def act(prediction_id: int) -> None:
    """Act on a prediction."""
    _dispatcher().dispatch(prediction_id)


def settle() -> None:
    """Record the outcomes of earlier attempts."""
    _dispatcher().settle()
