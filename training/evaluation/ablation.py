"""The predictor with a part of it taken away, to see what the part earns."""

import math
from collections.abc import Callable, Sequence
from datetime import timedelta

from memo.core.events import CONTEXT, Action, Event
from memo.core.predictions import Candidate, Ranking
from memo.protocols import Predictor
from worker.predictors.mixed import MixedPredictor
from worker.predictors.mixer import Mixer
from worker.predictors.reader import Reader

Readers = Callable[[], Reader]
"""Makes a reader of the version that is judged."""


class LanguageAlone:
    """What the language model says, as it says it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._details: dict[Action, str] = {}

    def learn(self, event: Event) -> None:
        """Read the event."""
        self._reader.read(event)
        self._details[event.action] = event.detail

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """Its candidates, best first."""
        said = self._reader.scores()
        actions = [action for action in said.actions if action.operation not in CONTEXT]
        best = sorted(actions, key=lambda action: -said.actions[action])[:top]
        soon = window[-1].at + timedelta(seconds=1)
        return Ranking(
            [Candidate(action, math.exp(said.actions[action]), soon, self._details[action]) for action in best],
            new_probability=math.exp(said.new),
        )


class Unlearned(MixedPredictor):
    """The weights stay as they were set by hand."""

    def learn(self, event: Event) -> None:
        """Count the event; forget what the weights learned."""
        super().learn(event)
        for ranker in (self._all, self._human):
            ranker.mixer = Mixer(ranker.mixer.columns)
        self._trust = 0.0


class Untimed(MixedPredictor):
    """Expects everything at once."""

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """The same candidates, at the time of the last event."""
        ranking = super().predict(window, top)
        at_once = [
            Candidate(one.action, one.probability, window[-1].at, one.detail, one.executable)
            for one in ranking.candidates
        ]
        return Ranking(at_once, ranking.upcoming, ranking.new_probability)


HISTORY = "history alone"
VARIANTS: dict[str, Callable[[Readers], Predictor]] = {
    HISTORY: lambda _readers: MixedPredictor(),
    "language model alone": lambda readers: LanguageAlone(readers()),
    "weights unlearned": lambda readers: Unlearned(readers()),
    "times left out": lambda readers: Untimed(readers()),
}
"""By the name of what is left."""
