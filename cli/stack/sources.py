"""`memo sources`: what notices what you do."""

import json
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer

from cli.terminal.store_access import read_session
from cli.terminal.text import safe
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running


def sources(as_json: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False) -> None:
    """List each source: off, on, what it does now, or what this machine lacks for it and how to get that.

    Choose them in memo.toml, for example: `[sources]`, then `on = ["inbox", "x11", "web"]`.
    """
    found = collect(Home.find(), Settings.load())
    if as_json:
        print(json.dumps(found))
        return
    for source in found:
        private = f"({sum(source['private'].values())} events kept out or changed)" if source["private"] else ""
        print(f"{safe(source['name']):14}{source['state']:10}{safe(doing(source))} {private}".rstrip())
        if "reading" in source and sys.stdout.isatty():
            _show_bar(**source["reading"])


def doing(source: dict[str, Any]) -> str:
    """What a source says, and how far it has read what was before."""
    past = source.get("reading")
    read = f"reading the past, {past['done']:,} of {past['total']:,}" if past else ""
    return "; ".join(filter(None, (read, source["says"])))


def _show_bar(done: int, total: int) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.progress_bar import ProgressBar

    Console().print(Padding(ProgressBar(total, done, width=40), (0, 0, 0, 24)))


def collect(home: Home, settings: Settings) -> list[dict[str, Any]]:
    """Name, state, words and failures of each source, and on how many of its events each rule acted, as JSON."""
    from collector import plugins

    now, private = running.sources(home), _private(home, settings)
    return [
        {
            "name": name,
            "failures": 0,
            "private": private.get(name, {}),
            **(now.get(name) or _resting(name, settings, home)),
        }
        for name in sorted(plugins.installed_names() | set(settings.sources.on))
    ]


def _resting(name: str, settings: Settings, home: Home) -> dict[str, str]:
    """Of a source that does not run."""
    from collector import plugins

    if name not in settings.sources.on:
        return {"state": "off", "says": "add it to sources.on in memo.toml"}
    try:
        lacks = plugins.make_source(name, settings, home).missing()
    except Exception as error:  # of another's package
        return {"state": "failed", "says": f"{type(error).__name__}: {error}"}
    return {"state": "missing" if lacks else "on", "says": lacks}


def _private(home: Home, settings: Settings) -> dict[str, dict[str, int]]:
    from db.intake import redactions

    with suppress(MemoError), read_session(settings, home) as session:  # where the store fails, `memo status` says so
        return redactions.count_by_source(session) if session else {}
    return {}
