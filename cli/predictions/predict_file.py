"""`memo predict FILE`: answer every window of a file."""

import csv
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from cli.predictions.predict_stream import PredictStream
from cli.terminal.output import output_file, print_json, print_notice, print_table
from cli.terminal.progress import progress_bar
from data.windows import WindowedPair, feed
from memo.core.errors import GrammarError, MemoError, UsageError
from memo.core.grammar import clean


def predict_file(file: Path, stream: PredictStream, size: int, out: Path | None, force: bool, as_json: bool) -> None:
    """Answer the windows of a file in order, each before its own output is learned."""
    if out is not None and out.suffix not in (".csv", ".jsonl"):
        raise UsageError(f"--out {out} must end with .csv or .jsonl.")
    pairs = _pairs(file, size)
    if not pairs:
        raise MemoError(f"{file} holds no window; name a file of windows or of event lines.")
    rows = _telling(_answers(pairs, stream))
    if out is not None:
        with output_file(out, force) as written:
            write = _write_csv if out.suffix == ".csv" else _write_jsonl
            write(rows, written)
    elif as_json:
        for row in rows:
            print_json(row)
    else:
        print_table(("after", "next", "probability"), map(_as_cells, rows))


def _telling(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the answers; say once if they are degraded, which a table and CSV do not show."""
    told = ""
    for row in rows:
        if (degraded := row.get("degraded", "")) != told:
            told = degraded
            print_notice(told)
        yield row


def _as_cells(row: dict[str, Any]) -> tuple[str, str, str]:
    first = next(iter(row.get("candidates", [])), None)
    answer = (first["text"], f"{first['probability']:.3f}") if first else (row.get("error", ""), "")
    return clean(row["window"][-1]), *answer


def _pairs(file: Path, size: int) -> list[WindowedPair]:
    """Return the windows of a file; the last one of a file of lines has no output."""
    from data.importers import open_file, read_windows

    try:
        with open_file(file) as opened:  # a pipe would block
            if file.suffix == ".json":
                return read_windows(file)
            text = opened.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8; convert it first.") from error
    except UsageError:
        raise
    except MemoError as error:
        raise UsageError(f"{file} is not a JSON list of windows in UTF-8, each with the text `input`.") from error
    lines = [line.removesuffix("\r") for line in text.split("\n") if line.strip()]
    ends = range(min(size, len(lines)), len(lines) + 1) if lines else ()
    return [(lines[max(0, end - size) : end], lines[end] if end < len(lines) else "") for end in ends]


def _answers(pairs: list[WindowedPair], stream: PredictStream) -> Iterator[dict[str, Any]]:
    with progress_bar("predicting") as progress:
        for number, fed in enumerate(feed(pairs), 1):
            for line in fed.new:
                _learn(stream, line)
            try:
                answer = stream.answer(fed.inputs)
            except MemoError as error:
                answer = {"error": str(error)}
            _learn(stream, fed.output)
            progress(number, len(pairs))
            yield {"window": fed.inputs} | answer


def _learn(stream: PredictStream, line: str) -> None:
    with suppress(GrammarError):
        stream.learn(line)


def _write_jsonl(rows: Iterable[dict[str, Any]], written: IO[str]) -> None:
    written.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_csv(rows: Iterable[dict[str, Any]], written: IO[str]) -> None:
    from data.importers.cells import harmless

    writer = csv.writer(written)
    writer.writerow(["prompt", "prediction", "probability", "expected_at", "error"])
    for row in rows:
        first: dict[str, Any] = next(iter(row.get("candidates", [])), {})
        cells = [first.get(name, "") for name in ("text", "probability", "expected_at")]
        writer.writerow([harmless(cell) for cell in ("\n".join(row["window"]), *cells, row.get("error", ""))])
