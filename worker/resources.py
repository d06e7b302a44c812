"""The open resources of a worker process."""

from dataclasses import dataclass
from functools import cache

from celery import Celery

from db.engine import Store, open_store
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.messaging.publisher import Publisher
from memo.stack.broker import broker_url, key_prefix
from memo.stack.task_queue import make_app


@dataclass(frozen=True)
class Resources:
    """Settings, store, publisher and task queue of one process."""

    home: Home
    settings: Settings
    store: Store
    publisher: Publisher
    queue: Celery


@cache
def open_resources() -> Resources:
    """Return this process's resources; never to be called before a fork."""
    home, settings = Home.find(), Settings.load()
    url, prefix = broker_url(home, settings), key_prefix(settings)
    return Resources(home, settings, open_store(settings, home), Publisher(url, prefix), make_app(url, prefix))
