"""The parts of an export: settings, every table, and the contents of MEMO's files."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

from forget import erase_files
from memo.clock import pauses
from memo.core.files import find_files
from memo.core.paths import Home
from memo.core.settings import Settings
from memo.core.steps import EVERY, Progress
from memo.stack.broker import broker_url, redact_url

Rows = Iterator[dict[str, Any]]
Part = tuple[str, str, Rows]  # its name, the kind of its rows, and the rows


def parts(session: Any, settings: Settings, home: Home, scope: str | None, progress: Progress) -> Iterator[Part]:
    """Yield the parts of an export.

    If a scope is given, tables without a scope are left out, and files without one count as this machine's own.
    """
    from db.upkeep import copy

    total, numbers = sum(copy.count_rows(session, scope).values()), count(1)

    def counted(rows: Rows) -> Rows:
        for row, number in zip(rows, numbers, strict=False):
            yield row
            if number % EVERY == 0:
                progress(number, total)

    yield "settings", "setting", iter([_settings(settings, home)])
    for table in copy.TABLES:
        yield table, copy.row_kind(table), counted(copy.find_rows(session, table, scope))
    progress(total, total)
    yield "records", "record", (line for line in erase_files.read_records(home) if scope in (None, line["scope"]))
    own = scope in (None, settings.scope)
    for name, kind, rows in (
        ("pauses", "pause", _pauses(home)),
        ("rejects", "reject", erase_files.read_rejects(home)),
        ("files", "file", _files(home)),
    ):
        yield name, kind, iter(rows if own else ())


def _settings(settings: Settings, home: Home) -> dict[str, Any]:
    """Return the settings in force, without secrets and without the passwords of store and broker."""
    from db.engine import redacted_store_url

    urls = {"database_url": redacted_store_url(settings, home), "broker_url": redact_url(broker_url(home, settings))}
    return settings.model_dump(mode="json") | urls


def _pauses(home: Home) -> Iterable[dict[str, Any]]:
    for pause in pauses.read(home):
        yield {"since": pause.since.isoformat(), "until": pause.until.isoformat() if pause.ends else None}


def _files(home: Home) -> Iterable[dict[str, Any]]:
    """Yield name, size and time of all files in MEMO's folder, such as trained versions, logs and inbox files."""
    for path, state in find_files(home.root):
        changed = datetime.fromtimestamp(state.st_mtime, UTC).isoformat()
        yield {"path": str(path), "bytes": state.st_size, "changed_at": changed}
