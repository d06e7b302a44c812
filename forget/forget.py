"""Forget: one function for the command, a page and the scheduler, and a preview of what it would delete."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from db.engine import Store
from db.intake import counts
from db.prediction import predictions
from db.upkeep import deletion, jobs
from forget import erase_files, erase_rows, match, unfinished
from forget.dependents import Dependents, find_dependents
from forget.match import Matches
from forget.query import ForgetQuery, fold
from forget.unfinished import Mark
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.core.steps import Progress
from memo.stack import running
from memo.stack.broker import broker_url, check_broker


@dataclass(frozen=True)
class Report:
    """Everything that a query matches, or everything that was deleted if `is_forgotten`."""

    matches: Matches
    dependents: Dependents
    rows: Counter[str]
    """Number of events, predictions, dispatches, launches and answers (`feedback`), and of predictions `amended`."""
    all_predictions: int
    """Number of predictions of the query's scope."""
    versions: list[str]
    unfinished: list[Mark]
    """Marks of earlier forgets that this one does not complete."""
    is_found: bool
    """Whether there is anything to do."""
    is_forgotten: bool = False


def preview(store: Store, settings: Settings, query: ForgetQuery, progress: Progress) -> Report:
    """Return what a query matches; nothing is changed."""
    with store.read() as session:
        query = match.resolve_app(session, query)
        matches = match.find_matches(session, query, progress)
        dependents = find_dependents(session, matches)
        rows = Counter(
            events=len(matches.ids),
            predictions=len(dependents.followers),
            amended=len(dependents.amended),
            dispatches=dependents.dispatches,
            launches=len(match.matching_launches(session, query)),
        )
        sets = match.matching_launch_sets(session, query, settings.zone)
        versions = [version.id for version in match.matching_versions(session, matches)]
        marks = unfinished.find_unfinished(session)
        kept = counts.count_by_scope(session)
    others = [mark for mark in marks if not unfinished.completes(query, mark)]
    is_found = bool(rows.total() or sets or query.is_everything or len(others) < len(marks))
    total = sum(numbers["predictions"] for scope, numbers in kept.items() if query.scope in (None, scope))
    return Report(matches, dependents, rows, total, versions, others, is_found)


@contextmanager
def _naming_what_stays() -> Iterator[None]:
    """Raise MemoError where a file can't be changed or deleted."""
    try:
        yield
    except OSError as error:
        raise MemoError(
            f"{error.filename} may hold what is to be forgotten and can't be changed ({error.strerror}); "
            "correct that, then run the same command again."
        ) from error


@_naming_what_stays()
def forget(
    store: Store, settings: Settings, home: Home, query: ForgetQuery, progress: Progress, found: Report | None = None
) -> Report:
    """Delete all that a query matches, and all that was made of it, while MEMO may be running; return what was deleted.

    `found` is the preview that a person agreed to, if there was one. The order of the steps is what makes the promise
    hold if the process is killed between any two of them, and if the stack goes on working meanwhile. The same call
    made again completes it:

    1. Check the broker, before anything is deleted: step 9 needs it.
    2. Record that the forget is unfinished: until step 9 of the same query, or of a wider one, a repeated call has
       something to do even if it matches no row any more. Then delete predictions that follow the events, and take
       out of the others what names the events and outcomes that are among them, while the events still identify them.
    3. Delete what was learned from the events, for the same reason.
    4. Delete the events, and with the last of them what a worker or a training has learned since step 3. From then on
       nobody can read them.
    5. Do the same as in step 2 with predictions that a worker made since.
    6. Delete launches and launch sets last of all rows: they tell under which names a program's events are stored.
    7. Clear files: logs, backups and the worker's snapshots may name anything that was in the store until step 6; the
       lines of the handler `record` are kept if their predictions are. The process that stands by for `memo pick` ends
       without its socket.
    8. Release the store's space, once all rows are deleted, so that no byte of them stays in its files.
    9. Clear the messages. A worker that read a prediction before step 5 and publishes it after this step notices that
       something was forgotten since, and clears the messages itself. A handler that waits with a candidate which is
       gone from its prediction does nothing. In the end a backup is due at once, which has no mark of this forget.
    """
    found = found or preview(store, settings, query, progress)
    matches, query = found.matches, found.matches.query
    if settings.broker_url or running.holder(home):
        check_broker(broker_url(home, settings))
    with store.write() as session:  # so that an interrupted run is known however little it has erased
        unfinished.record_unfinished(session, query)
    rows = erase_rows.erase_predictions(store, matches, found.dependents)
    answers, versions = erase_rows.erase_knowledge(store, home, matches)
    events, more_versions = erase_rows.erase_events(store, home, matches, progress)
    with store.read() as session:
        new_dependents = find_dependents(session, matches)
    rows += events + erase_rows.erase_predictions(store, matches, new_dependents)
    rows += Counter(feedback=answers, launches=erase_rows.erase_launches(store, query, settings.zone))
    _clear_files(store, home, matches)
    is_emptied = deletion.release_space(store)
    erase_files.clear_messages(home, settings)
    if not is_emptied:
        raise MemoError("A program that reads memo.db keeps memo.db-wal from being emptied; close it and try again.")
    with store.write() as session:
        unfinished.delete_unfinished(session, query)
        jobs.record_due(session, jobs.BACKUP)
    return replace(found, rows=rows, versions=versions + more_versions, is_forgotten=True)


def _clear_files(store: Store, home: Home, matches: Matches) -> None:
    erase_files.empty_logs(home)
    erase_files.remove_copies(home)
    home.standby.unlink(missing_ok=True)
    if running.holder(home) is None:
        home.remove_memory()  # a killed stack may have left a copy of a browser's history there
    erase_files.clear_learned(home)
    records = erase_files.read_records(home)
    with store.read() as session:
        existing = predictions.find_existing(session, [line["prediction"] for line in records])
    erase_files.clear_records(
        home, lambda line: line["prediction"] in existing and not matches.includes_entry(line["scope"], line)
    )
    query = matches.query
    if query.is_everything or query.text:
        erase_files.clear_rejects(home, lambda name: fold(query.text) in fold(name))
