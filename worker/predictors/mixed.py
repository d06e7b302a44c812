"""The predictor that serves: history and language model, weighed by the mixer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from memo.events import CONTEXT, Action, Event
from memo.predictions import Candidate, Ranking
from worker.predictors.history import Array, Gaps, History, Novelty
from worker.predictors.mixer import LM_FEATURES, Mixer
from worker.predictors.upcoming import Hazard

LM_FLOOR = -12.0
"""The least log-probability that the language model's word counts for."""


class Scores(Protocol):
    """What a language model says: log-probabilities of the actions in its context, and of anything else."""

    @property
    def actions(self) -> dict[Action, float]:
        """By action."""

    @property
    def new(self) -> float:
        """Of anything else."""


class Reader(Protocol):
    """A language model that reads along one stream."""

    def read(self, event: Event) -> None:
        """Take in the next event."""

    def scores(self) -> Scores:
        """What it expects next."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A ranking that was given and whose outcome is awaited."""

    symbols: npt.NDArray[np.int64]
    features: Array
    gate: str


class MixedPredictor:
    """Implements `memo.protocols.Predictor`. Without a reader it answers from the history alone."""

    def __init__(self, reader: Reader | None = None, weights: dict[str, Any] | None = None) -> None:
        self._reader = reader
        self._mixer = Mixer.restore(weights)
        self._history, self._novelty, self._gaps, self._hazard = History(), Novelty(), Gaps(), Hazard()
        self._asked: Asked | None = None

    def weights(self) -> dict[str, Any]:
        """The mixer's weights as JSON."""
        return self._mixer.state()

    def learn(self, event: Event) -> None:
        """Count the event; where a ranking was asked for before it, the weights learn from it too."""
        if event.operation not in CONTEXT:
            self._learn_outcome(event.action)
        self._history.learn(event)
        self._gaps.learn(event)
        self._hazard.learn(event)
        if self._reader is not None:
            self._reader.read(event)

    def _learn_outcome(self, truth: Action) -> None:
        symbol = self._history.index.get(truth)
        self._novelty.learn(self._history.gate, symbol is None)
        if self._asked is not None and symbol is not None:
            place = np.flatnonzero(self._asked.symbols == symbol)
            if len(place):
                self._mixer.learn(self._asked.features, self._asked.gate, int(place[0]))
        self._asked = None

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """Rank what follows the stream learned so far, which `window` ends."""
        if not window or not self._history.known:
            return Ranking(new_probability=1.0)
        asked = self._asked = self._ask()
        new = self._novelty.probability(asked.gate)
        probabilities = self._mixer.probabilities(asked.features, asked.gate) * (1 - new)
        best = np.argsort(-probabilities, kind="stable")[:top]
        now = window[-1].at
        return Ranking(
            [self._candidate(int(asked.symbols[i]), float(probabilities[i]), now) for i in best],
            self._hazard.upcoming(now),
            new,
        )

    def _ask(self) -> Asked:
        symbols = self._history.candidates()
        features = np.hstack([self._history.features(symbols), self._language_columns(symbols)])
        return Asked(symbols, features, self._history.gate)

    def _language_columns(self, symbols: npt.NDArray[np.int64]) -> Array:
        columns = np.zeros((len(symbols), len(LM_FEATURES)))
        if self._reader is None:
            return columns
        said = self._reader.scores()
        actions = [self._history.actions[symbol] for symbol in symbols]
        absent = np.array([action not in said.actions for action in actions])
        share = said.new - math.log(max(1, int(absent.sum())))
        columns[:, 0] = [max(LM_FLOOR, said.actions.get(action, share)) for action in actions]
        columns[:, 1] = absent
        return columns

    def _candidate(self, symbol: int, probability: float, now: Any) -> Candidate:
        action = self._history.actions[symbol]
        detail, executable = self._history.details[symbol]
        expected = now + timedelta(seconds=self._gaps.expected_s(action))
        return Candidate(action, probability, expected, detail, executable)
