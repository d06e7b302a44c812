"""`memo import` from other programs: browsers and ActivityWatch."""

import sqlite3
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.terminal.output import print_notice
from cli.terminal.progress import progress_bar
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.core.steps import Progress, with_progress
from memo.display.text import safe
from memo.protocols import Past

if TYPE_CHECKING:
    from collector.intake import Intake


def browsers(intake: "Intake", settings: Settings, home: Home, days: int | None, counts: Counter[str]) -> None:
    """Import the visits of all browsers of this user. Raises MemoError if no history can be read."""
    from collector.sources.web.web import WebSource
    from collector.sources.web.web_profiles import find_profiles
    from collector.sources.web.web_reader import SOURCE, VisitReader

    if lacks := WebSource(settings, home).missing():
        raise MemoError(lacks)
    found, read = find_profiles(), 0
    for profile in found:
        with progress_bar(safe(profile.name)) as progress:
            emit = partial(_store, intake, SOURCE, counts, progress)
            reader = VisitReader(settings, home, emit, partial(intake.cursor, SOURCE))
            try:
                reader.read_past(profile, settings.sources.web_days if days is None else days)
                read += 1
            except (OSError, sqlite3.Error) as error:
                print_notice(f"{profile.name} was skipped ({error}).")
    if not read:
        raise MemoError("No browser history could be read; close the browsers and try again.")


def activitywatch(intake: "Intake", settings: Settings, home: Home, address: str, counts: Counter[str]) -> list[Path]:
    """Import everything from an ActivityWatch server or from a file that it exported; return the files of rejects."""
    from collector.sources.activitywatch import backfill
    from collector.sources.activitywatch.activitywatch import SOURCE
    from data.importers import rejects

    with progress_bar("ActivityWatch") as progress:
        is_url = address.startswith(("http://", "https://"))
        given = backfill.read_server(address, progress) if is_url else backfill.read_export(Path(address), progress)
        events, bad = backfill.to_events(given, settings.zone)
    with progress_bar("storing") as progress:
        _store(intake, SOURCE, counts, progress, Past(events, "import", {}))
    counts["rejected"] += len(bad)
    return [rejects.write(home.rejects, SOURCE, bad)] if bad else []


def _store(intake: "Intake", source: str, counts: Counter[str], progress: Progress, past: Past) -> None:
    found = list(past.events)
    kept, new = intake.store_past(source, replace(past, events=with_progress(found, len(found), progress)))
    counts.update(read=len(found), new=new, private=len(found) - kept)
