"""A person at a desktop, in front of the real stack: the store holds what they did, in order, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from stack import Stack, desktop_stack
from waiting import until
from xserver import Desktop, new_desktop

USED = "SELECT target FROM events WHERE operation = 'app_usage' ORDER BY seq"
SEEN = "SELECT target, app FROM events WHERE operation = 'window_focus' ORDER BY seq"


@pytest.fixture
def desktop() -> Iterator[Desktop]:
    with new_desktop() as made:
        yield made


@pytest.fixture
def stack(desktop: Desktop, tmp_path: Path) -> Iterator[Stack]:
    """The stack on that desktop, on which two apps are installed."""
    apps = ("org.example.terminal", "xterm", "XTerm"), ("board", "wish", "Wish")
    with desktop_stack(desktop.display, tmp_path, apps) as made:
        yield made


def seen(stack: Stack, title: str, count: int = 1) -> None:
    """Wait until a title is stored this many times."""
    until(title, lambda: [told for told, _ in stack.sql(SEEN)].count(title) >= count)


def test_store_holds_acts_in_order_with_the_right_apps(desktop: Desktop, stack: Stack) -> None:
    desktop.terminal("Letters")
    seen(stack, "Letters")
    desktop.panel("Board")
    seen(stack, "Board")
    letters, board = desktop.window("Letters"), desktop.window("Board")
    for turn in range(1, 4):
        desktop.focus(letters)
        seen(stack, "Letters", turn + 1)
        desktop.focus(board)
        seen(stack, "Board", turn + 1)
    desktop.person("set_window", "--name", "Plan", board)
    seen(stack, "Plan")
    desktop.focus(letters)
    seen(stack, "Letters", 5)
    round_trip = [("Letters", "org.example.terminal"), ("Board", "board")]
    assert stack.sql(SEEN) == [*round_trip * 4, ("Plan", "board"), ("Letters", "org.example.terminal")]
    assert stack.ok("down")
    used = [app for (app,) in stack.sql(USED)]
    assert "board" in used and set(used) <= {"board", "org.example.terminal"}
    operations = {operation for (operation,) in stack.sql("SELECT DISTINCT operation FROM events")}
    assert operations == {"window_focus", "app_usage"}


def test_source_reports_its_state_and_returns_with_its_server(desktop: Desktop, stack: Stack) -> None:
    def state() -> str:
        return str(stack.status()["sources"]["x11"]["state"])

    assert state() == "watching"
    desktop.server.kill()
    desktop.server.wait()
    until("that it lacks a server", lambda: state() == "missing")
    desktop.serve_again()
    desktop.manage()
    desktop.terminal("Again")
    seen(stack, "Again")
    assert state() == "watching"
