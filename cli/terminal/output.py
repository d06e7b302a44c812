"""Output of commands: JSON on standard output, and files that only their owner can read."""

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from memo.core.errors import MemoError, UsageError
from memo.core.files import open_private
from memo.display.text import safe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Column

UNBOUNDED = 10_000  # characters of a line in a file or a pipe


def print_line(text: str) -> None:
    """Print a line in one write, since `print` writes the line break separately and threads would mix their lines."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def print_text(text: str) -> None:
    """Print a sentence; titles and names in it come from other programs, so a terminal must act on none of it."""
    print_line(safe(text))


def print_notice(text: str) -> None:
    """Print a sentence on standard error, beside the output itself."""
    print(safe(text), file=sys.stderr)


def counted(number: int, noun: str) -> str:
    """Return a number with a noun, such as "1 event", "2 events" or "2 launches"."""
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number} {noun}{ending}"


def print_json(value: Any) -> None:
    """Print a value as one line of JSON; it is ASCII, so it holds nothing that a terminal would act on."""
    print_line(json.dumps(value, default=datetime.isoformat))


def console() -> "Console":
    """Return a console on standard output; in a file or a pipe nothing is wrapped or shortened."""
    from rich.console import Console

    is_bounded = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if is_bounded else UNBOUNDED)


def print_paragraph(text: str, indent: int = 0) -> None:
    """Print sentences for a person, broken between words, each line indented by this many columns."""
    from rich.text import Text

    screen = console()
    for part in text.split("\n"):
        for line in Text(safe(part)).wrap(screen, screen.width - indent) or [Text()]:
            print_line(f"{'':{indent}}{line.plain.rstrip()}".rstrip())


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names and their values, each in one line that is never shortened: a value may be a path to copy.

    Problems are red.
    """
    from rich.text import Text

    longest = max(len(name) for name, _ in facts)
    for name, value in facts:
        style = "red" if name == "problem" else ""
        console().print(
            Text.assemble((f"{safe(name):{longest}} ", style or "dim"), (safe(value), style)), soft_wrap=True
        )


def print_table(
    columns: Iterable["str | Column"], rows: Iterable[Sequence[str]], one_line: bool = False, **style: Any
) -> None:
    """Print rows, in one line each or wrapped, below the names of their columns; markup in a cell is no markup."""
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, **style)
    for row in rows:
        table.add_row(
            *(Text(safe(cell), no_wrap=one_line, overflow="ellipsis" if one_line else "fold") for cell in row)
        )
    console().print(table)


def replace_unknown_characters() -> None:
    """Print a question mark for each character that the terminal's encoding lacks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def discard_output() -> None:
    """Send further output nowhere, at exit too, because its reader has gone, as in `memo watch | head`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def output_file(out: Path, force: bool, binary: bool = False) -> Iterator[IO[Any]]:
    """Open a new file for the output of a command; delete it again if the output breaks off.

    Raises UsageError if the file exists and `force` is not set, and MemoError if it cannot be written.
    """
    mode, text = "w" if force else "x", {} if binary else {"encoding": "utf-8", "errors": "backslashreplace"}
    try:
        with open(out, f"{mode}b" if binary else mode, opener=open_private, **text) as file:  # type: ignore[call-overload]
            os.fchmod(file.fileno(), 0o600)  # an overwritten file keeps its mode otherwise
            try:
                yield file
            except BaseException:
                out.unlink()
                raise
    except FileExistsError as error:
        raise UsageError(safe(f"{out} already exists; name another file, or add --force.")) from error
    except OSError as error:
        raise MemoError(safe(f"{out} can't be written ({error.strerror}); name another file with --out.")) from error
