"""A source that fails or ends is run again, after a pause that grows only while it gets nowhere."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from collector.collector import BACK_OFF_S, keep_running
from collector.intake import Intake
from db.engine import open_store
from memo.paths import Home
from memo.protocols import Batch
from memo.settings import Settings

FIRST, LONGEST = BACK_OFF_S
LASTS = 1000.0


class Clock(threading.Event):
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
        self._clock, self._runs, self._fails = clock, runs, fails

    def run(
        self,
        emit: Callable[[Batch], None],
        cursor: Callable[[str], dict[str, Any] | None],
        stop: threading.Event,
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
    keep_running(Source(clock, [0.0] * 8 + [LASTS, 0.0, 0.0], fails), intake, clock)
    growing = [min(FIRST * 2**times, LONGEST) for times in range(8)]
    assert clock.pauses[:-1] == [*growing, FIRST, 2 * FIRST]
    store.close()
