"""`memo export`: write what MEMO has stored."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Literal

import typer

from cli.records.export_parts import Part, parts
from cli.terminal.options import Force, scope_option
from cli.terminal.output import discard_output, output_file
from cli.terminal.progress import progress_bar
from db.store_access import read_session
from memo.core.errors import MemoError
from memo.core.paths import Home
from memo.core.settings import Settings


def export(
    out: Annotated[Path, typer.Option(metavar="FILE|-", help="Write to this file; - is standard output.")] = Path("-"),
    form: Annotated[
        Literal["jsonl", "json"], typer.Option("--format", help="One JSON object per line, or one for everything.")
    ] = "jsonl",
    scope: Annotated[str | None, scope_option("Only data of this scope")] = None,
    force: Force = False,
) -> None:
    """Write the settings, every table of the store, pauses, rejects, and what the handler `record` wrote.

    Other files, such as trained versions, are listed by name and size.

    Example: `memo export --out memo.jsonl`
    """
    settings, home = Settings.load(), Home.find()
    with read_session(settings, home) as session:
        if session is None:
            raise MemoError("Nothing is stored yet, so there is nothing to export; `memo up` starts recording.")
        with _opened(out, force) as file, progress_bar("exporting") as progress:
            found = parts(session, settings, home, scope, progress)
            for text in _as_lines(found) if form == "jsonl" else _as_object(found):
                file.write(text)


@contextmanager
def _opened(out: Path, force: bool) -> Iterator[IO[str]]:
    if out != Path("-"):
        with output_file(out, force) as file:
            yield file
        return
    try:
        yield sys.stdout
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()


def _as_lines(parts: Iterator[Part]) -> Iterator[str]:
    """Yield one JSON object per line, each with its kind; it is ASCII, so a terminal acts on none of it."""
    for _, kind, rows in parts:
        for row in rows:
            cells = {f"{kind}_kind" if name == "kind" else name: cell for name, cell in row.items()}
            yield json.dumps({"kind": kind} | cells) + "\n"


def _as_object(parts: Iterator[Part]) -> Iterator[str]:
    """Yield one JSON object with a list for each part."""
    before = "{"
    for name, _, rows in parts:
        yield f'{before}"{name}": ['
        for number, row in enumerate(rows):
            yield f"{',' if number else ''}\n {json.dumps(row)}"
        yield "]"
        before = ",\n"
    yield "}\n"
