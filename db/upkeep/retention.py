"""Retention: delete rows by age, and the oldest events first if the store is too large.

Learned state stays: a worker reads the log from its first event that is still stored.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import delete
from sqlalchemy.orm import Session

from db.engine import Store
from db.intake import counts
from db.models import LaunchRow
from db.pace import BatchPace
from db.upkeep import deletion

MEGABYTE = 1_000_000
SHARE = 0.25  # of all rows of a kind, which one run deletes at most
ALWAYS = 1_000  # rows that a run may delete in any case


def prune(store: Store, predictions_before: datetime, events_before: datetime, most_mb: int) -> Counter[str]:
    """Delete what is older, then the oldest events down to `most_mb` megabytes (0: no limit), and release the space.

    A run deletes at most a share of all. Return the number of rows of each kind; "limited" is 1 if that was reached.
    """
    find_predictions = partial(deletion.find_predictions_before, before=predictions_before)
    find_events = partial(deletion.find_events_before, before=events_before)
    with store.read() as session:
        numbers = counts.count_all(session)
    most_predictions, most_events = _limit(numbers["predictions"]), _limit(numbers["events"])
    removed = _delete(store, find_predictions, deletion.delete_predictions_by_id, most_predictions)
    with store.write() as session:
        session.execute(delete(LaunchRow).where(LaunchRow.at < events_before))
    removed += _delete(store, find_events, deletion.delete_events, most_events)
    if most_mb:
        removed += _down_to(store, most_mb * MEGABYTE, most_events - removed["events"])
    if removed.total():
        deletion.release_space(store)
    reached = removed["events"] >= most_events or removed["predictions"] >= most_predictions
    return removed | Counter(limited=int(reached))


def _limit(count: int) -> int:
    return max(ALWAYS, int(count * SHARE))


def _delete(
    store: Store,
    find: Callable[[Session, int], Sequence[int]],
    delete_rows: Callable[[Session, Sequence[int]], Counter[str]],
    most: int,
) -> Counter[str]:
    """Delete at most so many rows, in transactions of a batch each."""
    removed, pace = Counter[str](), BatchPace()
    while most > 0:
        with pace.write(store) as session:
            ids = find(session, min(most, pace.size))
            removed += delete_rows(session, ids)
        if not ids:
            break
        most -= len(ids)
    return removed


def _down_to(store: Store, bytes_: int, most: int) -> Counter[str]:
    removed = Counter[str]()
    while most > 0:
        with store.read() as session:
            size, count = deletion.count_bytes(session), counts.count_all(session)["events"]
        if size <= bytes_ or not count:
            break
        share = max(1, int(count * (1 - bytes_ / size)))
        removed += _delete(store, deletion.find_oldest_events, deletion.delete_events, min(most, share))
        most -= share
    return removed
