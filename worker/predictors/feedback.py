"""What a person answered to suggestions: a refused one loses rank where it was refused, an accepted one gains."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from memo.core.events import Action
from memo.core.predictions import Answer, Upcoming
from worker.predictors.history.candidate_ids import Unseen
from worker.predictors.history.tables import Array

MOST = 7
"""Answers of a kind that count."""
NEVER = 0.01
"""What is left of the odds of what shall never be suggested again."""


class Feedback:
    """Counts of answers: by the action after which they were given, and of "never" everywhere."""

    def __init__(self) -> None:
        self._answers: dict[tuple[Action, Action], Counter[Answer]] = {}
        self._never: set[Action] = set()

    def learn(self, after: Action, about: Action, answer: Answer) -> None:
        """Take in an answer; a later "yes" takes back a "never"."""
        self._answers.setdefault((after.identity, about.identity), Counter())[answer] += 1
        if answer is Answer.NEVER:
            self._never.add(about.identity)
        elif answer is Answer.YES:
            self._never.discard(about.identity)

    def odds(self, after: Action, about: Action | Unseen) -> float:
        """By what the odds of a suggestion are multiplied after an action; `about` is an identity."""
        if isinstance(about, Unseen):
            return 1.0
        answers = self._answers.get((after.identity, about), Counter())
        yes, no = (min(MOST, answers[answer]) for answer in (Answer.YES, Answer.NO))
        return (1 + yes) / (1 + no) * (NEVER if about in self._never else 1)

    def weigh(self, after: Action, names: Sequence[Action | Unseen], probabilities: Array) -> Array:
        """The probabilities of these actions, which sum to 1, as the answers make them."""
        if not self._answers:
            return probabilities
        weighed = probabilities * np.array([self.odds(after, name) for name in names])
        return np.asarray(weighed / weighed.sum())

    def weigh_upcoming(self, after: Action, upcoming: list[Upcoming]) -> list[Upcoming]:
        """The same of what is upcoming, each for itself."""
        if not self._answers:
            return upcoming
        weighed = [replace(one, probability=_times(one.probability, self.odds(after, one.action))) for one in upcoming]
        return sorted(weighed, key=lambda one: -one.probability)


def _times(probability: float, odds: float) -> float:
    return odds * probability / (1 - probability + odds * probability)
