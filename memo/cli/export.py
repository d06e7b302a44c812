"""`memo export`: everything about oneself, to keep or to take elsewhere."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from memo.broker import broker_url, shown
from memo.cli.look import look
from memo.cli.progress import bar
from memo.cli.text import safe, say_no_more
from memo.errors import MemoError, UsageError
from memo.paths import Home, private
from memo.settings import Settings

EVERY = 500
"""Rows between two steps of the progress bar."""


class Format(StrEnum):
    """How it is written."""

    JSONL = "jsonl"
    JSON = "json"


def export(
    out: Annotated[Path, typer.Option(metavar="FILE|-", help="Where to.")] = Path("-"),
    form: Annotated[Format, typer.Option("--format", help="One object a line, or one whole.")] = Format.JSONL,
    scope: Annotated[str | None, typer.Option(help="Only this one's; else all.", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing file.")] = False,
) -> None:
    """Write everything that is stored: settings, events, predictions, dispatches, versions.

    Example: `memo export --out memo.jsonl`
    """
    settings, home = Settings.load(), Home.find()
    with look(settings, home) as session:
        if session is None:
            raise MemoError("Nothing is stored yet, so there is nothing to export.")
        with _file(out, force) as file, bar("exporting") as progress:
            parts = _parts(session, scope, _settings(settings, home), progress)
            for text in _as_lines(parts) if form is Format.JSONL else _as_object(parts):
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
        with open(out, "w" if force else "x", encoding="utf-8", opener=private) as file:
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


def _settings(settings: Settings, home: Home) -> dict[str, Any]:
    """The settings in force, without the passwords of store and broker."""
    from db.engine import shown_url

    urls = {"database_url": shown_url(settings, home), "broker_url": shown(broker_url(home, settings))}
    return settings.model_dump(mode="json") | urls


def _parts(
    session: Any, scope: str | None, settings: dict[str, Any], progress: Any
) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Each kind with its rows."""
    from db import copy

    counts, done = copy.counts(session, scope), 0

    def counted(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        nonlocal done
        for row in rows:
            yield row
            done += 1
            if done % EVERY == 0:
                progress(done, sum(counts.values()))

    yield "settings", iter([settings])
    for kind in counts:
        yield kind, counted(copy.rows(session, kind, scope))
    progress(done, done)


def _as_lines(parts: Iterator[tuple[str, Iterator[dict[str, Any]]]]) -> Iterator[str]:
    """JSON objects, one a line, each with its kind; ASCII, so that a terminal obeys none of it."""
    for kind, rows in parts:
        for row in rows:
            yield json.dumps({"kind": kind.removesuffix("s") if kind != "dispatches" else "dispatch", **row}) + "\n"


def _as_object(parts: Iterator[tuple[str, Iterator[dict[str, Any]]]]) -> Iterator[str]:
    """One JSON object with a list for each kind."""
    before = "{"
    for kind, rows in parts:
        yield f'{before}"{kind}": ['
        for number, row in enumerate(rows):
            yield f"{',' if number else ''}\n {json.dumps(row)}"
        yield "]"
        before = ",\n"
    yield "}\n"
