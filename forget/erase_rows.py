"""Erase rows of the store; `forget.forget` states in which order, and why."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo

from sqlalchemy.orm import Session

from db.engine import Store
from db.intake import cursors, scopes
from db.models import VersionRow
from db.pace import BatchPace
from db.prediction import amendment, checkpoints, feedback, predicted_names, versions
from db.prediction.predicted_names import Day
from db.upkeep import deletion, jobs
from db.upkeep.retrain import name_retired
from forget import erase_files, match
from forget.dependents import Dependents
from forget.match import Matches
from forget.query import ForgetQuery
from memo.core.paths import Home
from memo.core.steps import Progress

FEWEST = 10  # predictions of a batch: each has many texts, which are all compared


def erase_predictions(store: Store, matches: Matches, found: Dependents) -> Counter[str]:
    """Delete the predictions that follow an event, and amend the others; return the number of rows of each kind."""
    event_ids = frozenset(matches.ids)

    def amend(session: Session, ids: Sequence[int]) -> Counter[str]:
        dispatches = amendment.delete_mentions(session, ids, matches.includes_entry, event_ids)
        return Counter(amended=len(ids), dispatches=dispatches)

    removed = _in_batches(store, found.followers, deletion.delete_predictions_by_id)
    removed += _in_batches(store, found.amended, amend)
    _erase_names(store, found.days)
    return removed


def _erase_names(store: Store, days: Iterable[Day]) -> None:
    """Delete the recorded names of each day that none of its predictions contains any more."""
    pace = BatchPace()
    for scope, day in days:
        with store.read() as session:
            names, newest = predicted_names.find_unnamed(session, scope, day)
        begin = 0
        while batch := names[begin : begin + pace.size]:
            begin += len(batch)
            with pace.write(store) as session:
                predicted_names.delete_names(session, scope, day, batch, newest)


def _in_batches(
    store: Store, ids: Sequence[int], erase: Callable[[Session, Sequence[int]], Counter[str]]
) -> Counter[str]:
    removed, pace, begin = Counter[str](), BatchPace(fewest=FEWEST), 0
    while batch := ids[begin : begin + pace.size]:
        with pace.write(store) as session:
            removed += erase(session, batch)
            jobs.record_run(session, jobs.FORGET, f"{len(batch)} predictions")
        begin += len(batch)
    return removed


def erase_knowledge(store: Store, home: Home, matches: Matches) -> tuple[int, list[str]]:
    """Delete what was learned from the events, digests of their lines, and answers to suggestions that name them.

    Return the number of answers and the names of the versions.
    """
    with store.write() as session:
        names = _void_learned(session, home, matches)
        cursors.delete_repeats(session, matches.digests)
        within = scopes.find_scope_names(session, matches.query.scope)
        answers = feedback.delete_answers(session, within, matches.includes_entry)
    remove_versions(store, home, matches.query.is_all)
    return answers, names


def erase_events(store: Store, home: Home, matches: Matches, progress: Progress) -> tuple[Counter[str], list[str]]:
    """Delete the events, then what was learned meanwhile; return the number of rows of each kind, and versions."""
    removed, names, pace = Counter[str](), list[str](), BatchPace()
    end, total = 0, len(matches.ids)
    while end < total:
        begin, end = end, min(end + pace.size, total)
        with pace.write(store) as session:
            removed += deletion.delete_events(session, matches.ids[begin:end])
            if end == total:
                names = _void_learned(session, home, matches)
        progress(end, total)
    remove_versions(store, home, matches.query.is_all)
    return removed, names


def erase_launches(store: Store, query: ForgetQuery, zone: tzinfo) -> int:
    """Delete launches and launch sets; return the number of launches."""
    with store.write() as session:
        rows = match.matching_launches(session, query)
        for row in (*rows, *match.matching_launch_sets(session, query, zone)):
            session.delete(row)
        return len(rows)


def _void_learned(session: Session, home: Home, matches: Matches) -> list[str]:
    """Make workers learn each scope again, without earlier weights, and delete versions trained on the events.

    A version's folder is marked now and deleted once its row is: after an interruption in between, the next forget
    deletes it. Recording the time makes a training that began before refuse to register its version.
    """
    found = scopes.find_scope_names(session) if matches.query.is_all else matches.times
    names = sorted(found)  # one order of locks for all
    for name in names:
        scopes.record_new_past(session, name)
    checkpoints.delete_weights(session, names)
    jobs.record_run(session, jobs.FORGET, f"{len(matches.ids)} events")
    return retire_versions(session, home, match.matching_versions(session, matches))


def retire_versions(session: Session, home: Home, rows: Sequence[VersionRow]) -> list[str]:
    """Delete versions and mark their folders; a training on what remains is due. Return their names."""
    names = [row.id for row in rows]
    for scope in sorted({row.scope for row in rows}):
        jobs.record_run(session, name_retired(scope), ", ".join(row.id for row in rows if row.scope == scope))
    erase_files.mark_versions(home, [home.version(row.path) for row in rows])
    versions.delete_versions(session, names)
    return names


def remove_versions(store: Store, home: Home, are_unknown_too: bool = False) -> None:
    """Delete the marked folders of versions that are no longer in the store; see `erase_files.remove_versions`."""
    with store.read() as session:
        kept = {home.version(version.path) for version in versions.find_versions(session)}
    erase_files.remove_versions(home, kept, are_unknown_too)
