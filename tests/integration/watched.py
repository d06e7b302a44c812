"""Run a source in a thread of the test and collect its events."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from memo.core.events import Event
from memo.protocols import Batch, Past, Source, Stop

WAIT_S = 30.0  # reached only if something fails

Found = TypeVar("Found")


def until(what: str, look: Callable[[], Found], wait_s: float = WAIT_S) -> Found:
    """Return what `look` returns once that is true; fail if it stays false."""
    deadline = time.monotonic() + wait_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not seen in {wait_s:.0f} s: {what}"
        time.sleep(0.02)
    return found


@contextmanager
def watched(source: Source, cursors: dict[str, dict[str, Any]] | None = None) -> Iterator[list[Event]]:
    """Yield the list of events so far; `cursors` is what the store would keep over a restart."""
    events: list[Event] = []
    kept = {} if cursors is None else cursors
    stop = Stop()

    def emit(batch: Batch | Past) -> None:
        events.extend(batch.events)
        kept[batch.cursor_key] = batch.cursor

    thread = threading.Thread(target=source.run, args=(emit, kept.get, stop))
    thread.start()
    try:
        until("the source watches", source.watching.is_set)
        yield events
    finally:
        stop.set()
        thread.join(WAIT_S)
        assert not thread.is_alive(), "the source does not stop"
