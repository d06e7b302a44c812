"""Forget what was found: the events, what was predicted from them or names them, and what was learned from them."""

from collections import Counter
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db import deletion, events, feedback, found, jobs, launches, scopes, versions
from db.deletion import BATCH
from db.engine import Store
from db.found import Found, Progress
from db.models import CheckpointRow, CursorRow


def forget(store: Store, what: Found, progress: Progress) -> tuple[Counter[str], dict[str, str]]:
    """Remove it; how many rows of each kind went, and the folders of the versions that went, by their names.

    The events go first; then learned state is made void, so that a worker writes nothing from it any more; then the
    predictions that name what is gone; last the launches, which say how an app is called whose events are gone. Called
    again after it was broken off, it does the rest.
    """
    removed = Counter[str]()
    for start in range(0, len(what.ids), BATCH):
        with store.write() as session:
            removed += deletion.events(session, what.ids[start : start + BATCH])
        progress(min(start + BATCH, len(what.ids)), len(what.ids))
    with store.write() as session:
        taught = _unlearn(session, what)
        _forget_lines(session, what.digests)
        meant = [what.wanted.scope] if what.wanted.scope is not None else events.names(session)
        removed["feedback"] = feedback.forget(session, meant, what.names)
        jobs.ran(session, jobs.FORGET, f"{removed['events']} events")
    with store.read() as session:
        ids = found.predictions(session, what)
    for start in range(0, len(ids), BATCH):
        with store.write() as session:
            removed += deletion.predictions_of(session, ids[start : start + BATCH])
    with store.write() as session:
        removed += Counter(launches=launches.forget(session, what.wanted))
    return removed, taught


def _unlearn(session: Session, what: Found) -> dict[str, str]:
    """Streams are read anew, weights begin by hand, and versions that have learned from the events serve no more."""
    names = (
        sorted(events.names(session)) if what.wanted.everything and what.wanted.scope is None else sorted(what.times)
    )
    for name in names:
        scopes.locked(session, name).generation += 1
    session.execute(delete(CheckpointRow).where(CheckpointRow.scope.in_(names)))
    taught = {version.id: version.path for version in found.taught(session, what)}
    versions.remove(session, list(taught))
    return taught


def _forget_lines(session: Session, digests: set[str]) -> None:
    """The lines themselves are remembered no more; the cursors stay, so that no source reads them again."""
    for row in session.scalars(select(CursorRow)):
        repeats: dict[str, Any] = row.cursor.get("repeats", {})
        if kept := digests & repeats.keys():
            left = {digest: count for digest, count in repeats.items() if digest not in kept}
            row.cursor = row.cursor | {"repeats": left}
