"""The pace of long work."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest

from db import pace
from db.pace import BatchPace


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(pace, "time", self)

    def perf_counter(self) -> float:
        return self.now


class FakeStore:
    connection = staticmethod(lambda: None)

    def __init__(self) -> None:
        self.done = list[str]()

    def give_way(self) -> None:
        self.done.append("give way")

    @contextmanager
    def write(self) -> Iterator["FakeStore"]:
        self.done.append("write")
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


def test_way_is_given_before_each_batch() -> None:
    store, paced = FakeStore(), BatchPace()
    for _ in range(2):
        with paced.write(cast(Any, store)):
            pass
    assert store.done == ["give way", "write"] * 2
