"""`memo forget`: show what a query matches, ask, and delete it with everything derived from it."""

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from cli.terminal.durations import parse_since
from cli.terminal.options import SCOPE, Yes, confirm, flag, option
from cli.terminal.output import counted, print_json, print_text
from cli.terminal.progress import progress_bar
from db.store_access import missing_file, writable_store
from memo.core.errors import MemoError, UsageError
from memo.core.grammar import write
from memo.core.paths import Home
from memo.core.settings import Settings

if TYPE_CHECKING:
    from forget.forget import Report

MAX_SCOPES = 10  # scopes listed by name
NOUNS = {  # of the kinds of rows that a report counts
    "events": "event",
    "predictions": "prediction",
    "amended": "prediction",
    "dispatches": "dispatch",
    "launches": "launch",
}
POSTGRES = (
    "Postgres may still hold deleted words in its files, in its log (pg_wal) and in your archives of that, until it "
    "reuses them; docs/privacy.md says how to clear them."
)


def forget(
    app: Annotated[str, option(metavar="NAME", help="Only events of this app, by any of its names.")] = "",
    site: Annotated[str, option(metavar="DOMAIN", help="Only visits to this site and its subdomains.")] = "",
    text: Annotated[str, option(metavar="TEXT", help="Only events whose title, site or path contains TEXT.")] = "",
    since: Annotated[str, option(metavar="1d|TIME", help="Only events at or after this time.")] = "",
    until: Annotated[str, option(metavar="1d|TIME", help="Only events before this time.")] = "",
    all_: Annotated[bool, flag("--all", "Forget everything.")] = False,
    scope: Annotated[
        str | None,
        option(metavar="USER@HOST", help=f"Only events of this scope ({SCOPE}); all scopes by default."),
    ] = None,
    yes: Yes = False,
    as_json: Annotated[bool, flag("--json", "Print JSON; nothing is deleted without --yes.")] = False,
) -> None:
    """Show the events that match all options, then delete them and everything derived from them.

    Example: `memo forget --app firefox-esr --since 2h`

    An app may be given by its name in `memo watch` or in menus, by its program, or by the class of its windows.
    """
    settings, home = Settings.load(), Home.find()
    if all_ == any((app, site, text, since, until)):
        raise UsageError("Say what to forget: --app, --site, --text, --since, --until, or --all alone.")
    if file := missing_file(settings, home):
        raise MemoError(f"There is no store at {file}, so there is nothing to forget.")
    with writable_store(settings, home) as store:
        from forget import forget as erasure
        from forget import unfinished
        from forget.query import ForgetQuery

        now = datetime.now(UTC)
        begin = parse_since(since, settings.zone, now, "--since") if since else None
        end = parse_since(until, settings.zone, now, "--until") if until else None
        query = ForgetQuery(app, site, text, begin, end, scope)
        with progress_bar("looking") as progress:
            report = erasure.preview(store, settings, query, progress)
        if not as_json:
            _print_preview(report, settings)
            for mark in report.unfinished:
                print_text(f"Another forget: {unfinished.describe(mark)}")
        if report.is_found and (yes or (not as_json and confirm("Forget this for good?", "forgotten", "forgets"))):
            with progress_bar("forgetting") as progress:
                report = erasure.forget(store, settings, home, query, progress, report)
            if not as_json:
                print_text(_summary(report))
            if not as_json and settings.database_url.startswith("postgresql"):
                print_text(POSTGRES)
    if as_json:
        print_json(_as_json(report, settings))


def _as_json(report: "Report", settings: Settings) -> dict[str, Any]:
    matches, span = report.matches, report.matches.span
    return {
        "apps": sorted(matches.apps),
        "kinds": matches.kinds,
        "scopes": {scope: len(times) for scope, times in matches.times.items()},
        "from": span and span[0].isoformat(),
        "to": span and span[1].isoformat(),
        "examples": [write(event, settings.language) for event in matches.examples],
        **dict.fromkeys(NOUNS, 0),
        **report.rows,
        "all_predictions": report.all_predictions,
        "versions": report.versions,
        "unfinished": report.unfinished,
        "found": report.is_found,
        "forgotten": report.is_forgotten,
    }


def _print_preview(report: "Report", settings: Settings) -> None:
    if not report.is_found:
        print("Nothing in the store matches; `memo watch` shows the names of apps and sites.")
        return
    matches, rows = report.matches, report.rows
    counts = {scope: len(times) for scope, times in matches.times.items()}
    print_text(f"{counted(rows['events'], 'event')}{_span(report, settings)}")
    for name, count in (*sorted(matches.kinds.items()), *_top_scopes(counts)):
        print_text(f"  {count:>8} {name}")
    if matches.apps:
        print_text(f"  Names of the app: {', '.join(sorted(matches.apps))}")
    for event in matches.examples:
        print_text(f"  {write(event, settings.language)}")
    print_text(
        f"Predictions deleted because they follow these events: {rows['predictions']} of {report.all_predictions}. "
        f"Others that lose only what names these events, such as a candidate or an outcome: {rows['amended']}."
    )
    print_text(
        f"Also deleted: {counted(rows['dispatches'], 'dispatch')} and {counted(rows['launches'], 'launch')} that "
        "depend on them or name them, what was learned from them, MEMO's logs, backups of the store, and damaged files "
        "that were set aside."
    )
    if report.versions:
        print_text(f"Trained on them, and deleted too: {', '.join(report.versions)}.")


def _span(report: "Report", settings: Settings) -> str:
    if report.matches.span is None:
        return "."
    first, last = (time.astimezone(settings.zone) for time in report.matches.span)
    return f" from {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S}; the newest come last:"


def _top_scopes(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Return the scopes with most events, then what all others have together; nothing for a single scope."""
    if len(counts) < 2:
        return []
    ordered = Counter(counts).most_common()
    rest = sum(count for _, count in ordered[MAX_SCOPES:])
    return ordered[:MAX_SCOPES] + ([("in other scopes", rest)] if rest else [])


def _summary(report: "Report") -> str:
    deleted = ", ".join(counted(report.rows[kind], noun) for kind, noun in NOUNS.items() if kind != "amended")
    amended = f" {counted(report.rows['amended'], 'prediction')} lost what named these events."
    names = ", ".join(report.versions)
    versions = f" The built-in version serves instead of {names}; `memo train` makes a new one." if names else ""
    return f"Forgotten: {deleted}.{amended}{versions}"
