"""`memo forget`: remove what is stored, and all that was made of it, after a look at it."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.terminal.progress import progress_bar
from cli.terminal.store_access import writable_store
from cli.terminal.text import safe
from forget import erase_files
from memo.core.durations import parse_since
from memo.core.errors import MemoError, UsageError
from memo.core.grammar import write
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.desktop import launch_sets
from memo.stack import running
from memo.stack.broker import broker_url, check_broker

if TYPE_CHECKING:
    from db.engine import Store
    from forget.match import Matches
    from forget.query import ForgetQuery

SCOPES = 10
"""That are named."""


def forget(
    app: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Of this app, by any of its names.",
            show_default=False,
        ),
    ] = "",
    site: Annotated[str, typer.Option(metavar="DOMAIN", help="Of this site and those below.", show_default=False)] = "",
    text: Annotated[str, typer.Option(metavar="TEXT", help="With this in any text of it.", show_default=False)] = "",
    since: Annotated[str, typer.Option(metavar="1d|TIME", help="From then on.", show_default=False)] = "",
    until: Annotated[str, typer.Option(metavar="1d|TIME", help="Before then.", show_default=False)] = "",
    all_: Annotated[bool, typer.Option("--all", help="Everything.")] = False,
    scope: Annotated[str | None, typer.Option(help="Only this one's; else all.", show_default=False)] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON; without --yes nothing is removed.")] = False,
) -> None:
    """Show what is meant, then remove it and all that was made of it: for good, also from a running MEMO.

    What is given holds together: `memo forget --app firefox-esr --since 2h`

    Any whole name of an app will do: in `memo watch`, in menus, of its program, of its windows' class.
    """
    settings, home = Settings.load(), Home.find()
    given = (app, site, text, since, until)
    if all_ == any(given):
        raise UsageError("Say what to forget: --app, --site, --text, --since, --until, or --all alone.")
    with _opened(settings, home) as store:
        task = _Task(settings, home, store)
        wanted = _wanted(settings, app, site, text, since, until, scope)
        seen = task.look(replace(wanted, known_as=_known_as(store, home, app)))
        if not as_json:
            _show(seen, settings)
        if seen["found"] and (yes or (not as_json and _agreed())):
            seen |= task.forget()
            if not as_json:
                print(safe(_said(seen)))
    if as_json:
        print(json.dumps(seen))


def _wanted(
    settings: Settings, app: str, site: str, text: str, since: str, until: str, scope: str | None
) -> "ForgetQuery":
    from forget.query import ForgetQuery

    now = datetime.now(UTC)
    begin, end = (
        parse_since(time, settings.zone, now, option) if time else None
        for time, option in ((since, "--since"), (until, "--until"))
    )
    return ForgetQuery(app, site, text, begin, end, scope)


def _known_as(store: "Store", home: Home, app: str) -> frozenset[str]:
    """What an app that a person names is called in the store."""
    from forget import match
    from forget.query import plain
    from memo.desktop.apps import Apps, is_interpreter

    if not app:
        return frozenset()
    names = Apps().called(app)
    if not is_interpreter(app):
        with store.read() as session:
            told = match.app_executables(session) | {(known.app, known.executable) for known in launch_sets.every(home)}
        names |= {name for name, executable in told if plain(executable.rpartition("/")[2]) == plain(app)}
    return frozenset(map(plain, names - {""}))


@contextmanager
def _opened(settings: Settings, home: Home) -> Iterator["Store"]:
    from db.engine import sqlite_path, store_url

    file = sqlite_path(store_url(settings, home))
    if file is not None and not file.exists():
        raise MemoError(f"There is no store at {file}, so there is nothing to forget.")
    with writable_store(settings, home) as store:
        yield store


@dataclass
class _Task:
    settings: Settings
    home: Home
    store: "Store"

    def look(self, wanted: "ForgetQuery") -> dict[str, Any]:
        """What would go, as JSON."""
        from db.upkeep import deletion
        from forget import match

        with self.store.read() as session:
            with progress_bar("looking") as progress:
                self.what = match.find_matches(session, wanted, progress)
            ids = self.predictions = match.matching_predictions(session, self.what)
            begun = match.matching_launches(session, wanted)
            return _as_json(self.what, self.settings) | {
                "predictions": len(ids),
                "dispatches": deletion.count_dispatches(session, ids),
                "versions": [version.id for version in match.trained_versions(session, self.what)],
                "launches": len(begun),
                "found": bool(self.what.ids or ids or begun or self._sets(wanted) or wanted.everything),
                "forgotten": False,
            }

    def forget(self) -> dict[str, Any]:
        """Remove it; what went, as JSON."""
        from db.upkeep import deletion
        from forget import erase_rows

        if self.settings.broker_url or running.holder(self.home):
            check_broker(broker_url(self.home, self.settings))  # before anything is gone
        with progress_bar("forgetting") as progress:
            steps = (
                partial(erase_rows.unlearn, predictions=self.predictions),
                partial(erase_rows.forget, progress=progress),
            )
            removed, versions = Counter[str](), dict[str, str]()
            for step in steps:
                rows, taught = step(self.store, self.what)
                erase_files.remove_versions(self.home, map(Path, taught.values()))
                removed, versions = removed + rows, versions | taught
        erase_files.empty_logs(self.home)
        erase_files.clear_learned(self.home)
        self._clear_files()
        emptied = deletion.release_space(self.store)
        erase_files.clear_messages(self.home, self.settings)
        if not emptied:
            raise MemoError("A program that reads memo.db keeps memo.db-wal from being emptied; close it, try again.")
        return {**removed, "versions": list(versions), "forgotten": True}

    def _clear_files(self) -> None:
        from db.prediction import predictions
        from forget.query import plain

        recorded = erase_files.recorded(self.home)
        with self.store.read() as session:
            there = predictions.find_existing(session, [line["prediction"] for line in recorded])
        erase_files.clear_record(
            self.home, lambda line: line["prediction"] in there and not self.what.names(line["scope"], line)
        )
        wanted = self.what.wanted
        for path in self._sets(wanted):
            path.unlink(missing_ok=True)
        if wanted.everything or wanted.text:
            erase_files.clear_rejects(self.home, lambda name: plain(wanted.text) in plain(name))

    def _sets(self, wanted: "ForgetQuery") -> list[Path]:
        """The files that say what an app that is meant reads when it starts."""
        if wanted.scope not in (None, self.settings.scope):
            return []
        zone = self.settings.zone
        return launch_sets.meant(
            self.home,
            lambda known: any(wanted.means_launch(known.app, *span, known.files) for span in known.spans(zone)),
        )


def _as_json(what: "Matches", settings: Settings) -> dict[str, Any]:
    span = what.span
    return {
        "events": len(what.ids),
        "apps": sorted(what.apps),
        "kinds": what.kinds,
        "scopes": {scope: len(times) for scope, times in what.times.items()},
        "from": span and span[0].isoformat(),
        "to": span and span[1].isoformat(),
        "examples": [write(event, settings.language) for event in what.examples],
    }


def _show(seen: dict[str, Any], settings: Settings) -> None:
    if not seen["found"]:
        print("Nothing that is stored is meant by that; apps and sites are called as `memo watch` shows them.")
        return
    print(f"{seen['events']} events{_between(seen, settings)}")
    for name, count in (*sorted(seen["kinds"].items()), *_scopes(seen)):
        print(safe(f"  {count:>8} {name}"))
    if seen["apps"]:
        print(safe(f"  Apps that are meant: {', '.join(seen['apps'])}"))
    for line in seen["examples"]:
        print(safe(f"  {line}"))
    print(
        f"{seen['predictions']} predictions, {seen['dispatches']} dispatches and {seen['launches']} launches hang on "
        "them or name them; what was learned from them goes too, and so do MEMO's logs."
    )
    if seen["versions"]:
        print(safe(f"Trained on them, and removed too: {', '.join(seen['versions'])}."))


def _between(seen: dict[str, Any], settings: Settings) -> str:
    if not seen["from"]:
        return "."
    first, last = (datetime.fromisoformat(seen[end]).astimezone(settings.zone) for end in ("from", "to"))
    return f" from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}, the newest last:"


def _scopes(seen: dict[str, Any]) -> list[tuple[str, int]]:
    """Where there is more than one: those with most events, then what all others have."""
    counts = Counter(seen["scopes"]).most_common()
    shown, rest = counts[:SCOPES] if len(counts) > 1 else [], sum(count for _, count in counts[SCOPES:])
    return [*shown, ("in other scopes", rest)] if rest else shown


def _agreed() -> bool:
    try:
        agreed = typer.confirm("Forget this for good?", err=True)
    except typer.Abort as nobody:
        raise UsageError("Nobody answered, so nothing was forgotten; --yes forgets without asking.") from nobody
    if not agreed:
        raise MemoError("Nothing was forgotten.")
    return True


def _said(seen: dict[str, Any]) -> str:
    went = ", ".join(f"{seen.get(kind, 0)} {kind}" for kind in ("events", "predictions", "dispatches", "launches"))
    versions = f" The built-in version serves instead of {', '.join(seen['versions'])}; `memo train` makes a new one."
    return f"Forgotten: {went}.{versions if seen['versions'] else ''}"
