"""`memo train`: a version from files, or from the store."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.terminal.progress import progress_bar
from cli.terminal.store_access import writable_store
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings


def train(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE…]", readable=False, show_default=False)] = None,
    activate: Annotated[bool, typer.Option("--activate", help="Let it serve the scope.")] = False,
    scope: Annotated[str | None, typer.Option(help="Whose version this is.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a sentence.")] = False,
) -> None:
    """Fine-tune on the events of FILES, or on those that are stored."""
    from db.intake import events
    from db.prediction import versions
    from memo.core import logs
    from training import build_version

    settings, home = Settings.load(**({"scope": scope} if scope else {})), Home.find()
    logs.setup(home.logs, "cli")
    given = _from_files(files, settings) if files else None
    with writable_store(settings, home) as store:
        forgotten = build_version.find_last_forgotten(store)
        with store.read() as session:
            seen = list(events.find_all_events(session, settings.scope)) if given is None else given
        with progress_bar("training") as progress:
            version = build_version.build_version(store, home, settings, seen, settings.scope, progress, forgotten)
        with store.write() as session:
            if activate:
                build_version.activate(session, settings.scope, version)
            row = versions.find_version(session, version)
    if as_json:
        print(json.dumps({"version": version, "scope": row.scope, "state": row.state, "metrics": row.metrics}))
    else:
        then = f"it serves {row.scope}" if activate else f"`memo model activate {version}` lets it serve {row.scope}"
        print(f"{version} is trained on {len(seen)} events; {then}.")


def _from_files(files: list[Path], settings: Settings) -> list[Event]:
    from data.importers import events, look_through

    for file in files:
        look_through(file, settings.zone)
    return [event for file in files for event in events(file, settings.zone)]
