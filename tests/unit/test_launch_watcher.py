"""The launch watcher's queue, which the threads of all sources fill."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from collector.launch.watcher import UNSEEN_S, Launches
from db.engine import open_store
from memo.core.events import Event, Operation
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Stop


class StopAfterOneRound(Stop):
    """Readable at once, so that the watcher does not block, but set only after its first round."""

    def __init__(self) -> None:
        super().__init__()
        self._checks = 0
        self.set()

    def is_set(self) -> bool:
        self._checks += 1
        return self._checks > 1  # after the start of the first round


def test_watcher_woken_between_enqueue_and_wake_up_goes_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, apps = Settings(), list[str]()
    store = open_store(settings, home)
    launches = Launches(store, settings)
    monkeypatch.setattr(launches, "look", lambda started, stop: apps.append(started.target))
    at, program = datetime.now(UTC) - timedelta(seconds=UNSEEN_S), "/opt/editor"
    started = Event(at, Operation.PROCESS_START, "editor", scope=settings.scope, source="processes", executable=program)
    with monkeypatch.context() as patch:
        patch.setattr(os, "eventfd_write", lambda *_: None)  # as if the source's thread were preempted before it
        launches.saw([started])
    launches.run(StopAfterOneRound())
    assert apps == ["editor"]
    store.close()
