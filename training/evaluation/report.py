"""An evaluation report: train on the first part of a stream, ask the rest, score model and baselines."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from memo.core.errors import UsageError
from memo.core.events import Event
from memo.core.settings import Settings
from memo.core.steps import Progress
from training.build_version import train_adapter
from training.evaluation import evaluate, person_scores, person_views, questions, reliability, upcoming_truth
from training.evaluation.baselines import NAMES
from training.evaluation.evaluate import Judged
from training.evaluation.questions import Question
from worker.predictors.mixed import MixedPredictor
from worker.predictors.reader import Reader

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Makes a progress bar with a caption."""
Readers = Callable[[], Reader]
"""Makes a language-model reader of the version under evaluation."""
Fit = Callable[[Sequence[Event], Bar], tuple[str, Readers]]
"""Takes the events of the training part; returns a version's name and its readers."""


def fresh(settings: Settings) -> Fit:
    """Return a fit that fine-tunes the base model, or takes the built-in version where there are too few events."""

    def fit(events: Sequence[Event], bar: Bar) -> tuple[str, Readers]:
        if len(events) < settings.train.minimum_events:
            return existing(settings, "builtin", None)(events, bar)
        with tempfile.TemporaryDirectory(prefix="memo-evaluate-") as folder:
            with bar("training") as progress:
                train_adapter(events, settings, Path(folder), progress)
            return existing(settings, "fresh", Path(folder))(events, bar)

    return fit


def existing(settings: Settings, version: str, folder: Path | None) -> Fit:
    """Return a fit that takes a version as it is."""

    def fit(_events: Sequence[Event], _bar: Bar) -> tuple[str, Readers]:
        from worker.predictors.serving import open_readers

        return version, open_readers(settings.model, version, folder)

    return fit


def first_asked(asked: Sequence[Question]) -> int:
    """Return the number of the first question that is asked; those before it train. Raises UsageError below two."""
    if len(asked) < 2:
        raise UsageError("One window can't be divided into a part to learn from and a part to ask; give more windows.")
    return int(len(asked) * evaluate.TRAIN_SHARE)


def report(asked: Sequence[Question], fit: Fit, bar: Bar) -> tuple[dict[str, Any], list[Judged]]:
    """Return the scores of one person's windows as JSON, and how each question was answered."""
    cut = first_asked(asked)
    name, readers = fit(questions.stream(asked[:cut]), bar)
    with bar("asking") as progress:
        judged = evaluate.ask_in_order(MixedPredictor(readers()), asked, cut, progress)
    return summarize(judged) | {"version": name}, judged


def report_person(events: Sequence[Event], size: int, bar: Bar) -> dict[str, Any]:
    """Return the scores of the three views of what a person does next as JSON."""
    with bar("asking what you do next") as progress:
        return person_scores.summarize(person_views.ask(MixedPredictor(), events, size, progress))


def summarize(judged: Sequence[Judged]) -> dict[str, Any]:
    """Return all scores of the answers as JSON."""
    views: dict[str, Any] = {str(view): scores for view, scores in evaluate.score(judged).items()}
    scores = views.pop("next")
    return {
        "n": len(judged),
        "best_baseline": evaluate.best_baseline(scores),
        "scores": scores,
        "views": views,
        "ahead": {name: evaluate.compare_with_baseline(judged, name) for name in NAMES},
        "calibration": {
            name: reliability.measure(answers) for name, answers in reliability.group_answers(judged).items()
        },
        "upcoming": upcoming_truth.score(entry.upcoming for entry in judged),
    }
