"""An evaluation from windows to a report: train on one part, ask the other, score model and baselines."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import tzinfo
from enum import StrEnum
from pathlib import Path
from typing import Any

from memo.core.errors import UsageError
from memo.core.events import Event
from memo.core.settings import Settings
from memo.protocols import Predictor
from training.build_version import train_into
from training.evaluation import ablation, evaluate, questions, reliability, upcoming_truth
from training.evaluation.ablation import Readers
from training.evaluation.baselines import NAMES
from training.evaluation.evaluate import Judged, Progress
from training.evaluation.questions import Question
from worker.predictors.mixed import MixedPredictor

Bar = Callable[[str], AbstractContextManager[Progress]]
"""Makes a progress bar with some words."""
Fit = Callable[[Sequence[Event], Bar], tuple[str, Readers]]
"""Gives a version's name and what makes its readers, for the events of the training part."""


class Protocol(StrEnum):
    """How the windows are divided into a part to learn from and a part to ask."""

    CHRONO = "chrono"
    RANDOM = "random"


def fresh(settings: Settings) -> Fit:
    """Fine-tunes the base model on the training part; where that is too small, the built-in version is judged."""

    def fit(events: Sequence[Event], bar: Bar) -> tuple[str, Readers]:
        if len(events) < settings.train.minimum_events:
            return existing(settings, "builtin", None)(events, bar)
        with tempfile.TemporaryDirectory(prefix="memo-evaluate-") as folder:
            with bar("training") as progress:
                train_into(events, settings, Path(folder), progress)
            return existing(settings, "fresh", Path(folder))(events, bar)

    return fit


def existing(settings: Settings, version: str, folder: Path | None) -> Fit:
    """Takes a version as it stands."""

    def fit(_events: Sequence[Event], _bar: Bar) -> tuple[str, Readers]:
        from worker.predictors.serving import open_readers

        return version, open_readers(settings.model, version, folder)

    return fit


def report(
    asked: Sequence[Question], protocol: Protocol, fit: Fit, zone: tzinfo, bar: Bar, ablate: bool = False
) -> tuple[dict[str, Any], list[Judged]]:
    """Scores of one person's windows as JSON, and how each was answered. Raises UsageError for a single window."""
    if len(asked) < 2:
        raise UsageError("One window can't be divided into a part to learn from and a part to ask; give more.")
    split = _chrono(asked, bar) if protocol is Protocol.CHRONO else _random(asked, zone, bar)
    name, readers = fit(questions.stream(split.train), bar)
    judged = split.ask(MixedPredictor(readers()), "asking")
    found = scored(judged) | {"version": name}
    found["scores"][evaluate.LOOK_UP] = evaluate.look_up(split.train, split.test)
    if ablate:
        found["ablation"] = {
            left: _ablated(judged, split.ask(make(readers), left)) for left, make in ablation.VARIANTS.items()
        }
    return found, judged


@dataclass(frozen=True)
class Split:
    """A part to learn from, a part to ask, and how it is asked, with some words for the progress bar."""

    train: Sequence[Question]
    test: Sequence[Question]
    ask: Callable[[Predictor, str], list[Judged]]


def _chrono(asked: Sequence[Question], bar: Bar) -> Split:
    cut = int(len(asked) * evaluate.TRAIN_SHARE)

    def ask(predictor: Predictor, words: str) -> list[Judged]:
        with bar(words) as progress:
            return evaluate.chrono(predictor, asked, cut, progress)

    return Split(asked[:cut], asked[cut:], ask)


def _random(asked: Sequence[Question], zone: tzinfo, bar: Bar) -> Split:
    train, test = evaluate.random_split(asked)
    seen = questions.rejoin(train, zone)

    def ask(predictor: Predictor, words: str) -> list[Judged]:
        with bar(words) as progress:
            return evaluate.leaking(predictor, seen, test, progress)

    return Split(seen, test, ask)


def scored(judged: Sequence[Judged]) -> dict[str, Any]:
    """What a report says of answers, as JSON."""
    views: dict[str, Any] = {str(view): found for view, found in evaluate.scores(judged).items()}
    scores = views.pop("next")
    return {
        "n": len(judged),
        "best_baseline": evaluate.best_baseline(scores),
        "scores": scores,
        "views": views,
        "ahead": {name: evaluate.ahead_of_baseline(judged, name) for name in NAMES},
        "calibration": {name: reliability.reliability(said) for name, said in reliability.groups(judged).items()},
        "upcoming": upcoming_truth.scored(entry.upcoming for entry in judged),
    }


def _ablated(whole: Sequence[Judged], part: Sequence[Judged]) -> dict[str, Any]:
    """What is left without a part, and how far the whole is ahead of that."""
    found = evaluate.scores(part)
    return {
        "scores": {str(view): scores[evaluate.MODEL] for view, scores in found.items()},
        "upcoming": upcoming_truth.scored(entry.upcoming for entry in part).get(evaluate.MODEL),
        "ahead": {str(view): evaluate.ahead(whole, part, view) for view in found},
    }
