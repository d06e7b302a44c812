"""`memo import`: add past events from files to the store."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal.options import Json, argument, option
from cli.terminal.output import print_json
from cli.terminal.progress import progress_bar
from cli.terminal.store_access import writable_store
from cli.terminal.text import safe
from memo.core.errors import MemoError, UsageError
from memo.core.events import Event
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.progress import Progress
from memo.core.settings import Settings

if TYPE_CHECKING:
    from db.engine import Store

BATCH = 2_000  # events per transaction
MAX_DAYS = 36_500


def import_(
    files: Annotated[
        list[Path] | None, argument(metavar="FILE", help="Files of events or windows.", readable=False)
    ] = None,
    browser: Annotated[bool, typer.Option("--browser", help="Import the histories of all your browsers.")] = False,
    days: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            max=MAX_DAYS,
            help="With --browser: import at most this many days.",
            show_default="sources.web_days",
        ),
    ] = None,
    activitywatch: Annotated[
        str, option(metavar="URL|FILE", help="Import from an ActivityWatch server, or from its export.")
    ] = "",
    scope: Annotated[str | None, option(metavar="USER@HOST", help="Scope to import into.")] = None,
    as_json: Json = False,
) -> None:
    """Import past events from files, browsers or ActivityWatch.

    Importing the same events again adds nothing.

    FILES hold event lines, JSON objects (one per line, or all in one array), JSON windows, or CSV.

    An event line: `2026-03-02 09:15:04 - Started app: Firefox`

    The same as an object: `{"at": "2026-03-02T09:15:04", "operation": "process_start", "target": "Firefox"}`

    From other programs: `memo import --browser --days 90`, `memo import --activitywatch http://127.0.0.1:5600`
    """
    from data.importers import form
    from memo.core import logs

    if not (files or browser or activitywatch):
        raise UsageError("There is nothing to import; name files, or add --browser or --activitywatch URL.")
    settings, home = Settings.load(**({"scope": scope} if scope else {})), Home.find()
    logs.setup(home.logs, "cli")
    for file in files or []:
        form(file)  # refuse a wrong file before the first one is stored
    with writable_store(settings, home) as store:
        counts, rejected = _import_files(store, settings, home, files or [])
        if counts["new"]:
            _request_prediction(store, settings, home)
        rejected += _import_known(store, settings, home, browser, days, activitywatch, counts)
    if as_json:
        print_json({**counts, "scope": settings.scope, "rejects": [str(file) for file in rejected]})
    else:
        _print_counts(counts, rejected)
    if files and not counts["read"]:
        raise _no_events(files, rejected)


def _no_events(files: list[Path], rejected: list[Path]) -> MemoError:
    if rejected:
        return MemoError(f"No event could be read; {rejected[0]} has the reason for each line.")
    return MemoError(f"There are no events in {', '.join(map(str, files))}; name files of windows or of events.")


def _print_counts(counts: Counter[str], rejected: list[Path]) -> None:
    see = f" (see {', '.join(map(str, rejected))})" if rejected else ""
    private = f"{counts['private']} dropped by privacy rules, " if counts["private"] else ""
    print(safe(f"{counts['read']} events read, {counts['new']} new, {private}{counts['rejected']} rejected{see}."))


def _import_files(store: "Store", settings: Settings, home: Home, files: list[Path]) -> tuple[Counter[str], list[Path]]:
    from db.intake import events

    with store.write() as session:
        before = events.find_last_seq(session, settings.scope)
    counts, rejected = Counter[str](read=0, new=0, private=0, rejected=0), []
    try:
        for file in files:
            with progress_bar(safe(file.name)) as progress:
                found, written = _import_file(store, settings, home, file, progress)
            counts.update(found)
            rejected += [written] if written else []
    finally:
        with store.write() as session:
            if not events.is_in_order(session, settings.scope, before):
                events.record_time_order(session, settings.scope)
    return counts, rejected


def _import_known(
    store: "Store",
    settings: Settings,
    home: Home,
    browser: bool,
    days: int | None,
    activitywatch: str,
    counts: Counter[str],
) -> list[Path]:
    """Import from other programs, add to the counts, and return the files of rejects."""
    from cli.records import import_known
    from collector.intake import Intake

    intake = Intake(store, settings, home, partial(_announce, settings, home))
    if browser:
        import_known.browsers(intake, settings, home, days, counts)
    if activitywatch:
        return import_known.activitywatch(intake, settings, home, activitywatch, counts)
    return []


def _import_file(
    store: "Store", settings: Settings, home: Home, path: Path, progress: Progress
) -> tuple[Counter[str], Path | None]:
    from collector.privacy.rules import apply_rules, make_pause_rule, make_rules
    from collector.privacy.secrets import hide_secrets
    from data.importers import open_file, read, rejects
    from db.intake import events, redactions

    repeats, counts, written, size = events.Repeats(), Counter[str](), None, path.stat().st_size
    name, in_force = hide_secrets(clean(path.name)), [make_pause_rule(home), *make_rules(settings.privacy, home)]
    with open_file(path) as file:
        found = read(path, file, settings.zone)
        while batch := list(islice(found, BATCH)):
            given = [replace(line, source=events.IMPORT, source_key=name) for line in batch if isinstance(line, Event)]
            kept, touched = apply_rules(given, in_force)
            bad = [line for line in batch if not isinstance(line, Event)]
            if bad:
                written = rejects.write(home.rejects, hide_secrets(path.name), bad)
            with store.write() as session:
                counts["new"] += events.add_events(session, settings.scope, kept, list(map(repeats.key, kept)))
                redactions.add_redactions(session, events.IMPORT, touched)
            counts["read"] += len(given)
            counts["private"] += len(given) - len(kept)
            counts["rejected"] += len(bad)
            progress(file.tell(), size)
    progress(size, size)
    return counts, written


def _request_prediction(store: "Store", settings: Settings, home: Home) -> None:
    """Request a prediction for the new events, unless one is requested already."""
    from db.intake import scopes

    with store.write() as session:
        requested = scopes.record_request(session, settings.scope, settings.predict.stale_s)
    if requested:
        _announce(settings, home, settings.scope)


def _announce(settings: Settings, home: Home, scope: str) -> None:
    """Tell a running worker about new events of the scope; without a broker there is none."""
    from collector.announce import Announcer
    from memo.stack.broker import broker_url
    from memo.stack.task_queue import make_app

    with suppress(MemoError):
        Announcer(make_app(broker_url(home, settings)), settings).request_prediction(scope)
