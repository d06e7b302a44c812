"""Turns of those who write."""

import fcntl
import os
import time
from pathlib import Path
from threading import Event, Thread

from db.turns import Turns

LONG_S = 30.0


def is_waited_for(folder: Path) -> bool:
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(opened)
    return False


def test_nobody_is_waited_for_where_nobody_waits(tmp_path: Path) -> None:
    turns = Turns(tmp_path)
    with turns.take():
        turns.give_way(LONG_S)


def test_way_is_given_to_who_waits_in_another_process(tmp_path: Path) -> None:
    here, there, gone = Turns(tmp_path), Turns(tmp_path), Event()

    def give_way() -> None:
        here.give_way(LONG_S)
        gone.set()

    with there.waiting():
        giving = Thread(target=give_way)
        giving.start()
        here.give_way(longest_s=0)  # returns
        assert not gone.is_set()
    giving.join(LONG_S)
    assert gone.is_set()


def test_way_is_given_to_another_thread(tmp_path: Path) -> None:
    turns, order = Turns(tmp_path), list[str]()

    def write() -> None:
        with turns.take():
            order.append("another")

    another = Thread(target=write)
    with turns.take():
        another.start()
        while not is_waited_for(tmp_path):
            time.sleep(0.001)
    turns.give_way(LONG_S)
    with turns.take():
        order.append("long work")
    another.join(LONG_S)
    assert order == ["another", "long work"]


def test_turns_are_taken_without_the_folder(tmp_path: Path) -> None:
    turns = Turns(tmp_path / "missing")
    with turns.take(), turns.waiting():
        turns.give_way(LONG_S)
