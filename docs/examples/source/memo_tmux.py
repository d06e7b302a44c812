"""An example source: it follows the window of tmux that is in use."""

import shutil
import subprocess
from datetime import datetime
from threading import Event as Flag

from memo.protocols import Batch, Emit, Event, FindCursor, Home, Operation, Settings, Source, Stop

EVERY_S = 2.0  # between two looks
ANSWER_S = 5.0  # for tmux to answer


class TmuxSource(Source):
    """Runs in a thread of the collector; an exception is logged, and the source is started again later."""

    name = "tmux"

    def __init__(self, settings: Settings, home: Home) -> None:
        self._zone = settings.zone
        self.watching = Flag()

    def missing(self) -> str:
        """Return that tmux is missing, and the remedy, as `memo sources` shows it; empty if it is installed."""
        return "" if shutil.which("tmux") else "tmux is not installed; install it."

    def run(self, emit: Emit, cursor: FindCursor, stop: Stop) -> None:
        """Emit the focus on a window whenever another one is in use; privacy rules are applied to what is emitted."""
        before = ""
        self.watching.set()
        while not stop.is_set():
            window = _find_window()
            if window and window != before:
                event = Event(datetime.now(self._zone), Operation.WINDOW_FOCUS, window, app="tmux")
                emit(Batch([event], self.name, {}))
            before = window
            stop.wait(EVERY_S)


def _find_window() -> str:
    """Return the name of the window in use; empty if tmux does not run."""
    command = ["tmux", "display-message", "-p", "#W"]
    return subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S).stdout.strip()
