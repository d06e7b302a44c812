"""What `memo export` writes: settings, every table, and what stands in files of MEMO's folder."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from cli.terminal.progress import Progress
from forget import erase_files
from memo.core import pauses
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.stack.broker import broker_url, redact_url

EVERY = 500
"""Rows between two steps of the progress bar."""

Rows = Iterator[dict[str, Any]]


def parts(
    session: Any, settings: Settings, home: Home, scope: str | None, progress: Progress
) -> Iterator[tuple[str, str, Rows]]:
    """Each part's name, what one of its rows is called, and the rows.

    Where a scope is named, a table that knows none is left out; files that know none are of this machine's own.
    """
    from db.upkeep import copy

    counts, done = copy.count_rows(session, scope), 0

    def counted(rows: Rows) -> Rows:
        nonlocal done
        for row in rows:
            yield row
            done += 1
            if done % EVERY == 0:
                progress(done, sum(counts.values()))

    yield "settings", "setting", iter([_settings(settings, home)])
    for table in copy.TABLES:
        yield table, copy.row_kind(table), counted(copy.find_rows(session, table, scope))
    progress(done, done)
    yield "records", "record", (line for line in erase_files.read_records(home) if scope in (None, line["scope"]))
    own = scope in (None, settings.scope)
    for name, kind, rows in (
        ("pauses", "pause", _pauses(home)),
        ("rejects", "reject", erase_files.read_rejects(home)),
        ("files", "file", _files(home)),
    ):
        yield name, kind, iter(rows if own else ())


def _settings(settings: Settings, home: Home) -> dict[str, Any]:
    """The settings in force, without secrets and the passwords of store and broker."""
    from db.engine import redacted_store_url

    urls = {"database_url": redacted_store_url(settings, home), "broker_url": redact_url(broker_url(home, settings))}
    return settings.model_dump(mode="json") | urls


def _pauses(home: Home) -> Iterable[dict[str, Any]]:
    for pause in pauses.read(home):
        yield {"since": pause.since.isoformat(), "until": pause.until.isoformat() if pause.ends else None}


def _files(home: Home) -> Iterable[dict[str, Any]]:
    """All in MEMO's folder by name and size: trained versions, what was learned, logs, and your own in the inbox."""
    for path in sorted(home.root.rglob("*")):
        with suppress(OSError):  # it went meanwhile
            found = path.lstat()
            if path.is_file() and not path.is_symlink():
                changed = datetime.fromtimestamp(found.st_mtime, UTC).isoformat()
                yield {"path": str(path), "bytes": found.st_size, "changed_at": changed}
