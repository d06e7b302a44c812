"""`memo import`: past events from files into the store."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal.progress import progress_bar
from cli.terminal.store_access import writable_store
from cli.terminal.text import safe
from memo.core.errors import MemoError, UsageError
from memo.core.events import Event
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings

if TYPE_CHECKING:
    from db.engine import Store

BATCH = 2_000
"""Events of one transaction."""
MAX_DAYS = 36_500


def import_(
    files: Annotated[list[Path] | None, typer.Argument(metavar="FILE…", readable=False, show_default=False)] = None,
    browser: Annotated[bool, typer.Option("--browser", help="The visits of all your browsers.")] = False,
    days: Annotated[
        int | None, typer.Option(min=0, max=MAX_DAYS, help="Of so many days.", show_default="sources.web_days")
    ] = None,
    activitywatch: Annotated[
        str, typer.Option(metavar="URL|FILE", help="All of an ActivityWatch, or of its export.", show_default=False)
    ] = "",
    scope: Annotated[str | None, typer.Option(help="Whose events these are.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a sentence.")] = False,
) -> None:
    """Add past events; a second time adds nothing.

    FILES hold JSON windows, event lines, JSON objects (one a line, or all in an array), or CSV.

    An event line: `2026-03-02 09:15:04 - Started app: Firefox`

    The same as an object: `{"at": "2026-03-02T09:15:04", "operation": "process_start", "target": "Firefox"}`

    Of other programs: `memo import --browser --days 90`, `memo import --activitywatch http://127.0.0.1:5600`
    """
    from data.importers import form
    from memo.core import logs

    if not (files or browser or activitywatch):
        raise UsageError("Nothing is named to import; name files, or say --browser, or --activitywatch URL.")
    settings, home = Settings.load(**({"scope": scope} if scope else {})), Home.find()
    logs.setup(home.logs, "cli")
    for file in files or []:
        form(file)  # all are looked at before the first is stored
    with writable_store(settings, home) as store:
        counts, rejected = _import(store, settings, home, files or [])
        if counts["new"]:
            _announce(store, settings, home)
        rejected += _import_known(store, settings, home, browser, days, activitywatch, counts)
    if as_json:
        print(json.dumps({**counts, "scope": settings.scope, "rejects": [str(file) for file in rejected]}))
    else:
        _say(counts, rejected)
    if files and not counts["read"]:
        raise _none_read(files, rejected)


def _none_read(files: list[Path], rejected: list[Path]) -> MemoError:
    if rejected:
        return MemoError(f"No event could be read; {rejected[0]} says why for each line.")
    return MemoError(f"No event stands in {', '.join(map(str, files))}; name files of windows or of events.")


def _say(counts: Counter[str], rejected: list[Path]) -> None:
    see = f" (see {', '.join(map(str, rejected))})" if rejected else ""
    private = f"{counts['private']} kept out by privacy rules, " if counts["private"] else ""
    print(safe(f"{counts['read']} events read, {counts['new']} new, {private}{counts['rejected']} rejected{see}."))


def _import(store: "Store", settings: Settings, home: Home, files: list[Path]) -> tuple[Counter[str], list[Path]]:
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
    """What other programs know, added to the counts; the rejects files."""
    from cli.records import import_known
    from collector.intake import Intake

    intake = Intake(store, settings, home, partial(_tell, settings, home))
    if browser:
        import_known.browsers(intake, settings, home, days, counts)
    if activitywatch:
        return import_known.activitywatch(intake, settings, home, activitywatch, counts)
    return []


def _import_file(
    store: "Store", settings: Settings, home: Home, path: Path, progress: Callable[[int, int], None]
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
            told = [replace(one, source=events.IMPORT, source_key=name) for one in batch if isinstance(one, Event)]
            given, touched = apply_rules(told, in_force)
            bad = [one for one in batch if not isinstance(one, Event)]
            if bad:
                written = rejects.write(home.rejects, hide_secrets(path.name), bad)
            with store.write() as session:
                counts["new"] += events.add_events(session, settings.scope, given, [repeats.key(one) for one in given])
                redactions.add_redactions(session, events.IMPORT, touched)
            counts["read"] += len(told)
            counts["private"] += len(told) - len(given)
            counts["rejected"] += len(bad)
            progress(file.tell(), size)
    progress(size, size)
    return counts, written


def _announce(store: "Store", settings: Settings, home: Home) -> None:
    """Ask for a look at what is new."""
    from db.intake import scopes

    with store.write() as session:
        asked = scopes.record_request(session, settings.scope, settings.predict.stale_s)
    if asked:
        _tell(settings, home, settings.scope)


def _tell(settings: Settings, home: Home, scope: str) -> None:
    """Let a running worker look again; without a broker there is none."""
    from collector.announce import Announcer
    from memo.stack.broker import broker_url
    from memo.stack.task_queue import make_app

    with suppress(MemoError):
        Announcer(make_app(broker_url(home, settings), settings), settings).request_prediction(scope)
