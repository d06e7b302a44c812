"""The predictor that serves: what follows, what a person does next, and what is upcoming."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from memo.core.events import CONTEXT, HUMAN, Action, Event
from memo.core.predictions import Candidate, Ranking
from worker.predictors.feedback import Feedback
from worker.predictors.history.arrival_times import ArrivalTimes
from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.hazard import Hazard
from worker.predictors.history.history_features import HUMAN_FEATURES
from worker.predictors.history.tables import Array
from worker.predictors.ranker import Ranked, Ranker, Reader

TRUST_KEPT = 0.95
"""What of the trust in the human stream's ranker is left at each human action."""


@dataclass(frozen=True, slots=True)
class Opinions:
    """What both rankers say of the next human action: probabilities of `symbols`, each summing to 1."""

    symbols: Ids
    all: Array
    human: Array


class MixedPredictor:
    """Implements `memo.protocols.Predictor`. Without a reader it answers from the history alone.

    Two rankers: one of the whole stream, most of which is process noise, and one of human actions alone, which sees
    further back. The first decides whether a human action comes next; which one, both, the one that foretold better of
    late weighing more: Bayes' rule that forgets. Source: fixed share (Herbster and Warmuth 1998), simplified.
    """

    def __init__(self, reader: Reader | None = None, weights: dict[str, Any] | None = None) -> None:
        weights = weights or {}
        self._all, self._human = Ranker(reader, weights.get("all")), Ranker(None, weights.get("human"), HUMAN_FEATURES)
        self._gaps, self._hazard, self.feedback = ArrivalTimes(), Hazard(), Feedback()
        self._trust = float(weights.get("trust", 0.0))
        """In the human stream's ranker: log-odds."""
        self._opinions: Opinions | None = None

    def resume(self, reader: Reader | None, weights: dict[str, Any] | None, latest: Sequence[Event]) -> None:
        """Go on with another language model, which reads the latest events, and with other weights, or by hand."""
        self._all.resume(reader, (weights or {}).get("all"), latest)
        self._human.resume(None, (weights or {}).get("human"), ())
        self._trust, self._opinions = float((weights or {}).get("trust", 0.0)), None

    def weights(self) -> dict[str, Any]:
        """What is learned from outcomes, as JSON."""
        return {"all": self._all.mixer.state(), "human": self._human.mixer.state(), "trust": self._trust}

    def learn(self, event: Event) -> None:
        """Count the event; where a ranking was asked for before it, the weights learn from it too."""
        if event.operation not in CONTEXT:
            self._learn_trust(event)
        self._all.learn(event)
        if event.operation in HUMAN:
            self._human.learn(event)
        self._gaps.learn(event)
        self._hazard.learn(event)

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """Rank what follows the stream learned so far, which `window` ends."""
        ranked = self._all.rank()
        if not window or ranked is None:
            return Ranking(new_probability=1.0)
        after, now = self._gaps.last or (window[-1].action, window[-1].at)
        symbols = self._all.history.symbols
        names = [symbols.names[symbol] for symbol in ranked.symbols]
        probabilities = self.feedback.weigh(after, names, self._with_human(ranked))
        unseen = symbols.unseen[ranked.symbols]
        best = np.argsort(-np.where(unseen, -1.0, probabilities), kind="stable")[: min(top, int((~unseen).sum()))]
        return Ranking(
            [self._candidate(int(ranked.symbols[i]), float(probabilities[i]), now) for i in best],
            self.feedback.weigh_upcoming(after, self._hazard.upcoming(now)),
            float(probabilities[unseen].sum()),
            self._all.with_model,
        )

    def reasons(self, first: Action, second: Action) -> dict[str, float]:
        """By column, the nats by which `first` is ahead of `second`, the stream of human actions left out."""
        found = self._all.reasons(first, second)
        if found and self._gaps.last:
            one, other = (self.feedback.odds(self._gaps.last[0], action.identity) for action in (first, second))
            found["feedback"] = math.log(one / other)
        return found

    def _with_human(self, ranked: Ranked) -> Array:
        """The probabilities, the human ones by what both rankers say."""
        human = self._human.rank()
        if human is None:
            return ranked.probabilities
        names, human_names = self._all.history.symbols.names, self._human.history.symbols.names
        said = {human_names[symbol]: p for symbol, p in zip(human.symbols, human.probabilities, strict=True)}
        theirs = np.array([said.get(names[symbol], 0.0) for symbol in ranked.symbols])
        is_human = np.array([names[symbol].operation in HUMAN for symbol in ranked.symbols])
        mass = ranked.probabilities[is_human].sum()
        if not theirs.sum() or not mass:
            return ranked.probabilities
        self._opinions = Opinions(ranked.symbols, ranked.probabilities * is_human / mass, theirs / theirs.sum())
        share = 1 / (1 + np.exp(-self._trust))
        mixed = share * self._opinions.human + (1 - share) * self._opinions.all
        return np.where(is_human, mass * mixed, ranked.probabilities)

    def _learn_trust(self, event: Event) -> None:
        opinions, self._opinions = self._opinions, None
        if opinions is None or event.operation not in HUMAN:
            return
        place = opinions.symbols == self._all.history.symbols.outcome(event.action)
        odds = float(opinions.human[place].sum()), float(opinions.all[place].sum())
        if all(odds):
            self._trust = TRUST_KEPT * self._trust + math.log(odds[0] / odds[1])

    def _candidate(self, symbol: int, probability: float, now: datetime) -> Candidate:
        action, detail, executable = self._all.history.as_shown(symbol)
        expected_s, spread_s = self._gaps.expected(action)
        return Candidate(action, probability, now + timedelta(seconds=expected_s), detail, executable, spread_s)
