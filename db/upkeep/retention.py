"""Retention: delete rows by age, and the oldest events first if the store is too large.

Trained versions and checkpoints stay. A snapshot that has learned a deleted event can no longer be used, so a worker
that starts learns from the first event that is still stored.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy.orm import Session

from db.engine import Store
from db.intake import counts
from db.models import LaunchRow, PredictionRow
from db.pace import BatchPace
from db.prediction import predicted_names
from db.upkeep import deletion

_Found = TypeVar("_Found")
MEGABYTE = 1_000_000
SHARE = 0.25  # of all rows of a kind, which one run deletes at most
ALWAYS = 100  # rows that a run may delete in any case
MOST_DAYS = 10_000  # of names in predictions that are gone, which one run deletes


def prune(store: Store, predictions_before: datetime, events_before: datetime, most_mb: int) -> Counter[str]:
    """Delete older rows, then the oldest events down to `most_mb` megabytes (0: no limit), and release the space.

    A run deletes at most a share of all rows. Return the number of each kind; "limited" is 1 if that share was reached.
    """
    old_predictions, old_launches = PredictionRow.made_at < predictions_before, LaunchRow.at < events_before
    find_predictions = partial(deletion.find_ids, ids=PredictionRow.id, which=old_predictions)
    find_launches = partial(deletion.find_ids, ids=LaunchRow.id, which=old_launches)
    find_events = partial(deletion.find_events_before, before=events_before)
    with store.read() as session:
        numbers = counts.count_all(session) | Counter(launches=deletion.count_launches(session))
    most = {name: max(ALWAYS, int(numbers[name] * SHARE)) for name in ("predictions", "launches", "events")}
    removed = _delete(store, find_predictions, deletion.delete_predictions_by_id, most["predictions"])
    _delete(store, predicted_names.find_past_days, predicted_names.delete_days, MOST_DAYS)
    removed += _delete(store, find_launches, deletion.delete_launches, most["launches"])
    removed += _delete(store, find_events, deletion.delete_events, most["events"])
    if most_mb:
        removed += _down_to(store, most_mb * MEGABYTE, most["events"] - removed["events"])
    if removed.total():
        deletion.release_space(store)
    return removed | Counter(limited=int(any(removed[name] >= limit for name, limit in most.items())))


def _delete(
    store: Store,
    find: Callable[[Session, int], Sequence[_Found]],
    delete_rows: Callable[[Session, Sequence[_Found]], Counter[str]],
    most: int,
) -> Counter[str]:
    """Delete a limited number of rows, or of their days, in transactions of a batch each."""
    removed, pace = Counter[str](), BatchPace(fewest=1)  # a day has thousands of names, a large store is on the disk
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
