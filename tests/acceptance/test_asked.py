"""A question, its answer and what follows, through the real stack with a stand-in for the desktop's notifications."""

import json
import os
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

import psutil
import pytest
from handling import entry, program
from notified import Server, serving
from session_bus import Bus
from stack import Stack, new_stack
from waiting import until


@pytest.fixture
def server() -> Iterator[Server]:
    bus = Bus()
    made = Server(bus.address)
    with serving(made):
        yield made
    bus.end()


@pytest.fixture
def stack(tmp_path: Path, server: Server) -> Iterator[Stack]:
    """A stack that is not started, with one installed app that `ask` may ask about."""
    for name in ("share/applications", "bin"):
        (tmp_path / name).mkdir(parents=True)
    program(tmp_path)
    entry(tmp_path, Exec="notes --new %U")
    with new_stack() as made:
        made.settings |= {
            "DBUS_SESSION_BUS_ADDRESS": server.address,
            "XDG_DATA_HOME": str(tmp_path / "share"),
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "MEMO_DISPATCH__ON": json.dumps(["ask"]),
            "MEMO_DISPATCH__UPCOMING": json.dumps({"process_start": ["ask"]}),
        }
        yield made


def habit(count: int, start: str) -> list[str]:
    """Lines of rounds of five minutes: the app starts, and two minutes later a site is visited."""
    at = [datetime.fromisoformat(start) + timedelta(minutes=5 * n) for n in range(count)]
    rounds = ((f"{one} - Started app: notes", f"{one + timedelta(minutes=2)} - Visited site a.example") for one in at)
    return list(chain.from_iterable(rounds))


def test_two_handlers_show_one_box_and_yes_starts_the_app(stack: Stack, server: Server, tmp_path: Path) -> None:
    server.presses = "yes"
    stack.settings |= {
        "MEMO_DISPATCH__ON": json.dumps(["notify", "ask"]),
        "MEMO_DISPATCH__UPCOMING": json.dumps({"process_start": ["notify", "ask"]}),
    }
    stack.ok("up")
    for line in habit(12, "2026-03-02 09:00:00"):
        stack.predict([line])
    until("an answer", lambda: stack.one("SELECT count(*) FROM feedback"))
    until(
        "the other one",
        lambda: stack.one("SELECT count(*) FROM dispatches WHERE detail LIKE 'one box: ask showed a box%'"),
    )
    report = tmp_path / "report"
    until("the app", report.exists)
    started = psutil.Process(json.loads(report.read_text())["pid"])
    stack.ok("feedback", "last", "never")
    stack.ok("down")
    assert started.is_running(), "it outlives MEMO"
    os.kill(started.pid, signal.SIGKILL)
    assert [body[3] for body in server.shown] == ["MEMO: open it now?"]
    assert stack.sql("SELECT handler FROM dispatches WHERE status = 'done'") == [("ask",)]
    said = stack.sql("SELECT answer, action ->> 'target' FROM feedback ORDER BY id")
    assert said == [("yes", "notes"), ("never", "notes")]


def test_never_is_a_rule(stack: Stack, server: Server, tmp_path: Path) -> None:
    server.presses = "never"
    stack.settings |= {"MEMO_DISPATCH__COOLDOWN_S": "0", "MEMO_DISPATCH__MINIMUM_PROBABILITY": "0.01"}
    stack.ok("up")
    for line in habit(12, "2026-03-02 09:00:00"):
        stack.predict([line])
    until("an answer", lambda: stack.one("SELECT count(*) FROM feedback"))
    for line in habit(1, "2026-03-02 12:00:00"):
        stack.predict([line])
    until("a refusal", lambda: stack.one("SELECT count(*) FROM dispatches WHERE detail LIKE 'refused%'"))
    assert len(server.shown) == 1 and not (tmp_path / "report").exists()


@pytest.mark.parametrize("handler", ["ask", "launch_app"])
def test_an_app_that_runs_already_costs_no_attempt(stack: Stack, server: Server, tmp_path: Path, handler: str) -> None:
    server.presses = "yes"
    stack.settings |= {
        "MEMO_DISPATCH__ON": json.dumps([handler]),
        "MEMO_DISPATCH__UPCOMING": json.dumps({"process_start": [handler]}),
        "MEMO_DISPATCH__COOLDOWN_S": "0",
        "MEMO_LAUNCH__APPS": json.dumps(["notes"]),
    }
    report = tmp_path / "report"
    running = stack.start(tmp_path / "bin/notes")
    until("it runs", report.exists)
    report.unlink()
    stack.ok("up")
    for line in habit(12, "2026-03-02 09:00:00"):
        stack.predict([line])
    idle = "SELECT count(*) FROM dispatches WHERE handler = '{}' AND detail = 'nothing to do: the app runs already'"
    until("it has nothing to do", lambda: stack.one(idle.format(handler)))
    [figures] = [one for one in json.loads(stack.ok("handlers", "--json")) if one["name"] == handler]
    assert (figures["goes"], figures["hits"], server.shown) == (0, 0, [])
    running.kill()
    for line in habit(6, "2026-03-02 12:00:00"):
        stack.predict([line])
    until("it starts the app in the same hour", report.exists)
    assert len(server.shown) == (handler == "ask")
    os.kill(json.loads(report.read_text())["pid"], signal.SIGKILL)
