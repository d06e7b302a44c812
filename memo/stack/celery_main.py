"""`python -m memo.stack.celery_main NAME`: run a part that is a Celery worker, or beat.

The pool is prefork with one child, which alone opens the store and the model, so that nothing is open across the
fork. The pool solo answers no ping, and threads have no time limit.
"""

import gc
import socket
import sys
from importlib import import_module

from celery import Celery, signals

from memo.core import logs
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack.broker import broker_url, key_prefix
from memo.stack.guard.consumer import install
from memo.stack.process_specs import PARTS, Part, end_with_parent, give_back_memory, say_ready
from memo.stack.task_queue import make_app


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
    # The due times are in the store; beat itself keeps no state.
    app.Beat(scheduler_cls="celery.beat:Scheduler", loglevel="WARNING", quiet=True).run()


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
    app = make_app(broker_url(home, settings), key_prefix(home, settings), list(part.include))
    for module in part.include:
        import_module(module)  # their handlers of `worker_process_init` must come before ours
    run, started = (serve, signals.worker_process_init) if part.queues else (beat, signals.beat_init)
    started.connect(lambda **_: say_ready(home, part.name), weak=False)
    run(app, part)


if __name__ == "__main__":
    try:
        main(sys.argv[-1])
    except MemoError as error:
        sys.exit(str(error))
