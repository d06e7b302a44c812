"""Retention: delete rows by age, and the oldest events first if the store is too large.

Learned state stays: a worker reads the log from its first event that is still stored.
"""

from collections import Counter
from datetime import datetime

from sqlalchemy import delete

from db.engine import Store
from db.intake import scopes
from db.intake.events import chunks
from db.models import LaunchRow, PredictionRow
from db.upkeep import deletion

MEGABYTE = 1_000_000


def prune(store: Store, predictions_before: datetime, events_before: datetime, most_mb: int) -> Counter[str]:
    """Delete what is older, then the oldest events down to `most_mb` megabytes (0: no limit), and release the space.

    Return the number of rows of each kind.
    """
    with store.write() as session:
        removed = deletion.delete_predictions(session, PredictionRow.made_at < predictions_before)
        session.execute(delete(LaunchRow).where(LaunchRow.at < events_before))
    removed += _older(store, events_before)
    if most_mb:
        removed += _down_to(store, most_mb * MEGABYTE)
    if removed.total():
        deletion.release_space(store)
    return removed


def _older(store: Store, before: datetime) -> Counter[str]:
    removed = Counter[str]()
    with store.read() as session:
        names = scopes.find_scope_names(session)
    for scope in names:
        found = True
        while found:
            with store.write() as session:
                ids = deletion.find_events_before(session, scope, before)
                removed += deletion.delete_events(session, ids)
            found = bool(ids)
    return removed


def _down_to(store: Store, most: int) -> Counter[str]:
    removed = Counter[str]()
    while True:
        with store.read() as session:
            size, count = deletion.count_bytes(session), deletion.count_events(session)
            if size <= most or not count:
                return removed
            ids = deletion.find_oldest_events(session, max(1, int(count * (1 - most / size))))
        for batch in chunks(ids, deletion.BATCH):
            with store.write() as session:
                removed += deletion.delete_events(session, batch)
