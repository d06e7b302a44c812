"""`memo sources`: list the sources of events."""

import sys
from contextlib import suppress
from typing import Any

from cli.terminal.options import Json
from cli.terminal.output import print_json, print_text
from db.store_access import read_session
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running


def sources(as_json: Json = False) -> None:
    """List the sources of events and what each one needs.

    A source is watching, off, failed, or missing something on this machine; the list says how to get that.

    Choose sources in memo.toml, for example `sources.on = ["inbox", "x11", "web"]`.
    """
    found = collect(Home.find(), Settings.load())
    if as_json:
        print_json(found)
        return
    for source in found:
        changed = sum(source["private"].values())
        private = f"({changed} events dropped or changed by privacy rules)" if changed else ""
        print_text(f"{source['name']:14}{source['state']:10}{doing(source)} {private}".rstrip())
        if "reading" in source and sys.stdout.isatty():
            _show_bar(**source["reading"])


def doing(source: dict[str, Any]) -> str:
    """Return what a source reports, and how much of its past it has imported."""
    past = source.get("reading")
    imported = f"importing the past, {past['done']:,} of {past['total']:,}" if past else ""
    return "; ".join(filter(None, (imported, source["says"])))


def _show_bar(done: int, total: int) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.progress_bar import ProgressBar

    Console().print(Padding(ProgressBar(total, done, width=40), (0, 0, 0, 24)))


def collect(home: Home, settings: Settings) -> list[dict[str, Any]]:
    """Return each source's name, state, report, failures and count of events per privacy rule, as JSON."""
    from collector import plugins

    live, private = running.sources(home), _private(home, settings)
    return [
        {
            "name": name,
            "failures": 0,
            "private": private.get(name, {}),
            **(live.get(name) or _idle(name, settings, home)),
        }
        for name in sorted(plugins.installed_names() | set(settings.sources.on))
    ]


def _idle(name: str, settings: Settings, home: Home) -> dict[str, str]:
    """Return state and report of a source that is not running."""
    from collector import plugins

    if name not in settings.sources.on:
        return {"state": "off", "says": "add it to sources.on in memo.toml"}
    try:
        lacks = plugins.make_source(name, settings, home).missing()
    except Exception as error:  # a plug-in may raise anything
        return {"state": "failed", "says": f"{type(error).__name__}: {error}"}
    return {"state": "missing" if lacks else "on", "says": lacks}


def _private(home: Home, settings: Settings) -> dict[str, dict[str, int]]:
    from db.intake import redactions

    with suppress(MemoError), read_session(settings, home) as session:  # `memo status` reports a store that fails
        return redactions.count_by_source(session) if session else {}
    return {}
