"""The real stack after a power failure that damaged its files: it says so, and goes on once they are repaired."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from disks import PAGE, overwrite_pages
from stack import Stack, lines, new_stack
from waiting import WAIT_S, until

from db.upkeep import jobs
from memo.stack import running
from memo.store.damage import find_backups

NOTICE = "The broker's files were damaged, so its queue began empty; nothing is lost."


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with some predictions; each test leaves it running."""
    with new_stack() as made:
        made.ok("up")
        made.predict(lines(60, "2026-03-02 09:00"))
        yield made


def until_backed_up(stack: Stack) -> None:
    """Wait for a backup; one that is made while a forget goes on has its mark, and another one follows."""
    until("a backup", lambda: any(map(is_without_mark, find_backups(stack.home.backups)[:1])))


def is_without_mark(backup: Path) -> bool:
    with closing(sqlite3.connect(f"{backup.as_uri()}?mode=ro", uri=True)) as store:
        return not store.execute("SELECT 1 FROM jobs WHERE name LIKE ?", (f"{jobs.UNFINISHED}%",)).fetchall()


def kill(stack: Stack) -> None:
    parts = stack.processes()
    os.kill(running.state(stack.home)["pid"], signal.SIGKILL)
    psutil.wait_procs(parts, WAIT_S)  # one that has just ended may still hold the store


def cut_in_half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 // PAGE * PAGE)


def test_damaged_store_is_refused_and_restored(stack: Stack) -> None:
    file = stack.home.root / "memo.db"
    stack.ok("forget", "--text", "App6", "--yes")  # a new backup is due
    until_backed_up(stack)
    kill(stack)
    stored = stack.one("SELECT count(*) FROM events")  # SQLite's log is written back, so it hides no damage
    overwrite_pages(file)
    damaged = file.read_bytes()
    for command, status in (("up", 2), ("doctor", 1)):  # 2: a service manager does not start it again
        done = stack.memo(command)
        assert done.returncode == status
        assert f"{file} is damaged (" in done.stdout + done.stderr
        assert "`memo restore`" in done.stdout + done.stderr
    assert file.read_bytes() == damaged
    said = stack.ok("restore", "--yes")
    assert f"{stored} events" in said
    assert damaged in [path.read_bytes() for path in stack.home.damaged.glob("*/memo.db")]
    stack.ok("up")
    assert stack.one("SELECT count(*) FROM events") == stored
    stack.predict(lines(3, "2026-03-03 09:00"))
    stack.ok("doctor")


def test_damage_of_the_broker_and_then_of_a_store_in_use(stack: Stack) -> None:
    damage_the_broker(stack)
    damage_the_store_in_use(stack)


def damage_the_broker(stack: Stack) -> None:
    """It begins empty, and nothing is lost."""
    stored = stack.one("SELECT count(*) FROM events") + 1
    stack.append(lines(1, "2026-03-04 09:00"))  # its prediction may be under way
    stack.until_stored(stored)
    kill(stack)
    (log,) = stack.home.broker.glob("appendonlydir/*.incr.aof")
    with log.open("ab") as file:
        file.write(bytes(PAGE))
    assert NOTICE in stack.ok("up")
    stack.until_predicted()
    assert stack.one("SELECT count(*) FROM events") == stored
    assert bytes(PAGE) in next(stack.home.damaged.glob("*/broker/appendonlydir/*.incr.aof")).read_bytes()
    assert NOTICE in stack.status()["notices"][0] and NOTICE in stack.ok("doctor")
    assert (stack.home.logs / "supervisor.log").read_text().count("broker_damaged") == 1
    assert stack.part("broker")["restarts"] == 1
    stack.predict(lines(3, "2026-03-04 10:00"))


def damage_the_store_in_use(stack: Stack) -> None:
    """The stack ends and writes nothing more to it; once it is restored, the next start says nothing of the broker."""
    stack.predict(lines(60, "2026-03-05 09:00"))
    stack.ok("forget", "--text", "App5", "--yes")  # a new backup is due
    until_backed_up(stack)
    file = stack.home.root / "memo.db"
    with closing(sqlite3.connect(file)) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # what the log holds hides damage below it
    cut_in_half(file)
    damaged = file.read_bytes()
    assert "is damaged (" in stack.memo("doctor").stdout
    stack.until_gone()
    said = stack.memo("status")
    assert "is damaged (" in said.stdout + said.stderr
    for command in ("history", "export", "sources", "handlers"):
        stack.memo(command)
    assert "`memo restore`" in stack.memo("up").stderr
    stack.ok("restore", "--yes")
    assert damaged in [path.read_bytes() for path in stack.home.damaged.glob("*/memo.db")], "nothing was written to it"
    assert NOTICE not in stack.ok("up")
    stack.predict(lines(3, "2026-03-05 11:00"))
