"""`memo export`: everything about oneself, to keep or to take elsewhere."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import typer

from cli.records.export_parts import Rows, parts
from cli.terminal.progress import progress_bar
from cli.terminal.store_access import read_session
from cli.terminal.text import safe, say_no_more
from memo.core.errors import MemoError, UsageError
from memo.core.files import open_private
from memo.core.paths import Home
from memo.core.settings import Settings

Part = tuple[str, str, Rows]
"""Its name, what one of its rows is called, and these."""


class ExportFormat(StrEnum):
    """How it is written."""

    JSONL = "jsonl"
    JSON = "json"


def export(
    out: Annotated[Path, typer.Option(metavar="FILE|-", help="Where to.")] = Path("-"),
    form: Annotated[
        ExportFormat, typer.Option("--format", help="One object a line, or one whole.")
    ] = ExportFormat.JSONL,
    scope: Annotated[str | None, typer.Option(help="Only this one's; else all.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Write everything that is stored: settings, every table, what files hold, and the names of all others.

    Example: `memo export --out memo.jsonl`
    """
    settings, home = Settings.load(), Home.find()
    with read_session(settings, home) as session:
        if session is None:
            raise MemoError("Nothing is stored yet, so there is nothing to export.")
        with _file(out, force) as file, progress_bar("exporting") as progress:
            found = parts(session, settings, home, scope, progress)
            for text in _as_lines(found) if form is ExportFormat.JSONL else _as_object(found):
                file.write(text)


@contextmanager
def _file(out: Path, force: bool) -> Iterator[IO[str]]:
    """The file, for its owner alone, or standard output; what could not be written to its end does not stay."""
    if out == Path("-"):
        try:
            yield sys.stdout
            sys.stdout.flush()
        except BrokenPipeError:
            say_no_more()
        return
    try:
        with open(out, "w" if force else "x", encoding="utf-8", opener=open_private) as file:
            os.fchmod(file.fileno(), 0o600)
            try:
                yield file
            except BaseException:
                out.unlink()
                raise
    except FileExistsError as error:
        raise UsageError(safe(f"{out} is there already; name another file, or add --force.")) from error
    except OSError as error:
        raise MemoError(f"{out} can't be written ({error.strerror}); name another file with --out.") from error


def _as_lines(parts: Iterator[Part]) -> Iterator[str]:
    """JSON objects, one a line, each with its kind; ASCII, so that a terminal obeys none of it."""
    for _, kind, rows in parts:
        for row in rows:
            cells = {f"{kind}_kind" if name == "kind" else name: cell for name, cell in row.items()}
            yield json.dumps({"kind": kind} | cells) + "\n"


def _as_object(parts: Iterator[Part]) -> Iterator[str]:
    """One JSON object with a list for each part."""
    before = "{"
    for name, _, rows in parts:
        yield f'{before}"{name}": ['
        for number, row in enumerate(rows):
            yield f"{',' if number else ''}\n {json.dumps(row)}"
        yield "]"
        before = ",\n"
    yield "}\n"
