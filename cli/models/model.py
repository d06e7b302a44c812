"""`memo model`: manage trained versions and the base model under them."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.terminal.options import Json, argument, scope_option
from cli.terminal.output import print_json, print_table, print_text
from db.store_access import writable_store
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.store import manifest
from worker.predictors.language_model.weights import BUILTIN

if TYPE_CHECKING:
    from rich.console import Console

SCORES = ("hit@1", "hit@3", "mrr", "log_loss", "ece")
COSTS = {"latency_ms": "ms", "memory_mb": "MB"}  # columns; versions of earlier releases lack the second

app = typer.Typer(help="List and manage trained versions.", no_args_is_help=True)

Scope = Annotated[str | None, scope_option("Scope whose version changes")]


@contextmanager
def _store(scope: str | None = None) -> Iterator[tuple[Settings, Any]]:
    """Yield the settings and a session for one transaction."""
    settings = Settings.load(scope=scope or None)
    with writable_store(settings, Home.find()) as store, store.write() as session:
        yield settings, session


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List all versions, newest first.

    A scope without an active version is served by that of the scope in the settings or, if that has none, by the
    built-in version, which fits the built-in base model only. A version shown as `active, off` is chosen but not used:
    MEMO predicts in its scope from history alone, without a language model, because predictions became worse or because
    you ran `memo model activate history`.
    """
    from db.prediction import versions

    with _store() as (settings, session):
        rows = [
            _row(row) | {"serves": versions.find_serving_name(session, row.scope, settings.scope) == row.id}
            for row in versions.find_versions(session)
        ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(("version", "state", "scope", "created", "events", "base"), map(_as_cells, rows))
    else:
        print("No version is trained yet, so the built-in one serves; `memo train` makes one.")


@app.command()
def show(
    version: Annotated[str, argument(metavar="VERSION", help="Name of a version, or builtin.")], as_json: Json = False
) -> None:
    """Show a version with its metrics."""
    from db.prediction import versions

    with _store() as (settings, session):
        if version == versions.BUILTIN:
            row = _builtin(active=versions.find_serving_name(session, settings.scope, settings.scope) == version)
        else:
            row = _row(versions.find_version(session, version))
    if as_json:
        print_json(row)
        return
    from rich.console import Console

    from training.judgement import describe_live

    console, verdict = Console(), row["metrics"].pop("judged", None)
    console.print_json(data=row)
    if reason := row["metrics"].get("taken_back"):
        console.print(f"\nTaken back: {reason}", markup=False, highlight=False)
    elif live := row["metrics"].get("live"):
        console.print(f"\nServed: {describe_live(live)}.", markup=False, highlight=False)
    if verdict:
        console.print(f"\n{verdict['reason']}", markup=False, highlight=False)
        for view, found in verdict["table"].items():
            _show_scores(console, view, found, [verdict.get(cost, {}) for cost in COSTS])


def _show_scores(console: "Console", view: str, found: dict[str, Any], costs: list[dict[str, float]]) -> None:
    """Print how a version and its rivals predicted in one view, if there were questions enough."""
    from cli.models.score_table import score_table

    if "n" in found:
        console.print(f"\n{view}: {found['n']} questions are too few for figures.", highlight=False)
        return
    rows = {name: [*map(scores.get, SCORES), *(cost.get(name) for cost in costs)] for name, scores in found.items()}
    console.print(f"\n{view}, {found['candidate']['n']} questions", highlight=False)
    console.print(score_table((*SCORES, *COSTS.values()), rows))


@app.command()
def activate(
    version: Annotated[
        str,
        argument(
            metavar="VERSION",
            help="Name of a version, builtin, or history; with history, MEMO predicts without a language model.",
        ),
    ],
    scope: Scope = None,
) -> None:
    """Use a version from the next prediction on."""
    from training import build_version

    with _store(scope) as (settings, session):
        build_version.activate(session, settings.scope, version)
    print_text(f"{version} now serves {settings.scope}.")


@app.command()
def rollback(scope: Scope = None) -> None:
    """Return to the version that was active before."""
    from training import build_version

    with _store(scope) as (settings, session):
        version = build_version.roll_back(session, settings.scope)
    print_text(f"{version} serves {settings.scope} again.")


@app.command()
def prune(
    scope: Annotated[str | None, scope_option("Scope whose old versions are deleted")] = None,
) -> None:
    """Delete the files of old versions.

    These stay: the active version, the one it replaced, the best one, and the newest others, as many as the setting
    schedule.keep_versions says.
    """
    from training import promote

    settings, home = Settings.load(scope=scope or None), Home.find()
    with writable_store(settings, home) as store:
        deleted = promote.prune(store, settings, settings.scope)
    print_text(f"Deleted {', '.join(sorted(deleted))}." if deleted else "No version is old enough to be deleted.")


@app.command()
def pull(
    name: Annotated[
        str,
        argument(
            metavar="NAME|FOLDER|FILE",
            help="OWNER/NAME on the hub, a folder with config.json and weights, or a GGUF file.",
        ),
    ],
) -> None:
    """Copy a base model from the Hugging Face hub, a folder or a GGUF file into MEMO's folder."""
    from memo.core import logs
    from training import pull as base

    home = Home.find()
    logs.setup(home.logs, "cli")
    folder = base.pull(name, home)
    print_text(
        f"The model is in {folder}. Run `memo config set model.base {shlex.quote(str(folder))}` and "
        "`memo train --activate`, then `memo down` and `memo up`."
    )


def _as_cells(row: dict[str, Any]) -> tuple[str, ...]:
    created, events = row["created_at"][:19], str(row["metrics"].get("events", ""))
    state = "active, off" if row["state"] == "active" and not row["serves"] else row["state"]
    return row["version"], state, row["scope"], created, events, row["base"]


def _row(row: Any) -> dict[str, Any]:
    return {
        "version": row.id,
        "scope": row.scope,
        "state": row.state,
        "created_at": row.created_at.isoformat(),
        "base": row.base,
        "parent": row.parent,
        "path": str(Home.find().version(row.path)),
        "metrics": dict(row.metrics),
    }


def _builtin(active: bool) -> dict[str, Any]:
    """Return the built-in version, which has no row; its metrics are in its manifest."""
    folder = BUILTIN / "adapter"
    made = manifest.read(folder)
    data = made["data"]
    return {
        "version": "builtin",
        "scope": None,
        "state": "active" if active else "retired",
        "created_at": None,
        "base": "builtin",
        "parent": None,
        "path": str(folder),
        "metrics": made["metrics"] | {"events": data["events"], "span": [data["from"], data["to"]]},
    }
