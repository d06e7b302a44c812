"""An evaluation from windows to a report: train on one part, ask the other, score model and baselines."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Any

from memo.errors import UsageError
from memo.events import Event
from memo.protocols import Predictor
from memo.settings import Settings
from training import evaluate, questions, upcoming
from training.evaluate import Judged, Progress
from training.make import train_into
from training.questions import Question
from training.results import Result

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Makes a progress bar with some words."""
Fit = Callable[[Sequence[Event], Bar], tuple[str, Predictor]]
"""Gives a version's name and a predictor that has seen nothing, for the events of the training part."""


class Protocol(StrEnum):
    """How the windows are divided into a part to learn from and a part to ask."""

    CHRONO = "chrono"
    RANDOM = "random"


def fresh(settings: Settings) -> Fit:
    """Fine-tunes the base model on the training part; where that is too small, the built-in version is judged."""

    def fit(events: Sequence[Event], bar: Bar) -> tuple[str, Predictor]:
        if len(events) < settings.train.minimum_events:
            return existing(settings, "builtin", None)(events, bar)
        with tempfile.TemporaryDirectory(prefix="memo-evaluate-") as folder:
            with bar("training") as progress:
                train_into(events, settings, Path(folder), progress)
            return existing(settings, "fresh", Path(folder))(events, bar)

    return fit


def existing(settings: Settings, version: str, folder: Path | None) -> Fit:
    """Takes a version as it stands."""

    def fit(_events: Sequence[Event], _bar: Bar) -> tuple[str, Predictor]:
        from worker.predictors.serving import open_predictor

        return version, open_predictor(settings.model, version, folder)

    return fit


def report(
    asked: Sequence[Question], protocol: Protocol, fit: Fit, zone: tzinfo, bar: Bar
) -> tuple[dict[str, Any], list[Result]]:
    """Scores of one person's windows as JSON, and a row for each answer. Raises UsageError for a single window."""
    if len(asked) < 2:
        raise UsageError("One window can't be divided into a part to learn from and a part to ask; give more.")
    chosen = _chrono if protocol is Protocol.CHRONO else _random
    name, judged, look_up = chosen(asked, fit, zone, bar)
    views: dict[str, Any] = {str(view): found for view, found in evaluate.scores(judged).items()}
    scores = views.pop("next")
    best = evaluate.best_baseline(scores)
    found = {
        "version": name,
        "n": len(judged),
        "best_baseline": best,
        "scores": scores | look_up,
        "views": views,
        "upcoming": upcoming.scored(entry.upcoming for entry in judged),
    }
    return found, list(evaluate.results(judged, best))


def _chrono(asked: Sequence[Question], fit: Fit, _zone: tzinfo, bar: Bar) -> tuple[str, list[Judged], dict[str, Any]]:
    cut = int(len(asked) * evaluate.TRAIN_SHARE)
    name, predictor = fit(questions.stream(asked[:cut]), bar)
    with bar("asking") as progress:
        return name, evaluate.chrono(predictor, asked, cut, progress), {}


def _random(asked: Sequence[Question], fit: Fit, zone: tzinfo, bar: Bar) -> tuple[str, list[Judged], dict[str, Any]]:
    train, test = evaluate.random_split(asked)
    seen = questions.rejoin(train, zone)
    name, predictor = fit(questions.stream(seen), bar)
    with bar("asking") as progress:
        judged = evaluate.leaking(predictor, seen, test, progress)
    return name, judged, {evaluate.LOOK_UP: evaluate.look_up(train, test)}
