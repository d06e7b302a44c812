"""A training gives way to the person: its process ends, at whatever point, and another one goes on later."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from threading import Event, Thread

from db.engine import Store, StoreError
from db.upkeep import runs
from db.upkeep.retrain import find_reason_to_stop
from memo.core.logs import get_logger
from memo.core.paths import Home
from memo.core.settings import ScheduleSettings
from memo.desktop.machine import Machine

LOOK_S = 0.5  # between two looks
LIMIT_S = 3600.0  # longest time of a process

log = get_logger("training")


@contextmanager
def giving_way(store: Store, home: Home, schedule: ScheduleSettings) -> Iterator[None]:
    """While the context lasts, end this process once it is in somebody's way or has worked for too long."""
    done = Event()
    thread = Thread(target=_watch, args=(store, home, schedule, done), name="give way")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _watch(store: Store, home: Home, schedule: ScheduleSettings, done: Event) -> None:
    machine, until = Machine(), time.monotonic() + LIMIT_S
    while not done.wait(LOOK_S):
        with suppress(StoreError):  # the thread that trains reports it
            if time.monotonic() > until:
                with store.write() as session:
                    runs.record_interrupted_failed(session, f"it took longer than {LIMIT_S / 60:.0f} minutes")
                os._exit(1)
            with store.read() as session:
                reason = find_reason_to_stop(session, home, schedule, datetime.now(UTC), machine)
            if reason:
                log.info("run_gives_way", until=reason)
                with store.write() as session:
                    runs.record_interrupted_queued(session)
                os._exit(0)
