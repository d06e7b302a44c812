"""How well MEMO predicts: the leak-free protocol on files of real events, as markdown tables.

    python bench/accuracy.py FILE…        (or files and folders named in MEMO_EVENT_FILES)

Each file is a person of their own: the first 80 % of the windows train, the rest is asked in order, each window
before its answer is known, of the model and of the baselines alike.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _stack import machine

from memo.core.events import HUMAN
from memo.core.settings import Settings
from training.build_version import Progress
from training.evaluation import evaluate, questions
from training.evaluation.baselines import NAMES
from training.evaluation.report import Protocol, existing, fresh, report, scored
from training.evaluation.views import View
from worker.predictors.mixed import MixedPredictor

COLUMNS = ("hit@1", "hit@3", "hit@5", "mrr", "exact", "overall", "ece", "malformed")
VIEWS: tuple[View, ...] = ("coarse", "human", "human coarse")
CUTS = (1, 5)
OURS = {"fresh": "memo, fine-tuned", "builtin": "memo, as it ships"}


@contextmanager
def silent(_words: str) -> Iterator[Progress]:
    """No progress bar."""
    yield lambda _done, _total: None


def files() -> list[Path]:
    """Files named as arguments, else in MEMO_EVENT_FILES; a folder stands for its JSON files."""
    named = sys.argv[1:] or os.environ.get("MEMO_EVENT_FILES", "").split(os.pathsep)
    places = [Path(name) for name in named if name]
    return [file for place in places for file in (sorted(place.glob("*.json")) if place.is_dir() else [place])]


def cell(value: float | int | None) -> str:
    """A figure."""
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def table(title: str, columns: Sequence[str], rows: dict[str, list[Any]]) -> str:
    """Rows under a head."""
    lines = [f"| {title} | " + " | ".join(columns) + " |", "| --- |" + " --: |" * len(columns)]
    lines += [f"| {name} | " + " | ".join(map(cell, cells)) + " |" for name, cells in rows.items()]
    return "\n".join(lines)


def next_action(reports: dict[str, dict[str, Any]]) -> str:
    """How versions and baselines answer what comes next."""
    rows = {OURS[version]: found["scores"]["memo"] for version, found in reports.items()}
    rows |= {name: scores for name, scores in next(iter(reports.values()))["scores"].items() if name != "memo"}
    title = f"next action, n = {next(iter(reports.values()))['n']}"
    return table(title, COLUMNS, {name: [scores.get(c) for c in COLUMNS] for name, scores in rows.items()})


def views(reports: dict[str, dict[str, Any]]) -> str:
    """How they answer the other questions."""

    def cells(found: dict[str, Any], name: str) -> list[Any]:
        rates = [found["views"][view][name][f"hit@{cut}"] for view in VIEWS for cut in CUTS]
        return [*rates, found["upcoming"].get(name, {}).get("ap")]

    columns = [*(f"{view} @{cut}" for view in VIEWS for cut in CUTS), "upcoming AP"]
    first = next(iter(reports.values()))
    rows = {OURS[version]: cells(found, "memo") for version, found in reports.items()}
    rows |= {name: cells(first, name) for name in NAMES}
    rows["decay"] = [None] * (len(columns) - 1) + [first["upcoming"]["decay"]["ap"]]
    return table(f"other views, n = {first['views']['human']['memo']['n']} human", columns, rows)


def difference(name: str, found: dict[str, Any]) -> str:
    """How far the model is ahead of a baseline, with the interval."""
    low, high = found["95"]
    return f"{name} {found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"


def ahead(found: dict[str, Any]) -> str:
    """How far the model is ahead of each baseline, by blocks of windows."""
    said = [difference(name, differences["hit@1"]) for name, differences in found["ahead"].items()]
    return "Ahead at hit@1, with the 95 % interval of a block bootstrap: " + ", ".join(said) + "."


def acts(judged: Sequence[evaluate.Judged]) -> int:
    """How many human actions the windows wait for: through process noise many wait for the same one."""
    found, waiting = 0, False
    for one in judged:
        waiting |= "human" in one.truth
        if one.question.output.operation in HUMAN:
            found, waiting = found + waiting, False
    return found + waiting


def ahead_in_views(judged: Sequence[evaluate.Judged]) -> str:
    """How far the model is ahead of the best baseline of each other view."""
    found, said = evaluate.scores(judged), []
    for view, cut in ((view, cut) for view in VIEWS for cut in CUTS):
        best = max(NAMES, key=lambda name: found[view][name][f"hit@{cut}"])
        differences = evaluate.ahead_of_baseline(judged, best, view)
        said.append(difference(f"{view} @{cut} {best}", differences[f"hit@{cut}"]))
    words = ", ".join(said)
    return (
        f"The human windows wait for {acts(judged)} actions. Ahead of each view's best baseline, by the same: {words}."
    )


def pooled(judged: Sequence[evaluate.Judged]) -> str:
    """How the windows of all people together are answered: a calibration error needs their number."""
    found = scored(judged)
    return f"{next_action({'fresh': found})}\n\n{ahead(found)}"


def from_the_first(asked: Sequence[questions.Question]) -> str:
    """How it answers from the first window on, with nothing trained and no language model."""
    judged = evaluate.chrono(MixedPredictor(), asked, 1, lambda _done, _total: None)
    rows = {
        name: [scores[f"hit@{cut}"] for cut in (1, 3, 5)] for name, scores in evaluate.scores(judged)["next"].items()
    }
    differences = {name: evaluate.ahead_of_baseline(judged, name) for name in NAMES}
    title = f"whole stream, nothing trained, n = {len(judged)}"
    return f"{table(title, ('hit@1', 'hit@3', 'hit@5'), rows)}\n\n{ahead({'ahead': differences})}"


def main() -> None:
    """Print three tables for each file, and one for all."""
    everything: list[evaluate.Judged] = []
    settings = Settings.load()
    print(f"## Accuracy\n\n`.venv/bin/python bench/accuracy.py FILE…` on {machine()}.\n")
    if not files():
        print("No event files: name some as arguments or in MEMO_EVENT_FILES.")
    for number, file in enumerate(files(), 1):
        asked = questions.from_file(file, settings.zone, settings.window.size, settings.language)
        fits = {"fresh": fresh(settings), "builtin": existing(settings, "builtin", None)}
        made = {version: report(asked, Protocol.CHRONO, fit, settings.zone, silent) for version, fit in fits.items()}
        reports = {version: found for version, (found, _) in made.items()}
        everything += made["fresh"][1]
        print(f"Person {number}:\n\n{next_action(reports)}\n\n{ahead(reports['fresh'])}\n\n{views(reports)}\n")
        print(f"{ahead_in_views(made['fresh'][1])}\n")
        print(f"{from_the_first(asked)}\n")
    if everything:
        print(f"All people:\n\n{pooled(everything)}\n")


if __name__ == "__main__":
    main()
