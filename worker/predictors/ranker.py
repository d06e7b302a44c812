"""The ranker of one stream: its history features, weighed by a mixer that learns from each outcome."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from memo.core.events import CONTEXT, Action, Event
from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.history_features import FEATURES, HistoryFeatures
from worker.predictors.history.tables import Array
from worker.predictors.learned import Learned
from worker.predictors.mixer import Mixer, RankedSymbols
from worker.predictors.reader import Reader

LM_FEATURES = ("language_model", "not_in_language_model")
START = {  # initial weights; all others are 0
    "after_actions": 0.5,
    "within_coarse": 0.4,
    "after_operations": 0.2,
    "after_coarse_and_gap": 0.3,
    "after_human_within_operation": 0.3,
    "language_model": 0.2,
}
RATE = 0.04
GATE_RATE = 0.012
LM_FLOOR = -12.0  # least log-probability of the language model that counts


class Ranker(Learned):
    """History features, a mixer and, optionally, a language model that reads the same stream."""

    LEARNED = ("mixer", "history")

    def __init__(self, reader: Reader | None = None, weights: dict[str, Any] | None = None) -> None:
        self.history = HistoryFeatures()
        self.resume(reader, weights)
        self.with_model = False  # whether the language model took part in the latest ranking
        # Whether something was read since: context settles no ranking, but the language model reads it.
        self._has_read = False

    def resume(self, reader: Reader | None, weights: dict[str, Any] | None, latest: Sequence[Event] = ()) -> None:
        """Go on with another language model, which reads the `latest` events, and with other (or initial) weights."""
        self._reader = reader
        self._ranked: RankedSymbols | None = None
        self.mixer = Mixer((*FEATURES, *LM_FEATURES), START, RATE, GATE_RATE).restore(weights)
        if reader is not None:
            for event in latest:
                reader.read(event)

    def learn(self, event: Event, reads: bool = True) -> None:
        """Count the event; if a ranking was made before it, the weights learn from it, too.

        The language model does not read the event if `reads` is False.
        """
        if event.operation not in CONTEXT:
            self._learn_outcome(event.action)
        self._has_read = True
        self.history.learn(event)
        if self._reader is not None and reads:
            self._reader.read(event)

    def _learn_outcome(self, action: Action) -> None:
        ranked, self._ranked = self._ranked, None
        if ranked is not None and (symbol := self.history.symbols.outcome(action)) is not None:
            row = ranked.row(symbol)
            if row is not None:
                self.mixer.learn(ranked.features, ranked.probabilities, ranked.gate, row)

    def rank(self, asks_model: bool = True) -> RankedSymbols | None:
        """Return the ranking of what follows, or None before the first event; repeated calls return the same."""
        if (self._ranked is None or self._has_read) and self.history.steps:
            symbols = self.history.candidates()
            features = np.hstack([self.history.features(symbols), self._language_columns(symbols, asks_model)])
            self._ranked = self.mixer.rank(symbols, features, self.history.gate)
            self._has_read = False
        return self._ranked

    def _language_columns(self, symbols: Ids, asks_model: bool) -> Array:
        columns = np.zeros((len(symbols), len(LM_FEATURES)))
        self.with_model = False
        if self._reader is None or not asks_model:
            return columns
        scores = self._reader.scores()
        self.with_model = bool(scores.actions)
        by_name: dict[Action, float] = {}
        for action, score in scores.actions.items():
            by_name[action.identity] = max(by_name.get(action.identity, LM_FLOOR), score)
        said = self.history.symbols.spread(by_name, -math.inf)[symbols]
        absent = np.isneginf(said)
        share = scores.new - math.log(max(1, int(absent.sum())))
        columns[:, 0] = np.where(absent, max(LM_FLOOR, share), said)
        columns[:, 1] = absent
        return columns

    def reasons(self, first: Action, second: Action) -> dict[str, float]:
        """Return, by column, the nats by which `first` is ahead of `second` in the latest ranking."""
        ranked, find = self.rank(), self.history.symbols.find
        return self.mixer.reasons(ranked, find(first), find(second)) if ranked else {}
