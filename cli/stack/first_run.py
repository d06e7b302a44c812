"""Preparations and notices of `memo up` before it starts anything."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cli.terminal.output import print_line
from cli.terminal.progress import late_progress_bar
from db.store_access import read_session, refuse_damaged, writable_store
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running
from memo.stack.broker import broker_url, check_broker
from worker.predictors.language_model.weights import remedy

if TYPE_CHECKING:
    from db.engine import Store

NEW_ID = (
    "This store is a copy, or was moved to another disk, so the names on the broker begin with a new id, {1}; names "
    "with the former id, {0}, are not touched. Programs that give `subscribe` the id have to give it the new one."
)
ZONE_RULE = re.compile(r"(<[\w+-]{3,}>|[A-Za-z]{3,})[+-]?\d")


def prepare_store(home: Home, settings: Settings, requeue: bool) -> bool:
    """Check the broker, create or upgrade the store, and return whether nothing has been recorded yet.

    After an end that was not clean, or once damage was found, the store is looked through for damage. With `requeue`,
    interrupted trainings are due again; pass it only where the dispatcher is one of the parts, as only that supervisor
    runs trainings. A copy of a store gets an id of its own.
    """
    from db.engine import sqlite_path, store_url
    from db.intake import events
    from db.upkeep import runs, store_place

    url = broker_url(home, settings)  # refuses a home whose path is too long for the socket
    if settings.broker_url:
        check_broker(url)
    refuse_damaged(settings, home, thoroughly=running.has_crashed(home) or _has_open_log(settings, home))
    with _up_to_date(settings, home) as store, store.write() as session:
        renewed = store_place.record_place(session, sqlite_path(store_url(settings, home)))
        if renewed and settings.broker_url:
            print_line(NEW_ID.format(*renewed))
        if requeue:
            runs.record_interrupted_queued(session)
        return events.find_last_active_scope(session) is None and not any(home.inbox.iterdir())


@contextmanager
def _up_to_date(settings: Settings, home: Home) -> Iterator["Store"]:
    """Yield the store; show how far its upgrade is."""
    try:
        with late_progress_bar("upgrading the store") as bar, writable_store(settings, home, bar) as store:
            yield store
    except KeyboardInterrupt:
        raise MemoError(
            "MEMO was not started: Ctrl-C ended it before the store was ready; the next `memo up` goes on."
        ) from None


def _has_open_log(settings: Settings, home: Home) -> bool:
    """Return whether SQLite's log holds something, as it does after a program that was killed."""
    from db.engine import sqlite_path, store_url

    file = sqlite_path(store_url(settings, home))
    with suppress(OSError):  # there is none, or its folder is no folder
        return file is not None and file.with_name(f"{file.name}-wal").stat().st_size > 0
    return False


def missing_model_notice(base: str) -> str:
    """Return what to do about a base model that is not on this machine; empty if it is."""
    if base == "builtin" or Path(base).expanduser().is_dir():
        return ""
    from huggingface_hub import try_to_load_from_cache

    with suppress(ValueError):  # a path is no name of the hub
        if try_to_load_from_cache(base, "config.json") is not None:
            return ""
    return f"The base model {base} is not on this machine, so predictions come from history alone; {remedy(base)}."


def unknown_zone_notice(home: Home, settings: Settings) -> str:
    """Return what to do about a TZ that is neither a zone of this system nor a rule; else empty. See tzset(3)."""
    name = os.environ.get("TZ", "").removeprefix(":")
    folder = os.environ.get("TZDIR", "/usr/share/zoneinfo")
    if not name or settings.timezone or ZONE_RULE.match(name) or os.path.isfile(os.path.join(folder, name)):
        return ""
    return (
        f"This system does not know the time zone {name} that TZ names, so times count as UTC; correct TZ, "
        f"or set timezone in {home.config}, for example to Europe/Berlin."
    )


def browser_import_notice(home: Home, settings: Settings) -> str:
    """Return that browser histories are about to be imported for the first time; empty if they are not."""
    from collector.sources.web.web_profiles import find_profiles
    from collector.sources.web.web_reader import SOURCE
    from db.intake import cursors

    if SOURCE not in settings.sources.on or not settings.sources.web_days or not find_profiles():
        return ""
    with read_session(settings, home) as session:
        if session is not None and cursors.has_cursors(session, SOURCE):
            return ""
    return (
        f"The last {settings.sources.web_days} days of your browser histories are imported first; "
        "`memo sources` shows the progress."
    )
