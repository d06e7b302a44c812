"""One owner per home: who starts is alone from the first line on, and what a supervisor started ends with it."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC

import pytest
from sqlalchemy import select
from stack import MEMO, Stack, lines, new_stack
from stopping import family, is_alive
from waiting import WAIT_S, until

from collector.intake import Intake
from db.engine import Store
from db.intake.cursors import CursorMovedError
from db.models import EventRow
from memo.core.errors import MemoError
from memo.core.events import Event
from memo.core.grammar import parse
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.protocols import Batch, Past
from memo.stack import running

DAYS = iter([f"2026-03-{day:02} 09:00:00" for day in range(1, 29)])  # no two tests may append the same line


@pytest.fixture
def up() -> Iterator[Stack]:
    """A stack that runs."""
    with new_stack() as made:
        made.run()
        yield made


def test_stopped_parts_end_with_their_killed_supervisor(up: Stack) -> None:
    before = running.state(up.home)
    orphans = [pid for part in before["parts"] for pid in family(part["pid"])]
    for pid in orphans:
        os.kill(pid, signal.SIGSTOP)
    os.kill(before["pid"], signal.SIGKILL)
    until("all parts are gone", lambda: not any(map(is_alive, orphans)))
    up.until_gone()
    number = up.one("SELECT count(*) FROM events")
    up.append(lines(50, next(DAYS)))
    up.ok("up")
    up.until_stored(number + 50)
    up.until_predicted()
    assert up.one("SELECT count(*) FROM events") == number + 50
    up.ok("down")
    assert up.processes() == []


def test_ups_at_once_start_one_stack_that_predicts() -> None:
    with new_stack() as stack:
        started = [stack.start(MEMO, "up") for _ in range(4)]
        said = [process.communicate(timeout=WAIT_S)[0] for process in started]
        assert sorted(process.returncode for process in started) == [0, 1, 1, 1], said
        pid, [first] = running.holder(stack.home), [one.pid for one in started if not one.returncode]
        refusals = [f"MEMO is already running (process {one}); `memo down` stops it.\n" for one in (pid, first)]
        for process, words in zip(started, said, strict=True):
            if process.returncode:
                assert words in refusals, "it names the command that starts MEMO if that takes long"
            else:
                assert f"MEMO runs (process {pid})" in words
        stack.predict(lines(5, "2026-03-02 09:00:00"))


def test_up_beside_a_start_names_its_process_once_known(home: Home) -> None:
    with running.hold(home, running.STARTING) as lock:
        began = time.monotonic()
        while time.monotonic() - began < 0.2:
            assert running.holder(home) == os.getpid()
        lock.write()
        with pytest.raises(MemoError, match=rf"^MEMO is already running \(process {os.getpid()}\)"), running.hold(home):
            pass
    assert os.listdir(home.run) == []


def test_up_beside_a_start_changes_nothing(home: Home) -> None:
    with running.hold(home):
        done = Stack(home).memo("up")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"(process {os.getpid()})" in done.stderr
        assert os.listdir(home.run) == ["lock"] and os.listdir(home.logs) == []
        assert not home.config.exists() and not (home.root / "memo.db").exists()


# Two readers of one source, as a stopped process and its successor are.


def intake(store: Store, home: Home) -> Intake:
    return Intake(store, Settings(scope="ada@host"), home, lambda scope: None)


def some_events(count: int) -> list[Event]:
    return [parse(line, UTC) for line in lines(count, "2026-03-02 09:00:00")]


def stored(store: Store) -> int:
    with store.read() as session:
        return len(session.scalars(select(EventRow.id)).all())


@pytest.mark.parametrize("key", ["1:1", "firefox /home/ada", "http://localhost:5600"])
def test_second_readers_batch_is_dropped_not_doubled(store: Store, home: Home, key: str) -> None:
    first, second = intake(store, home), intake(store, home)
    batch = Batch(some_events(3), key, {"offset": 3})
    assert first.cursor("any", key) is second.cursor("any", key) is None
    assert second.store_batches("any", batch) == 3
    with pytest.raises(CursorMovedError, match="continues after that"):
        first.store_batches("any", batch)
    assert stored(store) == 3
    assert first.cursor("any", key) == {"offset": 3}
    assert first.store_batches("any", Batch(some_events(2), key, {"offset": 5})) == 2
    with pytest.raises(CursorMovedError):
        second.store_batches("any", Batch(some_events(2), key, {"offset": 5}))
    assert stored(store) == 5


def test_second_readers_past_moves_no_cursor(store: Store, home: Home) -> None:
    first, second = intake(store, home), intake(store, home)
    assert first.cursor("web", "p") is second.cursor("web", "p") is None
    second.store_past("web", Past(some_events(4), "p", {"latest": 4}))
    with pytest.raises(CursorMovedError):
        first.store_past("web", Past(some_events(3), "p", {"latest": 3}))
    assert (stored(store), second.cursor("web", "p")) == (4, {"latest": 4})


def test_source_without_a_cursor_is_never_refused(store: Store, home: Home) -> None:
    first, second = intake(store, home), intake(store, home)
    for number, event in enumerate(some_events(4)):
        assert (first, second)[number % 2].store_batches("x11", Batch([event], "x11", {})) == 1
    assert stored(store) == 4


HANGING = """
import threading, time
from collector import collector
class Hanging:
    name, watching = "hanging", threading.Event()
    def missing(self): return ""
    def run(self, emit, cursor, stop):
        self.watching.set()
        threading.Event().wait()
collector.make_source = lambda *given: Hanging()
collector.main("collector")
"""


def test_collector_whose_source_hangs_ends_at_sigterm() -> None:
    with new_stack() as stack:
        stack.home.logs.mkdir()
        process = stack.start(sys.executable, "-c", HANGING)
        until("it is ready", (stack.home.run / "collector.ready").exists)
        process.terminate()
        assert process.wait(WAIT_S) == 1
        assert "source_hangs" in (stack.home.logs / "collector.log").read_text()
