"""`memo doctor`: what is wrong, and what to do."""

import json
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from cli.terminal.progress import spinner
from cli.terminal.text import safe
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running
from memo.stack.broker import broker_url, check_broker, redact_url
from memo.stack.child import ChildState

LEAST_FREE = 500_000_000
"""Bytes on the disk of the home."""


def doctor(as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False) -> None:
    """Check settings, folders, store, broker, model and parts; say what to do about what is wrong."""
    home, settings = Home.find(), Settings.load()
    results = []
    for name, examine in CHECKS.items():
        try:
            with spinner(f"looking at the {name}"):
                says = examine(home, settings)
            results.append({"check": name, "ok": True, "says": says})
        except MemoError as error:
            results.append({"check": name, "ok": False, "says": str(error)})
        if not as_json:
            mark = "ok   " if results[-1]["ok"] else "WRONG"
            print(f"{mark} {name:9} {safe(str(results[-1]['says']))}", flush=True)
    if as_json:
        print(json.dumps(results))
    sys.exit(0 if all(result["ok"] for result in results) else 1)


def _home(home: Home, settings: Settings) -> str:
    if home.root.stat().st_mode & 0o077:
        raise MemoError(f"Others can read {home.root}; run `chmod 700 {home.root}`.")
    if (free := shutil.disk_usage(home.root).free) < LEAST_FREE:
        raise MemoError(f"Only {free / 1e6:.0f} MB are free where {home.root} stands; make room.")
    return f"{home.root}, {free / 1e9:.0f} GB free"


def _store(home: Home, settings: Settings) -> str:
    from db import migrate
    from db.engine import open_store, redacted_store_url, revision, sqlite_path, store_url

    place, file = redacted_store_url(settings, home), sqlite_path(store_url(settings, home))
    if file is not None and not file.exists():
        return f"{place} will be made by `memo up`"
    store = open_store(settings, home)
    try:
        with store.read() as session:
            found = revision(session.connection())
    finally:
        store.close()
    if found != migrate.head():
        raise MemoError(
            f"{place} has schema {found}, this MEMO {migrate.head()}; `memo up` brings an older one up to date."
        )
    return f"{place}, schema {found}"


def _broker(home: Home, settings: Settings) -> str:
    from memo.stack.broker import server

    url = broker_url(home, settings)
    if settings.broker_url or running.holder(home):
        check_broker(url)
        return f"{redact_url(url)} answers"
    return f"embedded, {Path(server(home)[0]).name}"


def _model(home: Home, settings: Settings) -> str:
    from cli.terminal.store_access import read_session
    from db.prediction import versions
    from worker.predictors.serving import open_predictor

    with read_session(settings, home) as session:
        row = versions.find_serving(session, settings.scope, settings.scope) if session else None
    name, folder = (row.id, Path(row.path)) if row else (versions.BUILTIN, None)
    open_predictor(settings.model, name, folder)
    return f"base {settings.model.base}, version {name}"


def _parts(home: Home, settings: Settings) -> str:
    if not (state := running.state(home)):
        return "none runs; `memo up` starts them"
    failed = [part["name"] for part in state["parts"] if part["state"] == ChildState.FAILED]
    if failed:
        raise MemoError(f"{', '.join(failed)} died too often; see {home.logs}, then `memo down` and `memo up`.")
    return ", ".join(f"{part['name']} {part['state']}" for part in state["parts"])


def _settings(home: Home, settings: Settings) -> str:
    given = settings.dispatch
    named = {"memo.handlers": given.routed | set(given.on), "memo.sources": set(settings.sources.on)}
    unknown = [
        name
        for group, names in named.items()
        for name in sorted(names - {one.name for one in entry_points(group=group)})
    ]
    if unknown:
        raise MemoError(
            f"nothing that is installed is called {', '.join(unknown)}; mend the name in {home.config}, "
            "or install the package that brings it"
        )
    return f"{home.config}, scope {settings.scope}"


def _sources(home: Home, settings: Settings) -> str:
    found = running.sources(home)
    there = {name: one for name, one in found.items() if one["state"] != "missing"}
    if said := [f"{name}: {one['says']}" for name, one in there.items() if one["says"]]:
        raise MemoError("; ".join(said))
    return f"{', '.join(there)} watching" if there else "none runs; `memo sources` says what each needs"


CHECKS: dict[str, Callable[[Home, Settings], str]] = {
    "home": _home,
    "settings": _settings,
    "store": _store,
    "broker": _broker,
    "model": _model,
    "parts": _parts,
    "sources": _sources,
}
"""Each says what it found, or raises what is wrong; in this order."""
