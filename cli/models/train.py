"""`memo train`: train a version on stored events or on files."""

from pathlib import Path
from typing import Annotated

from cli.terminal.options import Json, argument, flag, scope_option
from cli.terminal.output import print_json, print_text
from cli.terminal.progress import progress_bar
from db.store_access import writable_store
from memo.core.errors import UsageError
from memo.core.events import Event
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack import running


def train(
    files: Annotated[
        list[Path] | None,
        argument(
            metavar="FILE", help="Files of events or windows to train on instead of the stored events.", readable=False
        ),
    ] = None,
    activate: Annotated[bool, flag("--activate", "Use the new version for predictions at once.")] = False,
    scope: Annotated[str | None, scope_option("Scope to train for")] = None,
    now: Annotated[
        bool,
        flag(
            "--now",
            "Have the running MEMO train on stored events now, even while you work, and use the version if it "
            "proves better.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Fine-tune the language model on the newest 100,000 stored events or on files."""
    from db.prediction import versions
    from memo.core import logs
    from training import build_version

    if now and (files or activate):
        raise UsageError("--now trains on stored events and judges the version itself; leave out FILE and --activate.")
    settings, home = Settings.load(scope=scope or None), Home.find()
    logs.setup(home.logs, "cli")
    if now:
        _queue(settings, home, as_json)
        return
    from_files = _read_files(files, settings) if files else None
    with writable_store(settings, home) as store:
        forgotten = build_version.find_last_forgotten(store)
        log = build_version.find_events(store, settings, settings.scope) if from_files is None else from_files
        answers = build_version.find_answers(store, settings.scope) if from_files is None else ()
        with progress_bar("training") as progress:
            version = build_version.build_version(
                store, home, settings, log, settings.scope, progress, forgotten, answers
            )
        with store.write() as session:
            if activate:
                build_version.activate(session, settings.scope, version)
            row = versions.find_version(session, version)
    if as_json:
        print_json({"version": version, "scope": row.scope, "state": row.state, "metrics": row.metrics})
    else:
        use = "it now serves" if activate else f"`memo model activate {version}` uses it for"
        print_text(f"{version} is trained on {len(log)} events; {use} {row.scope}.")


def _queue(settings: Settings, home: Home, as_json: bool) -> None:
    """Queue a training that waits for nothing; the dispatcher starts it within seconds."""
    from db.upkeep import runs

    if not running.holder(home):
        raise UsageError("MEMO is not running, so it can't train; `memo up` starts it, and `memo train` trains here.")
    with writable_store(settings, home) as store, store.write() as session:
        runs.record_urgent(session, runs.TRAIN, settings.scope)
    if as_json:
        print_json({"queued": settings.scope})
    else:
        print_text(f"A training for {settings.scope} begins within seconds; `memo status` shows it.")


def _read_files(files: list[Path], settings: Settings) -> list[Event]:
    from data.importers import events, look_through

    for file in files:
        look_through(file, settings.zone)
    return [event for file in files for event in events(file, settings.zone)]
