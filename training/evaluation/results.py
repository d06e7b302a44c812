"""prediction_results.csv: every question of an evaluation with its answer, labelled in the language of the data."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from data.importers.cells import harmless
from memo.core.errors import UsageError
from memo.core.files import open_private
from memo.core.grammar import Language

NAME = "prediction_results.csv"
STATUS: dict[Language, tuple[str, str, str]] = {
    "zh": ("完全正确", "部分正确", "错误"),
    "en": ("exact", "partial", "wrong"),
}


class Result(NamedTuple):
    """A row of the file."""

    prompt: str
    prediction: str
    reference: str
    status: str
    best_baseline: str
    baseline_prediction: str
    baseline_status: str


def status(language: Language, exact: bool, right: bool) -> str:
    """Return the language's word for exact, partial (right except for the time) or wrong."""
    whole, partial, wrong = STATUS[language]
    return whole if exact else partial if right else wrong


def choose_destination(out: Path | None, force: bool) -> Path:
    """Return the file to write. Raises UsageError where it exists without `force`, or cannot be written."""
    file = out or Path(NAME)
    if file.is_dir():
        file = file / NAME
    if file.suffix != ".csv":
        raise UsageError(f"--out {file} is neither an existing folder nor a name that ends with .csv; correct it.")
    if file.exists() and not force:
        raise UsageError(f"{file} already exists; choose another name with --out, or add --force.")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"The folder of {file} does not exist; create it first, or choose another with --out.")
    if not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
        raise UsageError(f"{file} can't be written; choose another with --out.")
    return file


def write_results(results: Iterable[Result], file: Path) -> None:
    """Write the file, readable by its owner alone."""
    with open(file, "w", encoding="utf-8", errors="backslashreplace", newline="", opener=open_private) as written:
        writer = csv.writer(written)
        writer.writerow(Result._fields)
        writer.writerows([harmless(cell) for cell in result] for result in results)
