"""What a worker process holds open: settings, store, publisher, queue. Made once, when the process starts."""

from dataclasses import dataclass
from functools import cache

from celery import Celery

from db.engine import Store, open_store
from memo.broker import broker_url
from memo.messages import Publisher
from memo.paths import Home
from memo.queue import make_app
from memo.settings import Settings


@dataclass(frozen=True)
class Context:
    """The open things of one process."""

    home: Home
    settings: Settings
    store: Store
    publisher: Publisher
    queue: Celery


@cache
def context() -> Context:
    """This process's context; never call it before a fork."""
    home, settings = Home.find(), Settings.load()
    url = broker_url(home, settings)
    return Context(home, settings, open_store(settings, home), Publisher(url), make_app(url, settings))
