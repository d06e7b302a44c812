"""The pace of long work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from db import pace
from db.pace import BatchPace


class Clock:
    """A clock that stands still until it is moved, and notes how long somebody slept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 100.0, list[float]()
        monkeypatch.setattr(pace, "time", self)

    def perf_counter(self) -> float:
        return self.now

    monotonic = perf_counter

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


class FakeStore:
    connection = staticmethod(lambda: None)

    @contextmanager
    def write(self) -> Iterator["FakeStore"]:
        yield self


def run(paced: BatchPace, clock: Clock, *seconds: float) -> list[int]:
    sizes = []
    for took in seconds:
        with paced.write(cast(Any, FakeStore())):
            clock.now += took
        sizes.append(paced.size)
    return sizes


def test_batches_grow_to_what_the_target_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert run(BatchPace(250), clock, 0.001, 0.001, 0.001) == [100, 200, 250]
    assert run(BatchPace(), clock, 0.001, 0.001, 0.08, 0.0201) == [100, 200, 100, 199]


def test_slow_transactions_do_not_stop_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    assert run(BatchPace(), clock, *[0.2] * 9) == [50] * 9, "what a transaction costs by itself shrinks no batch"
    assert run(BatchPace(2), clock, 60) == [2]


def test_pause_lasts_as_long_as_the_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    paced = BatchPace()
    run(paced, clock, 0.03, 0.04, 9)
    clock.now += 0.4  # the next rows are prepared meanwhile
    run(paced, clock, 0.01)
    assert clock.slept == [0, 0.03, 0.04, pytest.approx(0.1)]
