"""Forget what was found: the events, what was predicted from them or names them, and what was learned from them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.engine import Store
from db.intake import events, scopes
from db.models import CheckpointRow, CursorRow
from db.prediction import feedback, versions
from db.upkeep import deletion, jobs
from db.upkeep.deletion import BATCH
from forget import match
from forget.match import Matches, Progress
from forget.query import ForgetQuery


def unlearn(store: Store, what: Matches, predictions: Sequence[int]) -> tuple[Counter[str], dict[str, str]]:
    """Remove what hangs on the events, while they tell what that is: so all can be called again where it is broken off.

    `predictions` are those of `found.predictions`. Gives how many rows of each kind went, and the folders of the
    versions that went, by their names.
    """
    removed = _predictions(store, predictions)
    with store.write() as session:
        taught = _void(session, what)
        _forget_lines(session, what.digests)
        meant = [what.wanted.scope] if what.wanted.scope is not None else events.all_names(session)
        removed["feedback"] = feedback.delete_answers(session, meant, what.names)
    return removed, taught


def forget(store: Store, what: Matches, progress: Progress) -> tuple[Counter[str], dict[str, str]]:
    """Remove the events, and last the launches, which say how an app is called; what went, as above.

    With the last event learned state is made void again, and then goes what a worker has predicted meanwhile.
    """
    removed, taught = Counter[str](), dict[str, str]()
    for start in range(0, len(what.ids), BATCH):
        with store.write() as session:
            removed += deletion.delete_events(session, what.ids[start : start + BATCH])
            if start + BATCH >= len(what.ids):
                taught = _void(session, what)
        progress(min(start + BATCH, len(what.ids)), len(what.ids))
    with store.read() as session:
        ids = match.matching_predictions(session, what)
    removed += _predictions(store, ids)
    with store.write() as session:
        removed += Counter(launches=delete_launches(session, what.wanted))
    return removed, taught


def delete_launches(session: Session, wanted: ForgetQuery) -> int:
    """Delete the launches that are wanted; return their number."""
    rows = match.matching_launches(session, wanted)
    for row in rows:
        session.delete(row)
    return len(rows)


def _predictions(store: Store, ids: Sequence[int]) -> Counter[str]:
    """Remove these; how many rows of each kind went."""
    removed = Counter[str]()
    for start in range(0, len(ids), BATCH):
        with store.write() as session:
            removed += deletion.delete_predictions_by_id(session, ids[start : start + BATCH])
    return removed


def _void(session: Session, what: Matches) -> dict[str, str]:
    """Streams are read anew, weights begin by hand, and versions that have learned from the events serve no more."""
    names = (
        sorted(events.all_names(session))
        if what.wanted.everything and what.wanted.scope is None
        else sorted(what.times)
    )
    for name in names:
        scopes.lock_scope(session, name).generation += 1
    session.execute(delete(CheckpointRow).where(CheckpointRow.scope.in_(names)))
    taught = {version.id: version.path for version in match.trained_versions(session, what)}
    versions.delete_versions(session, list(taught))
    jobs.record_run(session, jobs.FORGET, f"{len(what.ids)} events")  # a training that began before registers nothing
    return taught


def _forget_lines(session: Session, digests: set[str]) -> None:
    """The lines themselves are remembered no more; the cursors stay, so that no source reads them again."""
    for row in session.scalars(select(CursorRow)):
        repeats: dict[str, Any] = row.cursor.get("repeats", {})
        if kept := digests & repeats.keys():
            left = {digest: count for digest, count in repeats.items() if digest not in kept}
            row.cursor = row.cursor | {"repeats": left}
