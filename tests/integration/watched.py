"""Run a source in a thread of the test and collect its events."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from waiting import WAIT_S, until

from memo.core.events import Event, Operation
from memo.protocols import Batch, FindCursor, Note, Past, Presence, Source, Stop


@contextmanager
def watched(
    source: Source, cursors: dict[str, dict[str, Any]] | None = None, notes: list[str] | None = None
) -> Iterator[list[Event]]:
    """Yield the list of events so far; `cursors` is what the store would keep over a restart, `notes` what it shows."""
    events: list[Event] = []
    kept = {} if cursors is None else cursors

    def emit(batch: Batch | Past | Note | Presence) -> None:
        if isinstance(batch, Note) and notes is not None:
            notes.append(batch.text)
        if isinstance(batch, Note | Presence):
            return
        events.extend(batch.events)
        kept[batch.cursor_key] = batch.cursor

    with running_source(source, emit, kept.get):
        yield events


@contextmanager
def running_source(source: Source, emit: Callable[[Any], None], find_cursor: FindCursor) -> Iterator[None]:
    """Run a source in a thread, from when it watches."""
    stop = Stop()
    thread = threading.Thread(target=source.run, args=(emit, find_cursor, stop))
    thread.start()
    try:
        until("the source watches", source.watching.is_set)
        yield
    finally:
        stop.set()
        thread.join(WAIT_S)
        assert not thread.is_alive(), "the source does not stop"


def focused_windows(events: list[Event]) -> list[tuple[str, str]]:
    """App and title of each window that got the focus."""
    return [(event.app, event.target) for event in events if event.operation is Operation.WINDOW_FOCUS]


def used_apps(events: list[Event]) -> list[str]:
    """The apps whose use has ended."""
    return [event.target for event in events if event.operation is Operation.APP_USAGE]
