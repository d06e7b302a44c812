"""How much each part of the predictor earns: the scores with one part removed at a time.

    python bench/ablation.py FILE…        (or files and folders in MEMO_EVENT_FILES)

The protocol is that of bench/next_action.py: the first 80 % of a file's windows train, the others are asked in order.
"""

import math
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from _tables import difference, event_files, silent, table

from memo.core.events import CONTEXT, Action, Event
from memo.core.predictions import Candidate, Ranking
from memo.core.settings import Settings
from memo.protocols import Predictor
from training.evaluation import questions, upcoming_truth
from training.evaluation.evaluate import MODEL, Judged, View, ask_in_order, compare_ranks, score
from training.evaluation.questions import Question
from training.evaluation.report import Fit, Readers, first_asked, fresh
from worker.predictors.mixed import MixedPredictor
from worker.predictors.reader import Reader

CUTS = (1, 5)  # hit@k of each view


class LanguageAlone:
    """The language model's probabilities, unchanged."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._details: dict[Action, str] = {}

    def learn(self, event: Event) -> None:
        """Read the event."""
        self._reader.read(event)
        self._details[event.action] = event.detail

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """Return its candidates, best first."""
        scores = self._reader.scores()
        actions = [action for action in scores.actions if action.operation not in CONTEXT]
        best = sorted(actions, key=lambda action: -scores.actions[action])[:top]
        soon = window[-1].at + timedelta(seconds=1)
        return Ranking(
            [Candidate(action, math.exp(scores.actions[action]), soon, self._details[action]) for action in best],
            new_probability=math.exp(scores.new),
        )


class Unlearned(MixedPredictor):
    """The weights stay at their initial values."""

    def learn(self, event: Event, ranks: bool = True) -> None:
        """Count the event, and reset the weights."""
        super().learn(event, ranks)
        self.resume(None, None, ())


class Untimed(MixedPredictor):
    """Every candidate is expected at the time of the last event."""

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """Return the same candidates at the time of the last event."""
        ranking = super().predict(window, top)
        at_once = [
            Candidate(one.action, one.probability, window[-1].at, one.detail, one.executable)
            for one in ranking.candidates
        ]
        return Ranking(at_once, ranking.upcoming, ranking.new_probability)


HISTORY = "history alone"
VARIANTS: dict[str, Callable[[Readers], Predictor]] = {
    MODEL: lambda readers: MixedPredictor(readers()),
    HISTORY: lambda _readers: MixedPredictor(),
    "language model alone": lambda readers: LanguageAlone(readers()),
    "weights unlearned": lambda readers: Unlearned(readers()),
    "times left out": lambda readers: Untimed(readers()),
}


def ask_variants(asked: Sequence[Question], fit: Fit) -> dict[str, list[Judged]]:
    """Return how each variant, the whole model first, answers the windows that do not train."""
    cut = first_asked(asked)
    _, readers = fit(questions.stream(asked[:cut]), silent)
    return {
        name: ask_in_order(make(readers), asked, cut, lambda _done, _total: None) for name, make in VARIANTS.items()
    }


def compare(whole: Sequence[Judged], part: Sequence[Judged], view: View) -> dict[str, Any]:
    """Return how far the whole model is ahead of a variant on the same windows."""
    pairs = zip(whole, part, strict=True)
    return compare_ranks([(one.ranks(view)[MODEL], other.ranks(view)[MODEL]) for one, other in pairs])


def as_row(judged: Sequence[Judged]) -> list[Any]:
    """Return a variant's hits in each view, and its overall score, ECE and average precision of upcoming actions."""
    scores = score(judged)
    hits = [found[MODEL][f"hit@{cut}"] for found in scores.values() for cut in CUTS]
    precision = upcoming_truth.score(entry.upcoming for entry in judged).get(MODEL, {}).get("ap")
    return [*hits, scores["next"][MODEL]["overall"], scores["next"][MODEL]["ece"], precision]


def describe(title: str, answers: dict[str, list[Judged]]) -> str:
    """Return a table of all variants, and how much the language model earns in each view."""
    whole = answers[MODEL]
    views = list(score(whole))
    columns = [*(f"{view} @{cut}" for view in views for cut in CUTS), "overall", "ece", "upcoming AP"]
    rows = {name: as_row(judged) for name, judged in answers.items()}
    earned = [difference(f"{view} @1", compare(whole, answers[HISTORY], view)["hit@1"]) for view in views]
    return f"{table(title, columns, rows)}\n\nThe language model earns, with its 95 % interval: {', '.join(earned)}.\n"


def main() -> None:
    """Print a table for each file."""
    settings = Settings.load()
    for file in event_files():
        asked = questions.from_file(file, settings.zone, settings.window.size, settings.language)
        answers = ask_variants(asked, fresh(settings))
        print(describe(f"{file.name}, n = {len(answers[MODEL])}", answers))


if __name__ == "__main__":
    main()
