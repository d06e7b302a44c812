"""`memo history`: what was predicted, and what came true."""

import csv
import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.terminal.text import describe, safe, short
from memo.core.durations import parse_since
from memo.core.errors import MemoError, UsageError
from memo.core.events import Action, Operation
from memo.core.files import open_private
from memo.core.settings import Settings
from memo.history import COLUMNS, frame, rows

Rows = list[dict[str, Any]]

TABLE_ROWS = 20
"""Of a table, where no other number is given; the other formats give all rows."""


class HistoryFormat(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def history(
    since: Annotated[str | None, typer.Option(metavar="1d|TIME", help="Made since then.", show_default=False)] = None,
    scope: Annotated[str | None, typer.Option(help="Only this one's predictions.", show_default=False)] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="The newest so many; else 20 in a table, all in other forms.", show_default=False),
    ] = None,
    form: Annotated[HistoryFormat, typer.Option("--format", help="How they are written.")] = HistoryFormat.TABLE,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    out: Annotated[Path | None, typer.Option(help="To a file.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Show what was predicted and what came true, the newest last.

    Example: `memo history --since 1d --format csv --out history.csv`
    """
    form = HistoryFormat.JSON if as_json else form
    _check(form, out, force)
    settings = Settings.load()
    start = parse_since(since, settings.zone, datetime.now(UTC)) if since else None
    if form is HistoryFormat.PARQUET:
        _write(out, lambda: _parquet(start, scope, limit))
    elif form is HistoryFormat.TABLE:
        _show(rows(start, scope, limit or TABLE_ROWS), settings)
    else:
        written = as_json_list if form is HistoryFormat.JSON else as_csv
        _write(out, lambda: written(rows(start, scope, limit)).encode())


def _check(form: HistoryFormat, out: Path | None, force: bool) -> None:
    if form is HistoryFormat.PARQUET and out is None:
        raise UsageError("--format parquet writes a file; name one with --out FILE.")
    if form is HistoryFormat.TABLE and out is not None:
        raise UsageError("--out takes no table; choose --format json, csv or parquet.")
    if out is not None and out.exists() and not force:
        raise UsageError(f"{out} is there already; name another file, or add --force.")


def _write(out: Path | None, made: Callable[[], bytes]) -> None:
    content = made()
    if out is None:
        sys.stdout.buffer.write(content)
        return
    try:
        with open(out, "wb", opener=open_private) as file:
            file.write(content)
    except OSError as error:
        raise MemoError(f"{out} can't be written ({error.strerror}); name another file with --out.") from error


def as_json_list(found: Rows) -> str:
    """Rows as a JSON list of objects, one a line; ASCII, so that a terminal obeys none of it."""
    return "[" + ",\n ".join(json.dumps(row, default=datetime.isoformat) for row in found) + "]\n"


def as_csv(found: Rows) -> str:
    """Rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(cell) for name, cell in row.items()} for row in found)
    return text.getvalue()


def _plain(cell: Any) -> Any:
    return safe(cell) if isinstance(cell, str) else cell.isoformat() if isinstance(cell, datetime) else cell


def _parquet(since: datetime | None, scope: str | None, limit: int | None) -> bytes:
    try:
        return bytes(frame(since, scope, limit).to_parquet())
    except ImportError as error:
        raise MemoError(
            f"parquet needs pyarrow; run `{sys.executable} -m pip install pyarrow`, or take --format csv."
        ) from error


def _show(found: Rows, settings: Settings) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not found:
        print("No predictions yet; is MEMO up? See `memo status`.")
        return
    headings = [describe(name, settings.language) for name in ("time", "predicted", "came true", "rank", "version")]
    table = Table("id", headings[0], "", *headings[1:], box=None, header_style="bold")
    for column, share in ((3, 3), (4, 2)):
        table.columns[column].ratio = share
    for row in found:
        cells = _cells(row, settings)
        table.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells))
    Console().print(table)


def _cells(row: dict[str, Any], settings: Settings) -> list[str]:
    def words(operation: str | None, target: str | None, app: str | None) -> str:
        return short(Action(Operation(operation), target or "", app or ""), settings.language) if operation else ""

    probability = row["probability"]
    return [
        str(row["id"]),
        f"{row['made_at'].astimezone(settings.zone):%m-%d %H:%M:%S}",
        "" if probability is None else f"{probability:.0%}",
        words(row["action"], row["target"], row["app"]),
        words(row["outcome_action"], row["outcome_target"], None) or describe("not known yet", settings.language),
        str(row["outcome_rank"] or ("-" if row["outcome_action"] else "")),
        safe(row["model_version"]),
    ]
