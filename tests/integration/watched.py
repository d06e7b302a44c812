"""A source that runs in a thread of the test, and what it emits."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from memo.core.events import Event
from memo.protocols import Batch, Past, Source, Stop

WAIT_S = 30.0
"""Far more than anything takes; reached only where it does not come."""

Found = TypeVar("Found")


def until(what: str, look: Callable[[], Found], wait_s: float = WAIT_S) -> Found:
    """What `look` says, once that is true; fails where it stays false."""
    deadline = time.monotonic() + wait_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not seen in {wait_s:.0f} s: {what}"
        time.sleep(0.02)
    return found


@contextmanager
def watched(source: Source, cursors: dict[str, dict[str, Any]] | None = None) -> Iterator[list[Event]]:
    """The events so far; `cursors` is what the store would keep over a restart."""
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
