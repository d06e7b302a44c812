"""Scores on a random split of overlapping windows, which leaks: comparable only with other results of such a split.

    python bench/random_split.py FILE…        (or files and folders in MEMO_EVENT_FILES)

A seeded random 80 % of the windows train, the others are asked. Neighbouring windows overlap, so training windows
contain most of the answers, and `look-up`, a table that copies the line that followed the same lines in a training
window, scores well without predicting anything. Use bench/next_action.py or `memo evaluate` to measure prediction.
"""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any

from _tables import event_files, silent, table

from memo.core.grammar import parse
from memo.core.settings import Settings
from memo.protocols import Predictor
from training.evaluation import metrics, questions
from training.evaluation.evaluate import MODEL, TRAIN_SHARE, Judged, Learner, score
from training.evaluation.metrics import key
from training.evaluation.questions import Question
from training.evaluation.report import Fit, first_asked, fresh
from worker.predictors.mixed import MixedPredictor

COLUMNS = ("hit@1", "hit@3", "hit@5", "mrr", "exact", "overall", "ece", "malformed")
LOOK_UP = "look-up"
SEED = 0


class LeakTable:
    """For each run of lines in a training window, the line that came after it."""

    def __init__(self, train: Sequence[Question]) -> None:
        self._after: dict[tuple[str, ...], str] = {}
        for question in train:
            lines = [*question.prompt.split("\n"), question.reference]
            for end in range(1, len(lines)):
                for begin in range(end):
                    self._after[tuple(lines[begin:end])] = lines[end]
        outputs = Counter(question.reference for question in train)
        self._commonest = outputs.most_common(1)[0][0] if outputs else ""

    def answer(self, prompt: str) -> str:
        """Return the line after the longest known end of the window, else the most common output."""
        lines = prompt.split("\n")
        ends = (tuple(lines[begin:]) for begin in range(len(lines)))
        return next((self._after[end] for end in ends if end in self._after), self._commonest)


def look_up(train: Sequence[Question], test: Sequence[Question]) -> dict[str, Any]:
    """Return the scores of a `LeakTable`."""
    leaks = LeakTable(train)
    texts = [leaks.answer(question.prompt) for question in test]
    ranks = [
        1 if key(parse(text, question.output.at.tzinfo or UTC)) == key(question.output) else None
        for text, question in zip(texts, test, strict=True)
    ]
    exact = [text == question.reference for text, question in zip(texts, test, strict=True)]
    return metrics.score_ranks(ranks) | metrics.score_exact(ranks, exact)


def split_randomly(asked: Sequence[Question]) -> tuple[list[Question], list[Question]]:
    """Return a seeded random 80 % of the questions in order of time, and the others."""
    order = list(range(len(asked)))
    random.Random(SEED).shuffle(order)
    cut = int(len(order) * TRAIN_SHARE)
    return [asked[number] for number in sorted(order[:cut])], [asked[number] for number in order[cut:]]


def rejoin(train: Sequence[Question], zone: tzinfo) -> list[Question]:
    """Return the questions with `new` as if the windows left out had never existed."""
    return list(questions.from_windows([(one.prompt.split("\n"), one.reference) for one in train], zone))


def ask_leaking(predictor: Predictor, train: Sequence[Question], test: Sequence[Question]) -> list[Judged]:
    """Learn the training windows, then ask each test window after learning its lines; no test answer is learned."""
    learner, judged = Learner(predictor, len(test[0].window)), []
    for event in questions.stream(train):
        learner.learn(event)
    for question in test:
        for event in question.window:
            learner.learn(event)
        judged.append(learner.judge(question))
    return judged


def score_leaking(asked: Sequence[Question], fit: Fit, zone: tzinfo) -> dict[str, Any]:
    """Return the scores of the model, the baselines and the look-up table on a random split."""
    first_asked(asked)
    train, test = split_randomly(asked)
    seen = rejoin(train, zone)
    _, readers = fit(questions.stream(seen), silent)
    judged = ask_leaking(MixedPredictor(readers()), seen, test)
    return score(judged)["next"] | {LOOK_UP: look_up(seen, test)}


def main() -> None:
    """Print a table for each file."""
    settings = Settings.load()
    for file in event_files():
        asked = questions.from_file(file, settings.zone, settings.window.size, settings.language)
        scores = score_leaking(asked, fresh(settings), settings.zone)
        rows = {name: [found.get(column) for column in COLUMNS] for name, found in scores.items()}
        title = f"{file.name}, random split, which LEAKS, n = {scores[MODEL]['n']}"
        print(f"{table(title, COLUMNS, rows)}\n")


if __name__ == "__main__":
    main()
