"""`memo model`: versions, and the base model under them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.terminal.store_access import writable_store
from memo.core.paths import Home
from memo.core.settings import Settings

app = typer.Typer(help="Trained versions: list, show, pull, activate, rollback.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Scope = Annotated[str | None, typer.Option(help="Whose version is meant.", show_default=False)]
Version = Annotated[str, typer.Argument(metavar="VERSION", show_default=False)]


@contextmanager
def _store(scope: str | None = None) -> Iterator[tuple[Settings, Any]]:
    """The settings and one transaction."""
    settings = Settings.load(**({"scope": scope} if scope else {}))
    with writable_store(settings, Home.find()) as store, store.write() as session:
        yield settings, session


@app.command("list")
def list_(as_json: Json = False) -> None:
    """All versions, newest first; the built-in one serves where none is active."""
    from db.prediction import versions

    with _store() as (_, session):
        rows = [_row(row) for row in versions.find_versions(session)]
    if as_json:
        print(json.dumps(rows))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("version", "state", "scope", "made", "events", "base", box=None)
    for row in rows:
        cells = (row["version"], row["state"], row["scope"], row["created_at"][:19], row["metrics"].get("events", ""))
        table.add_row(*(Text(str(cell)) for cell in (*cells, row["base"])))
    Console().print(table if rows else "No version is trained yet; the built-in one serves. See `memo train`.")


@app.command()
def show(version: Version, as_json: Json = False) -> None:
    """One version ('builtin' too) with its metrics."""
    from db.prediction import versions

    with _store() as (settings, session):
        if version == versions.BUILTIN:
            row = _builtin(active=versions.find_serving(session, settings.scope, settings.scope) is None)
        else:
            row = _row(versions.find_version(session, version))
    if as_json:
        print(json.dumps(row))
        return
    from rich.console import Console

    Console().print_json(data=row)


@app.command()
def activate(version: Version, scope: Scope = None) -> None:
    """Let a version ('builtin' too) serve from the next prediction on."""
    from training import build_version

    with _store(scope) as (settings, session):
        build_version.activate(session, settings.scope, version)
    print(f"{version} serves {settings.scope}.")


@app.command()
def rollback(scope: Scope = None) -> None:
    """Go back to the version that was active before."""
    from db.prediction import versions
    from training import build_version

    with _store(scope) as (settings, session):
        version = build_version.find_replaced(session, settings.scope)
        build_version.require_files(session, version)
        versions.record_active(session, settings.scope, version)
    print(f"{version} serves {settings.scope} again.")


@app.command()
def pull(name: Annotated[str, typer.Argument(metavar="NAME|FOLDER", show_default=False)]) -> None:
    """Fetch a base model from the hub, or take one from a folder, into MEMO's own folder."""
    from memo.core import logs
    from training import pull as base

    home = Home.find()
    logs.setup(home.logs, "cli")
    folder = base.pull(name, home)
    print(
        f'The model stands in {folder}; write base = "{folder}" under [model] in {home.config}, then run `memo train`.'
    )


def _row(row: Any) -> dict[str, Any]:
    return {
        "version": row.id,
        "scope": row.scope,
        "state": row.state,
        "created_at": row.created_at.isoformat(),
        "base": row.base,
        "parent": row.parent,
        "path": row.path,
        "metrics": row.metrics,
    }


def _builtin(active: bool) -> dict[str, Any]:
    """The one without a row; its metrics are those of its own making."""
    import data

    folder = Path(data.__file__).parent / "base"
    return {
        "version": "builtin",
        "scope": None,
        "state": "active" if active else "retired",
        "created_at": None,
        "base": "builtin",
        "parent": None,
        "path": str(folder / "adapter"),
        "metrics": json.loads((folder / "made.json").read_text()),
    }
