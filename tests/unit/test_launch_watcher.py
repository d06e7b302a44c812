"""The launch watcher's queue, which the threads of all sources fill."""

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from collector.launch.watcher import UNSEEN_S, Launches
from db.engine import open_store
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Stop

WAIT_S = 20.0


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "not seen in time"
        time.sleep(0.01)


def test_watcher_timeout_between_enqueue_and_wake_is_survived(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(app: str, ago_s: float) -> Event:
        at, scope = datetime.now(UTC) - timedelta(seconds=ago_s), settings.scope
        return Event(at, Operation.PROCESS_START, app, scope=scope, source="processes", executable=f"/opt/{app}")

    def look(started: Event, stop: Stop) -> None:
        apps.append(started.target)

    settings, apps, stop = Settings(), list[str](), Stop()
    store = open_store(settings, home)
    launches = Launches(store, settings, home)
    monkeypatch.setattr(launches, "look", look)
    thread = threading.Thread(target=launches.run, args=(stop,))
    thread.start()
    try:
        launches.saw([start("first", UNSEEN_S - 1.0)])
        with monkeypatch.context() as patch:
            patch.setattr(os, "eventfd_write", lambda *_: None)  # as if the source's thread were preempted before it
            launches.saw([start("second", UNSEEN_S)])
        until(lambda: apps == ["first", "second"])
    finally:
        stop.set()
        thread.join(WAIT_S)
    assert not thread.is_alive()
    store.close()
