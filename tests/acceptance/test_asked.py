"""A question, its answer and what follows, through the real stack with a stand-in for the desktop's notifications."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from handling import entry, program
from notified import Server, serving
from session_bus import Bus
from stack import Stack, lines, new_stack
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
    """With one app installed, about which may be asked."""
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
            "MEMO_DISPATCH__ROUTES": json.dumps({"process_start": ["ask"]}),
        }
        made.ok("up")
        yield made


@pytest.mark.timeout(180)
def test_yes_starts_the_app_and_is_feedback(stack: Stack, server: Server, tmp_path: Path) -> None:
    server.presses = "yes"
    for line in lines(12, "2026-03-02 09:00:00", "notes"):
        stack.predict([line])
    until("an answer", lambda: stack.one("SELECT count(*) FROM feedback"))
    report = tmp_path / "report"
    until("the app", report.exists)
    started = psutil.Process(json.loads(report.read_text())["pid"])
    stack.ok("down")
    assert started.is_running(), "it outlives MEMO"
    os.kill(started.pid, signal.SIGKILL)
    assert stack.sql("SELECT answer FROM feedback") == [("yes",)] and len(server.shown) == 1
    assert stack.sql("SELECT handler FROM dispatches WHERE status = 'done'") == [("ask",)]


@pytest.mark.timeout(180)
def test_never_is_a_rule(stack: Stack, server: Server, tmp_path: Path) -> None:
    server.presses = "never"
    stack.settings["MEMO_DISPATCH__COOLDOWN_S"] = "0"
    stack.ok("down")
    stack.ok("up")
    for line in lines(12, "2026-03-02 09:00:00", "notes"):
        stack.predict([line])
    until("an answer", lambda: stack.one("SELECT count(*) FROM feedback"))
    stack.predict(lines(1, "2026-03-02 10:00:00", "notes"))
    until("a refusal", lambda: stack.one("SELECT count(*) FROM dispatches WHERE detail LIKE 'refused%'"))
    assert len(server.shown) == 1 and not (tmp_path / "report").exists()
