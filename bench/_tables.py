"""Files, tables and differences, shared by the programs that measure accuracy."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memo.core.steps import Progress

SUFFIXES = (".json", ".jsonl")  # of event files in a folder


@contextmanager
def silent(_caption: str) -> Iterator[Progress]:
    """Show no progress bar."""
    yield lambda _done, _total: None


def event_files() -> list[Path]:
    """Return the files given as arguments, else those in MEMO_EVENT_FILES; a folder stands for its event files."""
    names = sys.argv[1:] or os.environ.get("MEMO_EVENT_FILES", "").split(os.pathsep)
    files = [file for name in names if name for file in _files_in(Path(name))]
    if not files:
        print("No event files: name some as arguments or in MEMO_EVENT_FILES.")
    return files


def _files_in(place: Path) -> list[Path]:
    return sorted(file for file in place.iterdir() if file.suffix in SUFFIXES) if place.is_dir() else [place]


def table(title: str, columns: Sequence[str], rows: dict[str, list[Any]]) -> str:
    """Return rows as a markdown table."""
    lines = [f"| {title} | " + " | ".join(columns) + " |", "| --- |" + " --: |" * len(columns)]
    lines += [f"| {name} | " + " | ".join(map(_format_cell, cells)) + " |" for name, cells in rows.items()]
    return "\n".join(lines)


def _format_cell(value: float | int | None) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def difference(name: str, found: dict[str, Any]) -> str:
    """Return a difference with its interval, as text."""
    low, high = found["95"]
    return f"{name} {found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"
