"""`python -m memo.stack.celery_main NAME`: run a part that is a Celery worker, or beat.

The pool is prefork with one child, which alone opens the store and the model, so that nothing is open across the
fork. The pool solo answers no ping, and threads have no time limit.
"""

import gc
import os
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from celery import Celery, bootsteps, signals
from celery.worker import state
from kombu import Connection

from memo.core import logs
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import heartbeat
from memo.stack.broker import broker_url, key_prefix
from memo.stack.guard.consumer import install
from memo.stack.process_specs import PARTS, Part, end_with_parent, give_back_memory
from memo.stack.task_queue import make_app

LONGEST_RETRY_S = 4.0  # between two attempts to reach a broker that was away


class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc]
    """Has the pool's child beat whenever it is free: a heartbeat proves that this process and the child work."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **_: object) -> None:
        self._asked_at, self._was_full = 0.0, False

    def start(self, consumer: Any) -> None:
        """Begin, at each connection to the broker."""
        self._asked_at, self._was_full = 0.0, False
        consumer.timer.call_repeatedly(heartbeat.BEAT_S, self._ask, (consumer.pool,))
        consumer.timer.call_repeatedly(heartbeat.BEAT_S, self._check_acknowledged, (consumer,))

    def _check_acknowledged(self, consumer: Any) -> None:
        """Connect again if a task has ended, but the broker did not take that: no other would be received any more."""
        qos = getattr(consumer.task_consumer.channel, "qos", None)
        is_full = qos is not None and not qos.can_consume() and not state.reserved_requests
        if is_full and self._was_full:
            raise ConnectionError("the broker did not take the end of a task")
        self._was_full = is_full

    def _ask(self, pool: Any) -> None:
        now = time.monotonic()
        if now - self._asked_at > heartbeat.STUCK_S:  # else it is still busy
            self._asked_at = now
            pool.apply_async(heartbeat.beat, callback=self._answered, error_callback=self._answered)

    def _answered(self, _result: object) -> None:
        self._asked_at = 0.0


class PatientConnection(Connection):  # type: ignore[misc]
    """A connection that beats while it waits for the broker: the part is not stuck then.

    It also waits for one that answers each command by an error, as Redis does while its disk is full.
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
    """Work on the part's queues until SIGTERM; the part is ready once its child is."""
    install(app)
    worker = app.Worker(
        hostname=f"{part.name}@{socket.gethostname()}",
        queues=part.queues,
        pool="prefork",
        concurrency=1,
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    )
    gc.collect()
    gc.freeze()  # else a collection in the child would copy each page that it shares with this process
    worker.start()
    sys.exit(worker.exitcode)


def beat(app: Celery, _part: Part) -> None:
    """Send the tick until SIGTERM."""
    from celery.beat import Scheduler

    class BeatingScheduler(Scheduler):  # type: ignore[misc]
        # The due times are in the store; beat itself keeps no state.

        def tick(self, *given: Any, **options: Any) -> float:
            """Send what is due; return the seconds until the next turn."""
            wait_s: float = super().tick(*given, **options)
            heartbeat.beat()
            return min(wait_s, heartbeat.BEAT_S)

        def apply_entry(self, *given: Any, **options: Any) -> None:
            """Send one task, or log that the broker does not take it."""
            super().apply_entry(*given, **options)
            heartbeat.beat()

    app.conf.task_publish_retry = False  # the next tick does
    app.Beat(scheduler_cls=BeatingScheduler, loglevel="WARNING", quiet=True).run()


def _begin_child(parent: int, **_: object) -> None:
    """Tie the pool's child to its parent, and let it load in silence."""
    end_with_parent(parent)
    heartbeat.beat(heartbeat.LOADING_S)


def _keep_our_logs(**_: object) -> None:
    """Do nothing: as this signal has a receiver, Celery does not replace our logs by its own."""


def main(name: str) -> None:
    """Run the process of a part."""
    end_with_parent()
    give_back_memory()
    home, settings = Home.find(), Settings.load()
    logs.setup(home.logs, name)
    signals.setup_logging.connect(_keep_our_logs)
    part = next(part for part in PARTS if part.name == name)
    app = make_app(broker_url(home, settings), key_prefix(settings), list(part.include))
    app.amqp.Connection = PatientConnection
    app.steps["consumer"].add(Heartbeat)
    heartbeat.attach(home, part.name)
    begin_child = partial(_begin_child, os.getpid())
    signals.worker_process_init.connect(begin_child, weak=False)  # before those of the modules, which load a model
    for module in part.include:
        import_module(module)  # their handlers of `worker_process_init` must come before ours
    run, started = (serve, signals.worker_process_init) if part.queues else (beat, signals.beat_init)
    started.connect(lambda **_: heartbeat.say_ready(home, part.name), weak=False)
    run(app, part)


if __name__ == "__main__":
    try:
        main(sys.argv[-1])
    except MemoError as error:
        sys.exit(str(error))
