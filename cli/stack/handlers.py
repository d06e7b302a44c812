"""`memo handlers`: what acts on predictions, and whether it pays."""

import json
from contextlib import suppress
from datetime import datetime
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer

from cli.terminal.store_access import read_session
from cli.terminal.text import safe
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings

COUNTS = ("goes", "dry", "failed", "overrun", "stopped", "hits", "known", "waste", "read_bytes")
NOTHING: dict[str, Any] = dict.fromkeys(COUNTS, 0) | {"saved_s": 0.0, "cost_s": 0.0}
COLUMNS = ("goes", "dry", "hits", "waste")
HEAD = f"{'handler':17}{'state':9}{''.join(f'{name:>7}' for name in COLUMNS)}{'MB':>8}{'saved':>11}{'balance':>11}"


def handlers(as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False) -> None:
    """List each handler: on, dry (counted, and nothing is done), off, or resting since it did not pay; and its ledger.

    A go that came true in time is a hit, else waste. The balance is what was saved less what that cost; hits of which
    nobody knows what they saved do not count, nor does as large a share of the waste.
    """
    settings, home = Settings.load(), Home.find()
    found = collect(home, settings)
    if as_json:
        print(json.dumps(found))
        return
    print(HEAD)
    for one in found:
        counts = "".join(f"{one[name]:>7}" for name in COLUMNS)
        print(
            f"{safe(one['name']):17}{one['state']:9}{counts}{one['read_bytes'] / 1e6:>8.0f}"
            f"{one['saved_s']:>9.1f} s{one['balance_s']:>+9.1f} s  {safe(one['says'])}".rstrip()
        )


def collect(home: Home, settings: Settings) -> list[dict[str, Any]]:
    """Name, state, words and ledger of each handler that is installed or named, as JSON."""
    ledgers, resting = _figures(home, settings)
    installed = {entry.name for entry in entry_points(group="memo.handlers")}
    return [
        {"name": name}
        | _state(name, settings, installed, resting.get(name))
        | (figures := NOTHING | ledgers.get(name, {}))
        | {"balance_s": figures["saved_s"] - figures["cost_s"]}
        for name in sorted(installed | set(settings.dispatch.on) | settings.dispatch.routed)
    ]


def _state(name: str, settings: Settings, installed: set[str], resting: dict[str, Any] | None) -> dict[str, Any]:
    given = settings.dispatch
    if name not in installed:
        return {
            "state": "missing",
            "says": "install the package that brings it, or take it out of [dispatch] in memo.toml",
        }
    if name not in given.routed:
        return {"state": "off", "says": "name it in dispatch.routes or dispatch.upcoming in memo.toml"}
    if name not in given.on:
        return {"state": "dry", "says": "add it to dispatch.on in memo.toml"}
    if resting:
        until = datetime.fromisoformat(resting["until"]).astimezone(settings.zone)
        says = f"turned itself off until {until:%Y-%m-%d %H:%M}: {resting['reason']}"
        return {"state": "resting", "says": says, "until": resting["until"]}
    return {"state": "on", "says": ""}


def _figures(home: Home, settings: Settings) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The ledger of each handler, and those that rest; nothing where the store fails, for `memo status` says so."""
    from db.dispatch import handlers as rows
    from db.dispatch import ledger

    with suppress(MemoError), read_session(settings, home) as session:
        if session:
            resting = {one["handler"]: one for one in rows.find_all_resting(session, settings.scope)}
            return ledger.find_totals(session, settings.scope), resting
    return {}, {}
