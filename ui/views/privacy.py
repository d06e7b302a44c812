"""*Privacy*: what is recorded by which source, what the rules removed, pausing, forgetting, and where the files are."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.responses import RedirectResponse, Response

from collector.source_list import list_sources
from db.engine import redacted_store_url, sqlite_path, store_url
from db.intake import events, redactions
from db.store_access import missing_file, writable_store
from forget import forget as erasure
from forget import retire
from forget.erase_files import VERSION
from forget.query import ForgetQuery
from memo.clock import pauses
from memo.core.errors import UsageError
from memo.core.files import find_files
from memo.core.grammar import write
from memo.core.settings import Settings
from ui.charts import day_span
from ui.page import Form, Visit, read_day

STORED = ("at", "operation", "target", "app", "detail", "executable", "source")  # columns that tell what was done
PAUSES = {"30m": timedelta(minutes=30), "2h": timedelta(hours=2), "": None}  # choices; the last one has no end
EXCLUSIONS = {"apps": "Apps", "sites": "Sites", "folders": "Folders", "titles": "Titles (regular expressions)"}


def show(visit: Visit) -> Response:
    """Show what is recorded and stored."""
    sources = list_sources(visit.home, visit.settings)
    with visit.read() as session:
        rules = redactions.count_by_rule(session) if session else []
        stored = events.find_window(session, visit.scope(session), 1) if session else []
    return visit.show(
        "privacy.html",
        sources=[source | {"removed": sum(source["private"].values())} for source in sources],
        exclusions={(name, title): _excluded(visit, name) for name, title in EXCLUSIONS.items()},
        rules=rules,
        retired=list(filter(VERSION.fullmatch, visit.request.query_params.get("retired", "").split())),
        stored=[{name: value for name in STORED if (value := getattr(event, name)) != ""} for event in stored],
        store=redacted_store_url(visit.settings, visit.home),
        files=list(_files(visit)),
    )


def pause(visit: Visit, form: Form) -> Response:
    """Begin or end a pause."""
    if form.get("do") == "resume":
        pauses.end(visit.home)
    else:
        pauses.begin(visit.home, PAUSES.get(form.get("span", "")))
    return RedirectResponse("/privacy", 303)


def exclude(visit: Visit, form: Form) -> Response:
    """Change what is not recorded: what a field gained is added, what it lost is removed."""
    changed = {}
    for name in EXCLUSIONS:
        was, wanted = _entries(form, f"was_{name}"), _entries(form, name)
        kept = [entry for entry in _excluded(visit, name) if entry in wanted or entry not in was]
        changed[f"privacy.{name}"] = list(dict.fromkeys([*kept, *(entry for entry in wanted if entry not in was)]))
    visit.change_settings(changed)
    retired = retire.retire_where_due(Settings.load(), visit.home)
    return RedirectResponse(f"/privacy?retired={'+'.join(retired)}#exclusions", 303)


def _excluded(visit: Visit, name: str) -> list[str]:
    excluded: list[str] = getattr(visit.settings.privacy, name)
    return excluded


def _entries(form: Form, name: str) -> list[str]:
    return list(filter(None, map(str.strip, form.get(name, "").splitlines())))


def preview(visit: Visit, form: Form) -> Response:
    """Show what a query matches, and ask whether to forget it."""
    query = _as_query(visit, form)
    if missing_file(visit.settings, visit.home):
        raise UsageError("Nothing is stored yet, so there is nothing to forget.")
    with writable_store(visit.settings, visit.home) as store:
        report = erasure.preview(store, visit.settings, query, _no_progress)
    examples = [write(event, visit.language) for event in report.matches.examples]
    return visit.show("forget.html", report=report, examples=examples, form=form)


def forget(visit: Visit, form: Form) -> Response:
    """Forget what a query matches; the person has seen the preview."""
    query = _as_query(visit, form)
    with writable_store(visit.settings, visit.home) as store:
        report = erasure.forget(store, visit.settings, visit.home, query, _no_progress)
    return visit.show("forgotten.html", report=report)


def _no_progress(_done: int, _total: int) -> None:
    """Show nothing: the browser shows that it waits."""


def _as_query(visit: Visit, form: Form) -> ForgetQuery:
    """Return the query of a form. Raises UsageError without any condition, as that would match everything."""
    app, site, text = (form.get(name, "").strip() for name in ("app", "site", "text"))
    first, last = (read_day(form.get(name)) for name in ("since", "until"))
    if not any((app, site, text, first, last)):
        raise UsageError("Say what to forget: an app, a site, a text or a day; `memo forget --all` forgets everything.")
    since = day_span(first, visit.settings.zone)[0].astimezone(UTC) if first else None
    until = day_span(last, visit.settings.zone)[1].astimezone(UTC) if last else None
    return ForgetQuery(app, site, text, since, until, None)


def _files(visit: Visit) -> Iterator[dict[str, Any]]:
    """Yield what lies in the home: its path, its size in bytes, and when it changed last."""
    home, store = visit.home, sqlite_path(store_url(visit.settings, visit.home))
    for path in filter(None, (store, home.backups, home.models, home.learned, home.broker, home.logs, home.inbox)):
        if path.exists():
            size = sum(state.st_size for _, state in find_files(path))
            yield {"path": str(path), "bytes": size, "changed": datetime.fromtimestamp(path.stat().st_mtime, UTC)}
