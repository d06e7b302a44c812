"""The open resources of a worker process, and of one that only reads the store."""

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from db.engine import Store
from db.store_access import process_store
from memo.core.paths import Home
from memo.core.settings import Settings

if TYPE_CHECKING:  # a command that only reads needs neither, and importing them takes long
    from celery import Celery

    from memo.messaging.publisher import Publisher


@dataclass(frozen=True)
class StoreResources:
    """Settings and store of one process, which are enough to learn a log."""

    home: Home
    settings: Settings
    store: Store


@dataclass(frozen=True)
class Resources(StoreResources):
    """Settings and store with publisher and task queue, which a process needs to serve."""

    publisher: "Publisher"
    queue: "Celery"


@cache
def open_resources() -> Resources:
    """Return this process's resources; call it only after the last fork."""
    from memo.messaging.publisher import Publisher
    from memo.stack.broker import broker_url, key_prefix
    from memo.stack.task_queue import make_app

    home, settings = Home.find(), Settings.load()
    url, prefix = broker_url(home, settings), key_prefix(settings)
    return Resources(home, settings, process_store(), Publisher(url, prefix), make_app(url, prefix))
