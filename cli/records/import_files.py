"""`memo import`: add past events from files to the store."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal.options import Json, argument, flag, option
from cli.terminal.output import counted, print_json, print_text
from cli.terminal.progress import progress_bar
from db.store_access import writable_store
from memo.core.errors import MemoError, UsageError
from memo.core.events import Event
from memo.core.grammar import clean
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.display.text import safe
from memo.protocols import Past

if TYPE_CHECKING:
    from collector.intake import Intake

BATCH = 2_000  # lines between two steps of the progress bar
MAX_DAYS = 36_500


def import_(
    files: Annotated[
        list[Path] | None, argument(metavar="FILE", help="Files of events or windows.", readable=False)
    ] = None,
    browser: Annotated[bool, flag("--browser", "Import the histories of all your browsers.")] = False,
    days: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            max=MAX_DAYS,
            help="With --browser: import at most this many days of history.",
            show_default="sources.web_days",
        ),
    ] = None,
    activitywatch: Annotated[
        str, option(metavar="URL|FILE", help="Import from an ActivityWatch server, or from its export.")
    ] = "",
    scope: Annotated[
        str | None, option(metavar="USER@HOST", help="Scope to import into; by default that of the settings.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import past events from files, browsers or ActivityWatch.

    Importing the same events again adds nothing.

    FILES hold event lines, JSON objects (one per line, or all in one array), JSON windows (short runs of events), or
    CSV; see docs/events.md.

    An event line: `2026-03-02 09:15:04 - Started app: Firefox`

    The same as an object: `{"at": "2026-03-02T09:15:04", "operation": "process_start", "target": "Firefox"}`

    From other programs: `memo import --browser --days 90`, `memo import --activitywatch http://127.0.0.1:5600`
    """
    from cli.records import import_known
    from collector.intake import Intake
    from data.importers import form
    from memo.core import logs

    if not (files or browser or activitywatch):
        raise UsageError("There is nothing to import; name files, or add --browser or --activitywatch URL.")
    if days is not None and not browser:
        raise UsageError("--days is about the histories of browsers; add --browser, or leave it out.")
    settings, home = Settings.load(scope=scope or None), Home.find()
    logs.setup(home.logs, "cli")
    for file in files or []:
        form(file)  # refuse a wrong file before the first one is stored
    counts, rejected = Counter[str](read=0, new=0, private=0, rejected=0), list[Path]()
    with writable_store(settings, home) as store:
        intake = Intake(store, settings, home, partial(_announce, settings, home))
        for file in files or []:
            rejected += _import_file(intake, settings, home, file, counts)
        if browser:
            import_known.browsers(intake, settings, home, days, counts)
        if activitywatch:
            rejected += import_known.activitywatch(intake, settings, home, activitywatch, counts)
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
    read = counted(counts["read"], "event")
    print_text(f"{read} read, {counts['new']} new, {private}{counts['rejected']} rejected{see}.")


def _import_file(intake: "Intake", settings: Settings, home: Home, path: Path, counts: Counter[str]) -> list[Path]:
    """Import the events of a file, add to the counts, and return the file of its rejects, if it has any."""
    from collector.privacy.rules import redact_text
    from data.importers import open_file, read, rejects
    from db.intake.events import IMPORT

    name, size = redact_text(clean(path.name), intake.rules), path.stat().st_size
    before, written = counts["read"], set[Path]()
    with progress_bar(safe(path.name)) as progress, open_file(path) as file:
        found = read(path, file, settings.zone, scope=settings.scope, source=IMPORT, source_key=name)

        def events() -> Iterator[Event]:
            while batch := list(islice(found, BATCH)):
                good = [line for line in batch if isinstance(line, Event)]
                if bad := [line for line in batch if not isinstance(line, Event)]:
                    written.add(rejects.write(home.rejects, name, bad))
                counts.update(read=len(good), rejected=len(bad))
                yield from good
                progress(file.tell(), size)
            progress(size, size)

        kept, new = intake.store_past(IMPORT, Past(events(), "", {}), with_cursor=False)
    counts.update(new=new, private=counts["read"] - before - kept)
    return list(written)


def _announce(settings: Settings, home: Home, scope: str) -> None:
    """Tell a running worker about new events of the scope; without a broker there is none."""
    from collector.announce import Announcer
    from memo.stack.broker import broker_url, key_prefix
    from memo.stack.task_queue import make_app

    with suppress(MemoError):
        app = make_app(broker_url(home, settings), key_prefix(settings))
        Announcer(app, settings).request_prediction(scope)
