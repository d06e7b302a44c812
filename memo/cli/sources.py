"""`memo sources`: what notices what you do."""

import json
from importlib.metadata import entry_points
from typing import Annotated, Any

import typer

from memo import running
from memo.cli.text import safe
from memo.paths import Home
from memo.settings import Settings


def sources(as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False) -> None:
    """List each source: off, on, what it does now, or what this machine lacks for it and how to get that.

    Choose them in memo.toml, for example: `[sources]`, then `on = ["inbox", "x11", "web"]`.
    """
    found = collect(Home.find(), Settings.load())
    if as_json:
        print(json.dumps(found))
        return
    for source in found:
        print(f"{source['name']:14}{source['state']:10}{safe(source['says'])}".rstrip())


def collect(home: Home, settings: Settings) -> list[dict[str, Any]]:
    """Name, state, words and failures of each source, as JSON."""
    now = running.sources(home)
    return [
        {"name": entry.name, "failures": 0, **(now.get(entry.name) or _resting(entry, settings, home))}
        for entry in sorted(entry_points(group="memo.sources"), key=lambda entry: entry.name)
    ]


def _resting(entry: Any, settings: Settings, home: Home) -> dict[str, str]:
    """Of a source that does not run."""
    if entry.name not in settings.sources.on:
        return {"state": "off", "says": "add it to sources.on in memo.toml"}
    lacks = entry.load()(settings, home).missing()
    return {"state": "missing" if lacks else "on", "says": lacks}
