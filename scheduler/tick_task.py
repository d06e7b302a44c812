"""The Celery task of the tick. Its imports happen in the worker's child alone, so that the parent stays small."""

from functools import cache
from typing import TYPE_CHECKING, Any

from celery import shared_task

from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack.task_queue import TICK

if TYPE_CHECKING:
    from db.engine import Store


@cache
def _open() -> "tuple[Settings, Store]":
    """Return this process's settings and store; never call it before a fork."""
    from db.engine import open_store

    settings = Settings.load()
    return settings, open_store(settings, Home.find())


@shared_task(name=TICK, bind=True)  # type: ignore[untyped-decorator]
def tick(self: Any) -> None:
    """Start the jobs that are due."""
    from scheduler.tick import run

    run(self.app, *_open())
