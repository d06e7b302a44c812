"""`python -m memo.stack.celery_main NAME`: run a part that is a Celery worker.

The pool is solo: one thread receives a task and does it, and calls what is periodic. Hence one heartbeat in its loop
proves all of that, and a task that hangs makes the part silent: the supervisor restarts it.
"""

import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pkgutil import resolve_name
from typing import Any

from celery import Celery, bootsteps, signals
from celery.worker import state
from kombu import Connection
from redis import RedisError

from memo.core import logs
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import heartbeat
from memo.stack.broker import broker_url, key_prefix
from memo.stack.guard.consumer import install
from memo.stack.guard.keys import delete_foreign
from memo.stack.process_specs import PARTS, Part, end_with_parent, give_back_memory
from memo.stack.task_queue import TICK_S, is_redis, make_app

LONGEST_RETRY_S = 4.0  # between two attempts to reach a broker that was away

log = logs.get_logger(__name__)


class Loop(bootsteps.StartStopStep):  # type: ignore[misc]
    """Makes the consumer's loop beat, call what is periodic, and wake up at a signal."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    periodic: tuple[str, ...] = ()

    def __init__(self, consumer: Any, **_: object) -> None:
        self._was_full = False
        self._signalled, self._signals = socket.socketpair()  # else a signal would wait for the next timer
        for end in (self._signalled, self._signals):
            end.setblocking(False)
        signal.set_wakeup_fd(self._signals.fileno(), warn_on_full_buffer=False)

    def start(self, consumer: Any) -> None:
        """Begin; Celery calls this at each connection to the broker."""
        self._was_full = False
        consumer.hub.add_reader(self._signalled, self._signalled.recv, 1)
        consumer.timer.call_repeatedly(heartbeat.BEAT_S, self._beat, (consumer,))
        if self.periodic:
            consumer.timer.call_repeatedly(TICK_S, self._call_periodic)

    def _beat(self, consumer: Any) -> None:
        """Beat; connect again if the broker did not take the end of a task, as it would then send no other one."""
        heartbeat.beat()
        qos = getattr(consumer.task_consumer.channel, "qos", None)
        is_full = qos is not None and not qos.can_consume() and not state.reserved_requests
        if is_full and self._was_full:
            raise ConnectionError("the broker did not take the end of a task")
        self._was_full = is_full

    def _call_periodic(self) -> None:
        for name in self.periodic:
            try:
                resolve_name(name)()  # imported at the first tick, so that the part is soon ready
            except Exception:  # the store may be unavailable for a while
                log.exception("periodic_failed", name=name)


class PatientConnection(Connection):  # type: ignore[misc]
    """A connection that beats while it waits for the broker, since the part is not stuck then.

    It also waits for a broker that answers each command by an error, as Redis does while its disk is full.
    """

    @property
    def connection_errors(self) -> tuple[type[Exception], ...]:
        """Errors after which the part connects again."""
        return (*super().connection_errors, *self.channel_errors)

    @property
    def recoverable_connection_errors(self) -> tuple[type[Exception], ...]:
        """Errors at which a new connection is tried again."""
        return (*super().recoverable_connection_errors, *self.channel_errors)

    def ensure_connection(self, *given: Any, callback: Callable[[], None] | None = None, **options: Any) -> Any:
        """Connect, however long that takes; `callback` is called once a second."""

        def wait() -> None:
            heartbeat.beat()
            if callback:
                callback()

        return super().ensure_connection(*given, interval_max=LONGEST_RETRY_S, callback=wait, **options)


def serve(app: Celery, part: Part) -> None:
    """Work on the part's queues until SIGTERM."""
    install(app)
    worker = app.Worker(
        hostname=f"{part.name}@{socket.gethostname()}",
        queues=part.queues,
        pool="solo",
        concurrency=1,
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    worker.start()
    sys.exit(worker.exitcode)


def main(name: str) -> None:
    """Run the process of a part."""
    end_with_parent()
    give_back_memory()
    home, settings = Home.find(), Settings.load()
    logs.setup(home.logs, name)
    signals.setup_logging.connect(lambda **_: None, weak=False)  # else Celery would replace our logs by its own
    part = next(part for part in PARTS if part.name == name)
    url, prefix = broker_url(home, settings), key_prefix(settings)
    if is_redis(url):
        with suppress(RedisError):  # it is away: the part waits for it
            delete_foreign(home, url, prefix)
    app = make_app(url, prefix, list(part.include))
    app.amqp.Connection = PatientConnection
    for module in part.include:
        import_module(module)  # their handlers of `worker_process_init`, which load a model, must come before ours
    Loop.periodic = part.periodic
    app.steps["consumer"].add(Loop)
    signals.worker_process_init.connect(lambda **_: heartbeat.say_ready(home, part.name), weak=False)
    serve(app, part)


if __name__ == "__main__":
    try:
        main(sys.argv[-1])
    except MemoError as error:
        sys.exit(str(error))
