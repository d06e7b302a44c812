"""`memo sources`: list the sources of events."""

import sys
from typing import Any

from cli.terminal.options import Json
from cli.terminal.output import counted, print_json, print_text
from memo.core.paths import Home
from memo.core.settings import Settings


def sources(as_json: Json = False) -> None:
    """List the sources of events and what each one needs.

    A source is watching (shown as `on` while MEMO is stopped), off, failed, or missing: then this machine lacks
    something that the source needs, and the list says how to get it.

    Choose sources with `memo setup`, or for example with `memo config set sources.on inbox x11 web`.
    """
    from collector.source_list import list_sources

    found = list_sources(Home.find(), Settings.load())
    if as_json:
        print_json(found)
        return
    for source in found:
        changed = sum(source["private"].values())
        private = f"({counted(changed, 'event')} dropped or changed by privacy rules)" if changed else ""
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
