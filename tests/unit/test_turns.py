"""Turns of those who write."""

import fcntl
import os
from pathlib import Path
from threading import Event, Thread

import pytest
from waiting import WAIT_S, until

from db.turns import Turns


def is_waited_for(folder: Path) -> bool:
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False


class Clock:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_nobody_is_waited_for_where_nobody_waits(tmp_path: Path) -> None:
    turns = Turns(tmp_path, WAIT_S)
    with turns.take():
        turns.give_way()


def test_way_is_given_to_who_waits_in_another_process(tmp_path: Path) -> None:
    here, there, gone = Turns(tmp_path, WAIT_S), Turns(tmp_path), Event()

    def give_way() -> None:
        here.give_way()
        gone.set()

    with there.waiting():
        giving = Thread(target=give_way)
        giving.start()
        Turns(tmp_path, longest_s=0).give_way()  # returns
        assert not gone.is_set()
    giving.join(WAIT_S)
    assert gone.is_set()


def test_way_is_given_to_another_thread(tmp_path: Path) -> None:
    turns, order = Turns(tmp_path, WAIT_S), list[str]()

    def write() -> None:
        with turns.take():
            order.append("another")

    another = Thread(target=write)
    with turns.take():
        another.start()
        until("the other one waits", lambda: is_waited_for(tmp_path))
    turns.give_way()
    with turns.take():
        order.append("long work")
    another.join(WAIT_S)
    assert order == ["another", "long work"]


def test_who_never_writes_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def give_way() -> float:
        before = clock.now
        turns.give_way()
        return clock.now - before

    clock, turns = Clock(), Turns(tmp_path, longest_s=0.5)
    monkeypatch.setattr("db.turns.time", clock)
    with Turns(tmp_path).waiting():
        assert [give_way() > 0 for _ in range(3)] == [True, False, False]
    give_way()
    with Turns(tmp_path).waiting():
        assert give_way() > 0, "somebody else"


def test_who_stands_still_while_looking_stops_nobody(tmp_path: Path) -> None:
    stopped = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(stopped, fcntl.LOCK_EX)
    try:
        with Turns(tmp_path).take():
            pass
    finally:
        os.close(stopped)


def test_who_begins_to_wait_while_another_one_looks_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_EX)
    monkeypatch.setattr("db.turns.time.sleep", lambda seconds: fcntl.flock(looking, fcntl.LOCK_UN))
    try:
        with Turns(tmp_path).waiting():
            assert is_waited_for(tmp_path)
    finally:
        os.close(looking)


def test_turns_are_taken_without_the_folder(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "missing", WAIT_S)
    with turns.take(), turns.waiting():
        turns.give_way()
