"""What a worker process holds open: settings, store, publisher, queue. Made once, when the process starts."""

from dataclasses import dataclass
from functools import cache

from celery import Celery

from db.engine import Store, open_store
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.messaging.message import Publisher
from memo.stack.broker import broker_url
from memo.stack.task_queue import make_app


@dataclass(frozen=True)
class Resources:
    """The open things of one process."""

    home: Home
    settings: Settings
    store: Store
    publisher: Publisher
    queue: Celery


@cache
def open_resources() -> Resources:
    """This process's context; never call it before a fork."""
    home, settings = Home.find(), Settings.load()
    url = broker_url(home, settings)
    return Resources(home, settings, open_store(settings, home), Publisher(url), make_app(url, settings))
