"""Ranks what follows one stream: its history, weighed by a mixer that learns from each outcome."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from memo.core.events import CONTEXT, Action, Event
from worker.predictors.history.candidate_ids import Ids, Unseen
from worker.predictors.history.history_features import FEATURES, HistoryFeatures
from worker.predictors.history.tables import Array
from worker.predictors.mixer import Mixer

LM_FEATURES = ("language_model", "not_in_language_model")
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
class Ranked:
    """What was ranked, while its outcome is awaited; `probabilities` are those of `symbols` and sum to 1."""

    symbols: Ids
    features: Array
    gate: str
    probabilities: Array


class Ranker:
    """HistoryFeatures, mixer and, where there is one, a language model that reads the same stream."""

    def __init__(
        self, reader: Reader | None = None, weights: dict[str, Any] | None = None, columns: Sequence[str] = FEATURES
    ) -> None:
        self._reader = reader
        self.mixer = Mixer((*columns, *LM_FEATURES)).restore(weights)
        self.history = HistoryFeatures(columns)
        self._ranked: Ranked | None = None
        self.with_model = False
        """Whether the language model had its say in the latest ranking."""
        self._moved_on = False
        """Whether something was read since: a mark of context settles no ranking, but a language model reads it."""

    def __getstate__(self) -> dict[str, Any]:
        """All that was counted: neither the language model, nor what waits for its outcome."""
        return self.__dict__ | {"_reader": None, "_ranked": None}

    def resume(self, reader: Reader | None, weights: dict[str, Any] | None, latest: Sequence[Event]) -> None:
        """Go on with another language model, which reads the latest events, and with other weights, or by hand."""
        self._reader, self._ranked = reader, None
        self.mixer = Mixer(self.mixer.columns).restore(weights)
        if reader is not None:
            for event in latest:
                reader.read(event)

    def learn(self, event: Event) -> None:
        """Count the event; where a ranking was asked for before it, the weights learn from it too."""
        if event.operation not in CONTEXT:
            self._learn_outcome(event.action)
        self._moved_on = True
        self.history.learn(event)
        if self._reader is not None:
            self._reader.read(event)

    def _learn_outcome(self, action: Action) -> None:
        ranked, self._ranked = self._ranked, None
        if ranked is not None and (symbol := self.history.symbols.outcome(action)) is not None:
            place = np.flatnonzero(ranked.symbols == symbol)
            if len(place):
                self.mixer.learn(ranked.features, ranked.gate, int(place[0]))

    def rank(self) -> Ranked | None:
        """What follows, None before the first event; asking again gives the same."""
        if (self._ranked is None or self._moved_on) and self.history.steps:
            symbols = self.history.candidates()
            features = np.hstack([self.history.features(symbols), self._language_columns(symbols)])
            gate = self.history.gate
            self._ranked = Ranked(symbols, features, gate, self.mixer.probabilities(features, gate))
            self._moved_on = False
        return self._ranked

    def _language_columns(self, symbols: Ids) -> Array:
        columns = np.zeros((len(symbols), len(LM_FEATURES)))
        self.with_model = False
        if self._reader is None:
            return columns
        said = self._reader.scores()
        self.with_model = bool(said.actions)
        names = [self.history.symbols.names[symbol] for symbol in symbols]
        by_name: dict[Action | Unseen, float] = {}
        for action, score in said.actions.items():
            by_name[action.identity] = max(by_name.get(action.identity, LM_FLOOR), score)
        absent = np.array([name not in by_name for name in names])
        share = said.new - math.log(max(1, int(absent.sum())))
        columns[:, 0] = [by_name.get(name, max(LM_FLOOR, share)) for name in names]
        columns[:, 1] = absent
        return columns

    def reasons(self, first: Action, second: Action) -> dict[str, float]:
        """By column, the nats by which `first` is ahead of `second` in the latest ranking; they sum to all of it."""
        ranked = self.rank()
        rows = [self._row(ranked, action) for action in (first, second)] if ranked else []
        if ranked is None or None in rows:
            return {}
        differences = ranked.features[rows[0]] - ranked.features[rows[1]]
        return dict(zip(self.mixer.columns, (differences * self.mixer.weights(ranked.gate)).tolist(), strict=True))

    def _row(self, ranked: Ranked, action: Action) -> int | None:
        place = np.flatnonzero(ranked.symbols == self.history.symbols.find(action))
        return int(place[0]) if len(place) else None
