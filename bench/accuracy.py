"""How well MEMO predicts: the leak-free protocol on files of real events, as markdown tables.

    python bench/accuracy.py FILE…        (or files and folders named in MEMO_EVENT_FILES)

Each file is a person of their own: the first 80 % of the windows train, the rest is asked in order, each window
before its answer is known, of the model and of the baselines alike.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memo.settings import Settings
from training import questions
from training.make import Progress
from training.report import Protocol, existing, fresh, report

COLUMNS = ("n", "hit@1", "hit@3", "hit@5", "mrr", "exact", "partial", "overall", "ece", "malformed")


@contextmanager
def silent(_words: str) -> Iterator[Progress]:
    """No progress bar."""
    yield lambda _done, _total: None


def files() -> list[Path]:
    """Files named as arguments, else in MEMO_EVENT_FILES; a folder stands for its JSON files."""
    named = sys.argv[1:] or os.environ.get("MEMO_EVENT_FILES", "").split(os.pathsep)
    places = [Path(name) for name in named if name]
    return [file for place in places for file in (sorted(place.glob("*.json")) if place.is_dir() else [place])]


def row(name: str, scores: dict[str, Any]) -> str:
    """A row of the table."""
    cells = [scores.get(column, "") for column in COLUMNS]
    return f"| {name} | " + " | ".join(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells) + " |"


def table(title: str, scores: dict[str, dict[str, Any]]) -> str:
    """Model and baselines under a title."""
    head = f"| {title} | " + " | ".join(COLUMNS) + " |\n| --- |" + " --: |" * len(COLUMNS)
    return "\n".join([head, *(row(name, found) for name, found in scores.items())])


def main() -> None:
    """Print a table for each file and each version: fine-tuned on the first part, and as it ships."""
    settings = Settings.load()
    if not files():
        print("No event files: name some as arguments or in MEMO_EVENT_FILES.")
    for number, file in enumerate(files(), 1):
        asked = questions.from_file(file, settings.zone, settings.window.size, settings.language)
        for fit in (fresh(settings), existing(settings, "builtin", None)):
            found, _ = report(asked, Protocol.CHRONO, fit, settings.zone, silent)
            print(f"\nPerson {number}, version {found['version']}\n")
            print(table("next action", found["scores"]))
            for view, scores in found["views"].items():
                print(f"\n{table(view, scores)}")
            print("\n| upcoming | ap |\n| --- | --: |")
            for name, scores in found["upcoming"].items():
                print(f"| {name} | {scores['ap']:.3f} |")


if __name__ == "__main__":
    main()
