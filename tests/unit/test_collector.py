"""A source that fails or ends is run again, after a pause that grows only while it gets nowhere."""

import json
import select
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from collector.collector import BACK_OFF_S, keep_running
from collector.intake import Intake
from collector.states import States
from db.engine import open_store
from memo.paths import Home
from memo.protocols import Batch, Stop
from memo.settings import Settings

FIRST, LONGEST = BACK_OFF_S
LASTS = 1000.0


class Clock(Stop):
    """Time that passes only in runs and pauses; also the flag that stops after the last run."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        self.now += timeout
        return self.is_set()


class Source:
    """Runs so long each time, then ends or fails."""

    name = "scripted"

    def __init__(self, clock: Clock, runs: list[float], fails: bool) -> None:
        self.watching = threading.Event()
        self.lacks: list[str] = []
        self._clock, self._runs, self._fails = clock, runs, fails

    def missing(self) -> str:
        return self.lacks.pop(0) if self.lacks else ""

    def run(
        self,
        emit: Callable[[Batch], None],
        cursor: Callable[[str], dict[str, Any] | None],
        stop: Stop,
    ) -> None:
        self._clock.now += self._runs.pop(0)
        if not self._runs:
            stop.set()
        if self._fails:
            raise ConnectionError("away")


@pytest.mark.parametrize("fails", [True, False], ids=["fails", "ends"])
def test_the_pause_grows_and_begins_anew_after_a_long_run(
    fails: bool, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    store = open_store(Settings(), home)
    intake = Intake(store, Settings(), home, lambda scope: None)
    keep_running(Source(clock, [0.0] * 8 + [LASTS, 0.0, 0.0], fails), intake, States(home), clock)
    growing = [min(FIRST * 2**times, LONGEST) for times in range(8)]
    assert clock.pauses[:-1] == [*growing, FIRST, 2 * FIRST]
    store.close()


class Waiting(Source):
    """Notes what is said of it while it runs."""

    home: Home
    said: list[dict[str, Any]]

    def run(
        self,
        emit: Callable[[Batch], None],
        cursor: Callable[[str], dict[str, Any] | None],
        stop: Stop,
    ) -> None:
        self.said.append(json.loads(self.home.sources.read_text())["scripted"])
        super().run(emit, cursor, stop)


def test_each_state_of_a_source_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, store = Clock(), open_store(Settings(), home)
    source = Waiting(clock, [0.0, 0.0], fails=True)
    source.home, source.said, source.lacks = home, [], ["no screen; start one"]
    states = States(home)
    heard: list[Any] = []
    put = states.put

    def listen(*given: Any) -> None:
        heard.append(given)
        put(*given)

    monkeypatch.setattr(states, "put", listen)
    keep_running(source, Intake(store, Settings(), home, lambda scope: None), states, clock)
    store.close()
    assert [state for _, state, *_ in heard] == ["missing", "watching", "failed", "watching"]
    assert heard[0][2] == "no screen; start one" and heard[2][2] == "ConnectionError: away"
    assert [said["failures"] for said in source.said] == [0, 1]


def test_whoever_waits_for_a_descriptor_is_woken_by_stop() -> None:
    stop = Stop()
    assert select.select([stop], [], [], 0) == ([], [], [])
    stop.set()
    stop.set()
    assert select.select([stop], [], [], 0) == ([stop], [], [])
