"""`memo predict FILE`: an answer to every window of a file."""

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from cli.predictions.predict_stream import Asked
from data.windows import WindowedPair, feed
from memo.core.errors import GrammarError, MemoError, UsageError
from memo.core.files import open_private
from memo.core.grammar import clean


def answer_file(file: Path, asked: Asked, size: int, out: Path | None, force: bool, as_json: bool) -> None:
    """Answer every window of a file, in order; each before its own output is read."""
    if out is not None and out.suffix not in (".csv", ".jsonl"):
        raise UsageError(f"--out {out} must end with .csv or .jsonl.")
    if out is not None and out.exists() and not force:
        raise UsageError(f"{out} is there already; choose another name or add --force.")
    pairs = _pairs(file, size)
    if not pairs:
        raise MemoError(f"{file} holds no window; name a file of windows or of event lines.")
    rows = _answered(pairs, asked)
    if out is not None:
        with _opened(out) as written:
            if out.suffix == ".csv":
                _write_csv(rows, written)
            else:
                written.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    elif as_json:
        for row in rows:
            print(json.dumps(row))
    else:
        _show(list(rows))


def _opened(out: Path) -> IO[str]:
    try:
        return open(out, "w", encoding="utf-8", errors="backslashreplace", newline="", opener=open_private)
    except OSError as error:
        raise UsageError(f"{out} can't be written ({error.strerror}); name another file with --out.") from error


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("after", "next", "probability", box=None)
    for row in rows:
        first = next(iter(row.get("candidates", [])), None)
        said = first["text"] if first else row.get("error", "")
        table.add_row(Text(clean(row["window"][-1])), Text(said), f"{first['probability']:.3f}" if first else "")
    Console().print(table)


def _pairs(file: Path, size: int) -> list[WindowedPair]:
    """The windows of a file; the last one of a file of lines has no output."""
    from data.importers import open_file, read_windows

    open_file(file).close()  # a pipe would block
    if file.suffix == ".json":
        try:
            return read_windows(file)
        except MemoError as error:
            raise UsageError(f"{file} is no JSON list of windows in UTF-8, each with `input` and `output`.") from error
    try:
        lines = [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is no UTF-8 text; convert it first.") from error
    ends = range(min(size, len(lines)), len(lines) + 1) if lines else ()
    return [(lines[max(0, end - size) : end], lines[end] if end < len(lines) else "") for end in ends]


def _answered(pairs: list[WindowedPair], asked: Asked) -> Iterator[dict[str, Any]]:
    from rich.console import Console
    from rich.progress import track

    for fed in track(feed(pairs), "answering", total=len(pairs), console=Console(stderr=True)):
        for line in fed.new:
            _teach(asked, line)
        try:
            answer = asked.ask(fed.inputs)
        except MemoError as error:
            answer = {"error": str(error)}
        _teach(asked, fed.output)
        yield {"window": fed.inputs} | answer


def _teach(asked: Asked, line: str) -> None:
    """A line that can't be read teaches nothing."""
    with suppress(GrammarError):
        asked.teach(line)


def _write_csv(rows: Iterable[dict[str, Any]], written: IO[str]) -> None:
    from training.evaluation.results import harmless

    writer = csv.writer(written)
    writer.writerow(["prompt", "prediction", "probability", "expected_at", "error"])
    for row in rows:
        first: dict[str, Any] = next(iter(row.get("candidates", [])), {})
        cells = [first.get(name, "") for name in ("text", "probability", "expected_at")]
        writer.writerow([harmless(cell) for cell in ("\n".join(row["window"]), *cells, row.get("error", ""))])
