"""`memo history`: list predictions, and what was done instead or as foreseen."""

import csv
import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.terminal.durations import parse_since
from cli.terminal.options import Force, flag, option, scope_option
from cli.terminal.output import output_file, print_table, print_text
from data.importers.cells import harmless
from memo.core.errors import MemoError, UsageError
from memo.core.events import FILES, Action, Operation
from memo.core.grammar import Language
from memo.core.predictions import action_from_dict
from memo.core.settings import Settings
from memo.display.text import describe, safe, short
from memo.history import COLUMNS, frame, rows

Rows = list[dict[str, Any]]
HistoryFormat = Literal["table", "json", "csv", "parquet"]

SHOWN = COLUMNS | {"person": list}  # what a table needs
TABLE_ROWS = 20  # unless --limit is given; the other formats have all rows


def history(
    since: Annotated[str | None, option(metavar="1d|TIME", help="Only predictions made since then.")] = None,
    scope: Annotated[str | None, scope_option("Only predictions of this scope")] = None,
    limit: Annotated[
        int | None,
        option(
            metavar="N", min=1, help="Only the newest N predictions; by default 20 in a table and all in other formats."
        ),
    ] = None,
    form: Annotated[HistoryFormat, typer.Option("--format", help="Output format.")] = "table",
    as_json: Annotated[bool, flag("--json", "Same as --format json.")] = False,
    out: Annotated[Path | None, option(metavar="FILE", help="Write to this file.")] = None,
    force: Force = False,
) -> None:
    """List what you were expected to do and what you did, newest last.

    A rank is the position of what came in the list of what was predicted; - means that it was not in the list. `rank`
    has the ranks of the place you went to and of what you did there (1/2), `upcoming` that of what you wanted next, and
    `next` that of the next event of any kind.

    Example: `memo history --since 1d --format csv --out history.csv`
    """
    form = "json" if as_json else form
    if form == "parquet" and out is None:
        raise UsageError("--format parquet writes a file; name one with --out FILE.")
    if form == "table" and out is not None:
        raise UsageError("A table can't be written to a file; add --format json, csv or parquet.")
    settings = Settings.load()
    start = parse_since(since, settings.zone, datetime.now(UTC)) if since else None
    if form == "table":
        _show(rows(start, scope, limit or TABLE_ROWS, SHOWN), settings, is_filtered=bool(since or scope))
    elif form == "parquet":
        _write(_as_parquet(start, scope, limit), out, force)
    else:
        as_text = as_json_list if form == "json" else as_csv
        _write(as_text(rows(start, scope, limit)).encode(), out, force)


def _write(content: bytes, out: Path | None, force: bool) -> None:
    if out is None:
        sys.stdout.buffer.write(content)
        return
    with output_file(out, force, binary=True) as file:
        file.write(content)


def as_json_list(found: Rows) -> str:
    """Return rows as a JSON list with one object per line; it is ASCII, so a terminal acts on none of it."""
    return "[" + ",\n ".join(json.dumps(row, default=datetime.isoformat) for row in found) + "]\n"


def as_csv(found: Rows) -> str:
    """Return rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(cell) for name, cell in row.items()} for row in found)
    return text.getvalue()


def _plain(cell: Any) -> Any:
    if isinstance(cell, str):
        return harmless(safe(cell))
    return cell.isoformat() if isinstance(cell, datetime) else cell


def _as_parquet(since: datetime | None, scope: str | None, limit: int | None) -> bytes:
    try:
        return bytes(frame(since, scope, limit).to_parquet())
    except ImportError as error:
        raise MemoError(
            f"The format parquet needs pyarrow; run `{sys.executable} -m pip install pyarrow`, or use --format csv."
        ) from error


def _show(found: Rows, settings: Settings, is_filtered: bool) -> None:
    from rich.table import Column

    if not found:
        none = "There are no predictions yet; `memo status` shows whether MEMO is running."
        print_text("No prediction matches." if is_filtered else none)
        return
    has_others = any(row["scope"] != settings.scope for row in found)
    others = ["scope"] if has_others else []
    names = ["id", "time", *others, "", "predicted", "you did", "rank", "upcoming", "next"]
    shares = {"predicted": 3, "you did": 2}
    headings = {name: name if name in ("id", "") else describe(name, settings.language) for name in names}
    columns = [  # in a narrow terminal those two are cut first
        Column(heading, ratio=shares.get(name), no_wrap=name not in shares) for name, heading in headings.items()
    ]
    print_table(columns, (_cells(row, settings, has_others) for row in found), one_line=True, header_style="bold")


def _cells(row: dict[str, Any], settings: Settings, with_scope: bool) -> list[str]:
    """Return what was predicted of the person and what they did, and how each question was answered."""

    def rank(name: str, outcome: str) -> str:
        return str(row[f"{name}_rank"] or ("-" if row[f"{outcome}_action"] else ""))

    first = row["person"][0] if row["person"] else None
    action = row["person_action"]
    came = Action(Operation(action), row["person_target"], row["person_app"]) if action else None
    waiting = describe("not known yet", settings.language) if row["outcome_action"] is None else ""
    return [
        str(row["id"]),
        f"{row['made_at'].astimezone(settings.zone):%m-%d %H:%M:%S}",
        *([row["scope"]] if with_scope else []),
        f"{first['probability']:.0%}" if first else "",
        _with_place(action_from_dict(first["action"]), settings.language) if first else "",
        _with_place(came, settings.language) if came else waiting,
        "/".join(filter(None, (rank("place", "person"), rank("person", "person")))),
        rank("upcoming", "upcoming"),
        rank("outcome", "outcome"),
    ]


def _with_place(action: Action, language: Language) -> str:
    """Return an action in a few words; after a file its folder or, where that is not known, the app that opened it."""
    place = f" ({action.place})" if action.operation in FILES and action.place else ""
    return f"{short(action, language)}{place}"
