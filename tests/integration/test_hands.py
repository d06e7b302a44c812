"""Handlers in processes of their own: whatever one of them does, the others act, and it is started again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from dispatching import dispatching, install, opened_store, predict, rows, under, went
from structlog.testing import capture_logs
from waiting import until

from db.dispatch import dispatches
from memo.core.events import Operation
from memo.core.paths import Home
from worker.dispatch.job_thread import LENGTH
from worker.resources import Resources

CODE = '''
import json, os, sys, time
from memo.protocols import Cost, Handler

class Double(Handler):
    """What it is asked to do stands in the target."""

    name = "double"
    limit_s = 20.0

    def __init__(self, settings, home):
        self.folder = home.root

    def handle(self, candidate, context):
        word = candidate.action.target
        if word == "sleep":
            time.sleep(60)
        if word == "crash":
            os._exit(3)
        if word == "raise":
            raise ValueError("a\\x00b \\ud800 went wrong")
        if word == "print":
            print("rubbish", flush=True)
            os.write(1, b"more\\n" * 2_000_000)
            print("err", file=sys.stderr, flush=True)
        if word == "read":
            return {"read": sys.stdin.read()}
        if word == "huge":
            return {"x": "x" * 10_000_000}
        if word == "odd":
            return {"x": float("nan")}
        if word == "none":
            return None
        if word == "costly":
            return {"ms": 12.5, "read_bytes": 7_000_000, "x": "\\ud800"}
        return {"pid": os.getpid(), "word": word, "until": context.until.isoformat()}

    def expire(self, result):
        with open(self.folder / "expired.jsonl", "a") as file:
            file.write(json.dumps(result) + "\\n")

class Hasty(Double):
    name = "hasty"
    limit_s = 0.5

class Broken(Double):
    name = "broken"
    def __init__(self, settings, home):
        if "worker.dispatch.handler_main" in " ".join(sys.orig_argv):
            raise RuntimeError("no library")

class Slow(Double):
    name = "slow"
    def accepts(self, action):
        time.sleep(60)
'''


@pytest.fixture
def opened(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Resources]:
    names = {name: name.capitalize() for name in ("double", "hasty", "broken", "slow")}
    install(tmp_path, monkeypatch, "doubles", CODE, **names)
    with opened_store(home.database_url, home) as context:
        yield context


def test_a_slow_handler_acts_in_a_process_that_lives_on(opened: Resources) -> None:
    with dispatching(under(opened, "double")) as dispatcher:
        for word in ("one", "two"):
            dispatcher.dispatch(predict(opened, word))
            dispatcher.join()
        first, second = rows(opened)
        assert first.status == second.status == "done"
        assert first.result and second.result
        assert first.result["pid"] == second.result["pid"] == dispatcher.queues["double"].process.pid != os.getpid()
        assert first.result["word"] == "one" and first.until
        assert first.result["until"] == first.until.isoformat()
    assert not psutil.pid_exists(first.result["pid"]), "it ends with the dispatcher"


@pytest.mark.parametrize(
    ("word", "detail"),
    [
        ("raise", "ValueError: a b   went wrong"),
        ("crash", "its process ended (status 3)"),
        ("huge", "ValueError: handle returned 10000009 characters of JSON, at most 65536 are kept"),
        ("odd", "ValueError: Out of range float values are not JSON compliant"),
        ("none", "TypeError: handle returned NoneType, not a dict"),
    ],
)
def test_a_failure_in_a_process_is_recorded_and_the_next_runs(opened: Resources, word: str, detail: str) -> None:
    with dispatching(under(opened, "double", "record")) as dispatcher, capture_logs() as logs:
        bad, good = predict(opened, word), predict(opened, "fine")
        for prediction in (bad, good):
            dispatcher.dispatch(prediction)
        dispatcher.join()
    by_handler = {row.handler: row for row in rows(opened, bad)}
    assert by_handler["double"].status == "failed"
    assert by_handler["double"].detail.startswith(detail)
    assert by_handler["record"].status == "done"
    assert sorted(went(opened, good)) == [("double", "done"), ("record", "done")]
    assert [(entry["handler"], entry["prediction"]) for entry in logs if entry["log_level"] == "error"] == [
        ("double", bad)
    ]


def test_a_handlers_output_is_discarded_and_its_input_empty(opened: Resources) -> None:
    with dispatching(under(opened, "double")) as dispatcher:
        for word in ("print", "read"):
            dispatcher.dispatch(predict(opened, word))
        dispatcher.join()
    printed, read = rows(opened)
    assert printed.result and printed.result["word"] == "print"
    assert read.result == {"read": ""}


def test_a_result_says_what_the_attempt_cost(opened: Resources) -> None:
    with dispatching(under(opened, "double")) as dispatcher:
        dispatcher.dispatch(predict(opened, "costly"))
        dispatcher.join()
    [row] = rows(opened)
    assert (row.cost_ms, row.read_bytes) == (12.5, 7_000_000)
    assert row.result and row.result["x"] == "\ud800"


def test_an_attempt_that_takes_too_long_is_killed(opened: Resources) -> None:
    with dispatching(under(opened, "hasty")) as dispatcher:
        dispatcher.dispatch(predict(opened, "fine"))
        dispatcher.join()
        pid = dispatcher.queues["hasty"].process.pid
        assert pid
        dispatcher.dispatch(predict(opened, "sleep"))
        dispatcher.join()
        assert not psutil.pid_exists(pid)
        dispatcher.dispatch(predict(opened, "again"))
    assert [(row.status, row.detail) for row in rows(opened)] == [
        ("done", ""),
        ("failed", "it took longer than 0.5 s"),
        ("done", ""),
    ]


def test_a_process_that_dies_backs_off_longer_each_time(opened: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    with dispatching(under(opened, "double"), back_off_s=(100.0, 1_000.0)) as dispatcher:
        for word in ("crash", "fine"):
            dispatcher.dispatch(predict(opened, word))
        dispatcher.join()
        process = dispatcher.queues["double"].process
        assert 0 < process.rest_s <= 100
        monkeypatch.setattr(process, "_again_at", time.monotonic())
        dispatcher.dispatch(predict(opened, "crash"))
        dispatcher.join()
        assert 100 < process.rest_s <= 200
    first, second, third = rows(opened)
    assert (first.status, second.status, third.status) == ("failed", "stopped", "failed")
    assert second.detail.startswith("back-off: its process died, another one is started in ")


def test_a_handler_that_cannot_start_says_why(opened: Resources) -> None:
    with dispatching(under(opened, "broken")) as dispatcher:
        dispatcher.dispatch(predict(opened))
    [row] = rows(opened)
    assert (row.status, row.detail) == ("failed", "RuntimeError: no library")


def test_a_process_ends_when_idle(opened: Resources) -> None:
    with dispatching(under(opened, "double"), idle_s=0.2) as dispatcher:
        dispatcher.dispatch(predict(opened, "one"))
        dispatcher.join()
        until("the process ends", lambda: dispatcher.queues["double"].process.pid is None)
        dispatcher.dispatch(predict(opened, "two"))
    one, two = rows(opened)
    assert one.result and two.result and one.result["pid"] != two.result["pid"]


def test_a_dry_handler_has_no_process(opened: Resources) -> None:
    with dispatching(under(opened, "double", on=[])) as dispatcher:
        dispatcher.dispatch(predict(opened, "crash"))
        dispatcher.join()
        assert dispatcher.queues["double"].process.pid is None
    assert went(opened) == [("double", "dry")]


def test_stopped_attempts_are_recorded_during_a_burst(opened: Resources) -> None:
    with dispatching(under(opened, "double", cooldown_s=3600)) as dispatcher:
        dispatcher.dispatch(predict(opened, "again"))
        dispatcher.join()

        def come_again() -> bool:
            dispatcher.dispatch(predict(opened, "again"))
            return len(rows(opened)) > 1

        until("the row of one that was stopped", come_again)
    assert {row.status for row in rows(opened)[1:]} == {"stopped"}


def test_expire_is_given_the_result(opened: Resources, home: Home) -> None:
    with dispatching(under(opened, "double")) as dispatcher:
        dispatcher.dispatch(predict(opened, "one"))
        dispatcher.join()
        [row] = rows(opened)
        assert row.result and dispatcher.queues["double"].expire(row.result)
    assert json.loads((home.root / "expired.jsonl").read_text()) == row.result


def test_a_handler_that_hangs_delays_no_other(opened: Resources) -> None:
    """Neither its attempts nor their results do; attempts that come while too many wait are recorded."""
    number = LENGTH + 5
    with dispatching(under(opened, "record", "hasty", "slow", cooldown_s=0)) as dispatcher:
        for nth in range(number):
            dispatcher.dispatch(predict(opened, f"app {nth}" if nth else "sleep"))
        recorded = [row for row in rows(opened) if row.handler == "record"]
        assert [row.status for row in recorded] == ["done"] * number, "all of them, while the others are stuck"
        overrun = [row for row in rows(opened) if row.handler == "slow"]
        assert {row.status for row in overrun} == {"overrun"} and len(overrun) == number - LENGTH - 1
        assert overrun[0].detail == f"{LENGTH} attempts wait before it"
        dispatcher.queues["hasty"].join()
        assert all(row.status in ("done", "failed", "overrun") for row in rows(opened) if row.handler == "hasty")
        del dispatcher.queues["slow"]  # its thread sleeps on, and ends with the process


def test_the_process_ends_with_its_dispatcher_however_that_dies(home: Home, opened: Resources) -> None:
    code = (
        "import os, signal, sys, threading\n"
        "from worker.dispatch.handler_process import HandlerProcess\n"
        "process = HandlerProcess('double')\n"
        "process._start()\n"
        "print(process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
    until("the handler's process ends", lambda: not psutil.pid_exists(pid))


def test_upcoming_routes_reach_a_process_too(opened: Resources) -> None:
    soon = under(opened, "double", routes={}, upcoming={Operation.PROCESS_START: ["double"]})
    with dispatching(soon) as dispatcher:
        dispatcher.dispatch(predict(opened, upcoming=[("soon", 0.8)]))
    [row] = rows(opened)
    assert row.status == dispatches.DONE and row.result and row.result["word"] == "soon"


def test_a_handler_turned_off_in_the_file_acts_no_more(opened: Resources, home: Home) -> None:
    routes = "[dispatch.routes]\nweb_visit = ['double']\n"
    with dispatching(under(opened, "double")) as dispatcher:
        dispatcher.dispatch(predict(opened, "a"))
        dispatcher.join()
        home.config.write_text(f"[dispatch]\non = []\n{routes}")
        dispatcher.dispatch(predict(opened, "b"))
        dispatcher.join()
        home.config.write_text(f"[dispatch]\non = ['double']\n{routes}")
        dispatcher.dispatch(predict(opened, "c"))
        dispatcher.join()
        done = ("double", dispatches.DONE)
        assert went(opened) == [done, ("double", dispatches.DRY), done]


def test_attempts_that_wait_are_dropped_after_a_change(opened: Resources, home: Home) -> None:
    with dispatching(under(opened, "hasty")) as dispatcher:
        dispatcher.dispatch(predict(opened, "sleep"))
        until("the attempt", lambda: rows(opened))
        dispatcher.dispatch(predict(opened, "waits"))
        home.config.write_text("[dispatch]\non = []\n")
        dispatcher.join()
        assert went(opened) == [("hasty", dispatches.FAILED)]
