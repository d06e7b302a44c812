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
from worker.predictors.history.tables import Array, State
from worker.predictors.ranker import Ranked, Ranker
from worker.predictors.reader import Reader

TRUST_KEPT = 0.95  # decay of the trust in the human stream's ranker at each human action


@dataclass(frozen=True, slots=True)
class Opinions:
    """Both rankers' probabilities of the next human action, by symbol, each summing to 1."""

    symbols: Ids
    all: Array
    human: Array


class MixedPredictor:
    """Implements `memo.protocols.Predictor`. Without a reader it answers from the history alone.

    There are two rankers: one of the whole stream, most of which is process noise, and one of human actions alone,
    which sees further back. The first decides whether a human action comes next. Both decide which one; the ranker
    that predicted better of late weighs more, by Bayes' rule with forgetting. Source: fixed share (Herbster and
    Warmuth 1998), simplified.
    """

    def __init__(self, reader: Reader | None = None, weights: dict[str, Any] | None = None) -> None:
        weights = weights or {}
        self._all = Ranker(reader, weights.get("all"))
        self._human = Ranker(None, weights.get("human"), HUMAN_FEATURES)
        self._times = ArrivalTimes()
        self._hazard = Hazard()
        self.feedback = Feedback()
        self._trust = float(weights.get("trust", 0.0))  # log-odds of the human stream's ranker
        self._opinions: Opinions | None = None

    def resume(self, reader: Reader | None, weights: dict[str, Any] | None, latest: Sequence[Event]) -> None:
        """Go on with another language model, which reads the `latest` events, and with other (or initial) weights."""
        weights = weights or {}
        self._all.resume(reader, weights.get("all"), latest)
        self._human.resume(None, weights.get("human"), ())
        self._trust = float(weights.get("trust", 0.0))
        self._opinions = None

    def weights(self) -> dict[str, Any]:
        """Return what is learned from outcomes, as JSON."""
        return {"all": self._all.mixer.state(), "human": self._human.mixer.state(), "trust": self._trust}

    def state(self) -> State:
        """Return everything learned, without the language model and the ranking that awaits its outcome."""
        parts = {name: part.state() for name, part in self._parts().items()}
        return {**parts, "trust": self._trust}

    def restore(self, state: State) -> None:
        """Replace everything learned by a `state`. Raises an exception of any kind if it is malformed."""
        for name, part in self._parts().items():
            part.restore(state[name])
        self._trust = state["trust"]

    def _parts(self) -> dict[str, Ranker | ArrivalTimes | Hazard | Feedback]:
        return {
            "all": self._all,
            "human": self._human,
            "times": self._times,
            "hazard": self._hazard,
            "feedback": self.feedback,
        }

    def learn(self, event: Event) -> None:
        """Count the event; if a ranking was made before it, the weights learn from it, too."""
        if event.operation not in CONTEXT:
            self._learn_trust(event)
        self._all.learn(event)
        if event.operation in HUMAN:
            self._human.learn(event)
        self._times.learn(event)
        self._hazard.learn(event)

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """Rank what follows the stream learned so far, which `window` ends."""
        ranked = self._all.rank()
        if not window or ranked is None:
            return Ranking(new_probability=1.0)
        after, now = self._times.last or (window[-1].action, window[-1].at)
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
        """Return, by column, the nats by which `first` is ahead of `second`, without the human stream's ranker."""
        found = self._all.reasons(first, second)
        if found and self._times.last:
            odds = [self.feedback.odds(self._times.last[0], action.identity) for action in (first, second)]
            found["feedback"] = math.log(odds[0] / odds[1])
        return found

    def _with_human(self, ranked: Ranked) -> Array:
        """Return the probabilities, those of human actions mixed from both rankers."""
        human = self._human.rank()
        if human is None:
            return ranked.probabilities
        names, human_names = self._all.history.symbols.names, self._human.history.symbols.names
        by_name = {human_names[symbol]: p for symbol, p in zip(human.symbols, human.probabilities, strict=True)}
        by_human = np.array([by_name.get(names[symbol], 0.0) for symbol in ranked.symbols])
        is_human = np.array([names[symbol].operation in HUMAN for symbol in ranked.symbols])
        mass = ranked.probabilities[is_human].sum()
        if not by_human.sum() or not mass:
            return ranked.probabilities
        self._opinions = Opinions(ranked.symbols, ranked.probabilities * is_human / mass, by_human / by_human.sum())
        share = 1 / (1 + np.exp(-self._trust))
        mixed = share * self._opinions.human + (1 - share) * self._opinions.all
        return np.where(is_human, mass * mixed, ranked.probabilities)

    def _learn_trust(self, event: Event) -> None:
        opinions, self._opinions = self._opinions, None
        if opinions is None or event.operation not in HUMAN:
            return
        came = opinions.symbols == self._all.history.symbols.outcome(event.action)
        by_human, by_all = float(opinions.human[came].sum()), float(opinions.all[came].sum())
        if by_human and by_all:
            self._trust = TRUST_KEPT * self._trust + math.log(by_human / by_all)

    def _candidate(self, symbol: int, probability: float, now: datetime) -> Candidate:
        action, detail, executable = self._all.history.as_shown(symbol)
        expected_s, spread_s = self._times.expected(action)
        return Candidate(action, probability, now + timedelta(seconds=expected_s), detail, executable, spread_s)
