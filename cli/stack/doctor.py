"""`memo doctor`: check the installation and say how to fix what is wrong."""

import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cli.stack.first_run import unknown_zone_notice
from cli.terminal.options import Json, flag
from cli.terminal.output import print_json, print_text
from cli.terminal.progress import late_progress_bar, spinner
from db.store_access import find_active_version, missing_file, open_existing, read_session, refuse_damaged
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.core.steps import with_progress
from memo.stack import running
from memo.stack.broker import broker_url, check_broker, measure_queues, redact_url
from memo.stack.guard import refusals
from memo.store.postgres import SHOW_S

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from db.engine import Store

MINIMUM_FREE = 500_000_000  # bytes on the disk of the home
PART = 50  # predictions whose names are recorded in one transaction


def doctor(
    repair: Annotated[
        bool,
        flag(
            "--repair",
            "Rebuild lost indexes and views, recount events and predictions, and correct the stored counts.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check the installation and say how to fix what is wrong.

    Exit status: 0 if all is well, else 1.
    """
    home, settings = Home.find(), Settings.load()
    results = []
    for name, check in (({"indexes": _indexes} | CHECKS | {"counts": _counts}) if repair else CHECKS).items():
        try:
            with spinner(f"checking the {name}"):
                result = {"check": name, "ok": True, "says": check(home, settings)}
        except MemoError as error:
            result = {"check": name, "ok": False, "says": str(error)}
        results.append(result)
        if not as_json:
            print_text(f"{'ok   ' if result['ok'] else 'WRONG'} {name:9} {result['says']}")
    if as_json:
        print_json(results)
    sys.exit(0 if all(result["ok"] for result in results) else 1)


def _home(home: Home, settings: Settings) -> str:
    if home.root.stat().st_mode & 0o077:
        raise MemoError(f"Other users can read {home.root}; run `chmod 700 {home.root}`.")
    if (free := shutil.disk_usage(home.root).free) < MINIMUM_FREE:
        raise MemoError(f"Only {free / 1e6:.0f} MB are free on the disk of {home.root}; free some space.")
    return f"{home.root}, {free / 1e9:.0f} GB free"


def _store(home: Home, settings: Settings) -> str:
    from db import migrate, rebuild
    from db.engine import redacted_store_url
    from db.migrations import head
    from db.upkeep import health
    from db.upkeep.jobs import CLOCK_WAS_SET, PRUNE, find_last_result
    from forget.unfinished import describe, find_unfinished

    place = redacted_store_url(settings, home)
    absent = f"{place} does not exist yet; `memo up` creates it"
    refuse_damaged(settings, home, thoroughly=True)
    if missing_file(settings, home):
        return absent
    with open_existing(settings, home, SHOW_S) as store, store.read() as session:
        _refuse_lost(session, place)
        if (found := migrate.check_schema(session.connection())) is None:
            return absent
        if found != head():
            raise MemoError(
                f"{place} has schema {found}, but this version of MEMO needs {head()}; "
                "`memo up` upgrades an older schema."
            )
        if unbuilt := rebuild.find_unbuilt(session.connection()):
            raise MemoError(f"{place} lacks the {', the '.join(unbuilt)}; run `memo doctor --repair`.")
        if forgets := find_unfinished(session):
            raise MemoError(" ".join(map(describe, forgets)))
        if (pruned := find_last_result(session, PRUNE)).startswith(CLOCK_WAS_SET):
            raise MemoError(
                f"The last pruning {pruned}; check the clock with `date`. "
                "Nothing old is deleted until it has been right for three days."
            )
        if problems := health.find_problems(session, None, home, bool(running.holder(home))):
            raise MemoError(" ".join(problems))
    return f"{place}, schema {found}"


def _refuse_lost(session: "Session", place: str) -> None:
    """Raise MemoError if a table or column of the store is gone; an SQLite store has been looked at before."""
    from db.upkeep.lost_schema import find_lost

    if lost := find_lost(session.connection()):
        raise MemoError(f"In {place} {lost}; run `memo down`, then restore it from what pg_dump wrote.")


def _indexes(home: Home, settings: Settings) -> str:
    """Rebuild lost indexes and views."""
    from db import rebuild
    from db.engine import redacted_store_url, revision
    from db.migrations import head

    refuse_damaged(settings, home, thoroughly=True)
    if missing_file(settings, home):
        return "there is no store yet"
    with open_existing(settings, home) as store, store.write() as session:
        if revision(session.connection()) != head():
            return "`memo up` upgrades the store first"
        _refuse_lost(session, redacted_store_url(settings, home))
        unbuilt = rebuild.find_unbuilt(session.connection())
        rebuild.build(session.connection(), unbuilt)
    return f"made again: {', '.join(unbuilt)}" if unbuilt else "no index and no view is gone"


def _broker(home: Home, settings: Settings) -> str:
    from memo.stack.broker import server

    url = broker_url(home, settings)
    if settings.broker_url or running.holder(home):
        check_broker(url)
        if running.state(home) and (problem := measure_queues(home, settings)[1]):
            raise MemoError(problem)
        if refused := refusals.count(home):
            raise MemoError(
                f"MEMO refused {refused} messages in its queue on {redact_url(url)}, which no part of it had written; "
                f"keep other programs from writing there, and delete {refusals.file(home)}, which has the reasons."
            )
        return " ".join([f"{redact_url(url)} answers.", *running.state(home).get("notices", [])])
    return f"embedded, {Path(server(home)[0]).name}"


def _zone(home: Home, settings: Settings) -> str:
    if notice := unknown_zone_notice(home, settings):
        raise MemoError(notice)
    now = datetime.now(settings.zone)
    return f"{settings.timezone or now.tzname()}, UTC{now:%z}, now {now:%H:%M}"


def _model(home: Home, settings: Settings) -> str:
    from db.upkeep import health
    from worker.predictors.serving import open_predictor

    with read_session(settings, home) as session:
        if session and (unusable := health.find_unusable_versions(session, settings, home)):
            raise MemoError(" ".join(unusable))
    name, folder, _ = find_active_version(settings, home)
    open_predictor(settings.model, name, folder)
    return f"base {settings.model.base}, version {name}"


def _parts(home: Home, settings: Settings) -> str:
    if not (state := running.state(home)):
        return "none is running; `memo up` starts them"
    if state["problems"]:
        raise MemoError(" ".join(state["problems"]))
    return ", ".join(f"{part['name']} {part['state']}" for part in state["parts"])


def _settings(home: Home, settings: Settings) -> str:
    from collector.plugins import installed_names
    from worker.handlers import installed

    handlers = settings.dispatch.routed.union(settings.dispatch.on).difference(installed())
    sources = set(settings.sources.on) - installed_names()
    if unknown := [*sorted(handlers), *sorted(sources)]:
        raise MemoError(
            f"No installed package provides {', '.join(unknown)}; correct the name in {home.config}, "
            "or install its package."
        )
    return f"{home.config}, scope {settings.scope}"


def _sources(home: Home, settings: Settings) -> str:
    from db.upkeep import health

    with read_session(settings, home) as session:
        if problems := health.find_source_problems(session, home):
            raise MemoError(" ".join(problems))
    present = [name for name, source in running.sources(home).items() if source["state"] != "missing"]
    return f"{', '.join(present)} watching" if present else "none is running; `memo sources` lists what each one needs"


def _counts(home: Home, settings: Settings) -> str:
    """Count the rows of each day again, and find what its predictions name.

    That takes short transactions, so that MEMO may go on meanwhile.
    """
    from db.intake import counts

    if missing_file(settings, home):
        return "there is no store yet"
    with open_existing(settings, home) as store:
        with store.read() as session:
            days = counts.find_counted_days(session)
        wrong = 0
        with late_progress_bar("counting days") as bar:
            for scope, day in with_progress(days, len(days), bar):
                with store.write() as session:
                    is_right = counts.record_day(session, scope, day)
                wrong += bool(_record_names(store, scope, f"{day:%Y-%m-%d}")) or not is_right
    return f"corrected on {wrong} of {len(days)} days" if wrong else f"right on {len(days)} of {len(days)} days"


def _record_names(store: "Store", scope: str, day: str) -> int:
    """Record what the predictions of a day name; return how many names were missing."""
    from db.intake.events import chunks
    from db.prediction import predicted_names

    with store.read() as session:
        ids = predicted_names.find_unrecorded(session, scope, day)
    missing = 0
    for part in chunks(ids, PART):
        with store.write() as session:
            missing += predicted_names.record_unrecorded(session, scope, day, part)
    return missing


# each check returns what it found or raises what is wrong; they run in this order
CHECKS: dict[str, Callable[[Home, Settings], str]] = {
    "home": _home,
    "settings": _settings,
    "zone": _zone,
    "store": _store,
    "broker": _broker,
    "model": _model,
    "parts": _parts,
    "sources": _sources,
}
