"""What `memo watch` and the live view say when recording is paused, stopped, or goes on again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from memo.clock import pauses
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.display.text import describe
from memo.stack import running

POLL_S = 1.0


def recording_state(home: Home, settings: Settings) -> str:
    """Return why nothing is recorded and what to do; "" if MEMO records, or runs elsewhere with a broker of its own."""
    if pause := pauses.current(home):
        if not pause.ends:
            return describe("paused; `memo resume` ends it", settings.language)
        until = f"{pause.until.astimezone(settings.zone):%Y-%m-%d %H:%M:%S}"
        return describe("paused until {}; `memo resume` ends it", settings.language).format(until)
    if not settings.broker_url and running.holder(home) is None:
        return describe("stopped; `memo up` starts MEMO", settings.language)
    return ""


@contextmanager
def changes_told(home: Home, settings: Settings, tell: Callable[[str], None], poll_s: float = POLL_S) -> Iterator[None]:
    """Tell the state now, if nothing is recorded, and each change of it until the end."""
    ended = threading.Event()

    def run() -> None:
        last = ""
        while not ended.is_set():
            state = recording_state(home, settings)
            if state != last:
                try:
                    tell(state or describe("recording again", settings.language))
                except BrokenPipeError:  # nobody reads any more; the command ends with its next prediction
                    return
            last = state
            ended.wait(poll_s)

    thread = threading.Thread(target=run, name="recording state", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
