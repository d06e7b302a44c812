"""Whether a window fills the screen, asked of a real X server with a real window manager."""

import pytest
from conftest import needs_program
from watched import until
from xserver import new_desktop

from worker.machine import Machine


def test_a_window_that_fills_the_screen_is_seen_while_it_is_in_front(monkeypatch: pytest.MonkeyPatch) -> None:
    with new_desktop() as desktop:
        monkeypatch.setenv("DISPLAY", desktop.display)
        assert Machine().full_screen() is False
        desktop.panel("Board")
        board = desktop.window("Board")
        desktop.focus(board)
        assert Machine().full_screen() is False
        desktop.start(needs_program("wish"), given="wm title . {Film}; wm attributes . -fullscreen 1\n")
        desktop.focus(desktop.window("Film"))
        until("a window fills the screen", Machine().full_screen)
        desktop.focus(board)
        until("none does", lambda: not Machine().full_screen())
