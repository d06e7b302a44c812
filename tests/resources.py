"""The resources of a worker, on a new store."""

from collections.abc import Iterator
from contextlib import contextmanager

from stores import make_store

from db.engine import open_store
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.messaging.publisher import Publisher
from memo.stack.task_queue import make_app
from worker.resources import Resources


@contextmanager
def new_resources(settings: Settings, home: Home) -> Iterator[Resources]:
    """Make the store of the settings if it is missing, and open it with a publisher and a queue on their broker."""
    make_store(settings, home)
    url = settings.broker_url
    made = Resources(home, settings, open_store(settings, home), Publisher(url), make_app(url))
    yield made
    made.publisher.close()
    made.queue.close()
    made.store.close()
