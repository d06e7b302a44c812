"""Feedback on suggestions: a refused one loses rank where it was refused, an accepted one gains."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from memo.core.events import Action
from memo.core.predictions import Answer, Upcoming, wanted
from worker.predictors.history.candidate_ids import Unseen, as_fields, from_fields
from worker.predictors.history.tables import Array, State

MOST = 7  # most answers of a kind that count
NEVER = 0.01  # factor of the odds of a suggestion that was answered "never"


Likely = list[tuple[Action, float]]
"""Actions or places with their probabilities, likeliest first."""


class Feedback:
    """Counts of answers by the action after which they were given, and the actions answered "never"."""

    def __init__(self) -> None:
        self._answers: dict[tuple[Action, Action], Counter[Answer]] = {}
        self._never: set[Action] = set()

    def learn(self, after: Action, about: Action, answer: Answer) -> None:
        """Count an answer; a later "yes" takes back a "never"."""
        self._answers.setdefault((after.identity, about.identity), Counter())[answer] += 1
        if answer is Answer.NEVER:
            self._never.add(about.identity)
        elif answer is Answer.YES:
            self._never.discard(about.identity)

    def odds(self, after: Action, about: Action | Unseen) -> float:
        """Return the factor of the odds of a suggestion after an action; `about` is an identity.

        What was answered about an app holds for each of its windows.
        """
        if isinstance(about, Unseen):
            return 1.0
        return math.prod(self._odds(after.identity, named) for named in {about, wanted(about)})

    def _odds(self, after: Action, about: Action) -> float:
        answers = self._answers.get((after, about), Counter())
        yes, no = (min(MOST, answers[answer]) for answer in (Answer.YES, Answer.NO))
        return (1 + yes) / (1 + no) * (NEVER if about in self._never else 1)

    def weigh(self, after: Action, names: Sequence[Action | Unseen], probabilities: Array) -> Array:
        """Return the probabilities of these actions, which sum to 1, with the answers taken into account."""
        if not self._answers:
            return probabilities
        odds = np.array([self.odds(after, name) for name in names])
        if (odds == 1).all():
            return probabilities
        weighed = probabilities * odds
        return np.asarray(weighed / weighed.sum())

    def weigh_things(self, after: Action, things: Likely) -> Likely:
        """Return what the person may do next with the answers taken into account; the rest to 1 is something new."""
        return self._weigh_likely(things, (self.odds(after, thing) for thing, _ in things))

    def weigh_places(self, after: Action, places: Likely, things: Likely) -> Likely:
        """Return the places with the answers about their `things` taken into account; the rest to 1 is a new place."""
        if not self._answers:
            return places
        before, weighed = defaultdict[Action, float](float), defaultdict[Action, float](float)
        for thing, probability in things:
            before[thing.coarse] += probability
            weighed[thing.coarse] += probability * self.odds(after, thing)
        return self._weigh_likely(places, [weighed[one] / before[one] if before[one] else 1.0 for one, _ in places])

    def _weigh_likely(self, ranked: Likely, odds: Iterable[float]) -> Likely:
        if not self._answers:
            return ranked
        weighed = [(name, probability * factor) for (name, probability), factor in zip(ranked, odds, strict=True)]
        total = 1 + sum(one[1] - other[1] for one, other in zip(weighed, ranked, strict=True))
        return sorted(((name, p / total) for name, p in weighed), key=lambda entry: -entry[1])

    def weigh_upcoming(self, after: Action, upcoming: list[Upcoming]) -> list[Upcoming]:
        """Return the upcoming actions with the answers taken into account, each probability by itself."""
        if not self._answers:
            return upcoming
        weighed = [
            replace(entry, probability=_times(entry.probability, self.odds(after, entry.action))) for entry in upcoming
        ]
        return sorted(weighed, key=lambda entry: -entry.probability)

    def state(self) -> State:
        """Return all answers as JSON."""
        answers = [[as_fields(after), as_fields(about), counts] for (after, about), counts in self._answers.items()]
        return {"answers": answers, "never": sorted(map(as_fields, self._never))}

    def restore(self, state: State) -> None:
        """Replace all answers by those of a `state`."""
        self._never = set(map(from_fields, state["never"]))
        self._answers = {
            (from_fields(after), from_fields(about)): Counter({Answer(answer): n for answer, n in counts.items()})
            for after, about, counts in state["answers"]
        }


def _times(probability: float, factor: float) -> float:
    """Return the probability whose odds are `factor` times those of `probability`."""
    return factor * probability / (1 - probability + factor * probability)
