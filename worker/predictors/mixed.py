"""The predictor that serves: what follows, what a person does next, and what is upcoming."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np

from memo.core.events import CONTEXT, HUMAN, Action, Event
from memo.core.predictions import LISTED, Candidate, NextAction, NextPlace, Ranking
from worker.predictors.feedback import Feedback
from worker.predictors.history.arrival_times import ArrivalTimes
from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.tables import Array
from worker.predictors.learned import Learned
from worker.predictors.mixer import RankedSymbols
from worker.predictors.person.person_model import PersonModel
from worker.predictors.ranker import Ranker
from worker.predictors.reader import Reader
from worker.predictors.upcoming.hazard import Hazard

TRUST_KEPT = 0.95  # decay of the trust in the person model at each human action
FLOOR = 1e-12  # least divisor


@dataclass(frozen=True, slots=True)
class Opinions:
    """Probabilities of the next human action, by symbol, of the ranker and of the person model; each sums to 1."""

    symbols: Ids
    all: Array
    person: Array


class MixedPredictor(Learned):
    """Implements `memo.protocols.Predictor`. Without a reader it answers from the history alone.

    A ranker of the whole stream, most of which is process noise, decides whether a human action comes next. Both it and
    the person model decide which one; the one that predicted better of late weighs more, by Bayes' rule with
    forgetting. Source: fixed share (Herbster and Warmuth 1998), simplified.
    """

    LEARNED = ("_all", "_person", "_times", "_hazard", "feedback", "_trust")

    def __init__(self, reader: Reader | None = None, weights: dict[str, Any] | None = None) -> None:
        self._all = Ranker()
        self._person = PersonModel()
        self._times = ArrivalTimes()
        self._hazard = Hazard()
        self.feedback = Feedback()
        self.resume(reader, weights)

    def resume(self, reader: Reader | None, weights: dict[str, Any] | None, latest: Sequence[Event] = ()) -> None:
        """Go on with another language model, which reads the `latest` events, and with other (or initial) weights."""
        weights = weights or {}
        self._all.resume(reader, weights.get("all"), latest)
        self._trust = float(weights.get("trust", 0.0))  # log-odds of the person model
        self._opinions: Opinions | None = None

    def weights(self) -> dict[str, Any]:
        """Return what is learned from outcomes of the whole stream, as JSON."""
        return {"all": self._all.mixer.state(), "trust": self._trust}

    @property
    def last_act(self) -> Action | None:
        """The person's last action, as its identity."""
        return self._person.last

    def is_in_use(self, action: Action) -> bool:
        """Return whether what is wanted with an action was in use at the last event."""
        return self._times.last is not None and self._hazard.is_in_use(action, self._times.last[1])

    def learn(self, event: Event, ranks: bool = True) -> None:
        """Count the event; if a ranking was made before it, the weights learn from it, too.

        The person model ranks after each action of the person, and the language model reads each event, unless `ranks`
        is False: then the event is only counted. Both answer only after enough events that were not only counted.
        """
        if event.operation not in CONTEXT:
            self._learn_trust(event)
        self._all.learn(event, reads=ranks)
        self._person.learn(event, ranks)
        self._times.learn(event)
        self._hazard.learn(event, ranks)

    def predict(self, window: Sequence[Event], top: int) -> Ranking:
        """Rank what follows the stream learned so far, which `window` ends.

        With `top` 0, nobody waits for the answer: weights learn from its outcome, and the language model is not asked.
        """
        ranked = self._all.rank(asks_model=top > 0)
        if not window or ranked is None:
            return Ranking(new_probability=1.0)
        after, now = self._times.last or (window[-1].action, window[-1].at)
        symbols = self._all.history.symbols
        names = [symbols.names[symbol] for symbol in ranked.symbols]
        things = self._person.things()
        probabilities = self.feedback.weigh(after, names, self._with_person(ranked, things))
        unseen = symbols.unseen[ranked.symbols]
        best = np.argsort(-np.where(unseen, -1.0, probabilities), kind="stable")[: min(top, int((~unseen).sum()))]
        listed = self.feedback.weigh_places(after, self._person.places(), things)[:LISTED]
        places = [NextPlace(place, probability) for place, probability in listed]
        return Ranking(
            [self._candidate(int(ranked.symbols[i]), float(probabilities[i]), now) for i in best],
            self.feedback.weigh_upcoming(after, self._hazard.upcoming(now)),
            float(probabilities[unseen].sum()),
            places,
            max(0.0, 1 - sum(place.probability for place in places)),
            self._next_actions(self.feedback.weigh_things(after, things), places),
            self._all.with_model,
        )

    def reasons(self, first: Action, second: Action) -> dict[str, float]:
        """Return, by column, the nats by which `first` is ahead of `second`, without the person model."""
        return self._with_feedback(self._all.reasons(first, second), first, second)

    def thing_reasons(self, first: Action, second: Action) -> dict[str, float]:
        """Return, by column, the nats by which the person's next action is `first` rather than `second`."""
        return self._with_feedback(self._person.thing_reasons(first, second), first, second)

    def place_reasons(self, first: tuple[str, str], second: tuple[str, str]) -> dict[str, float]:
        """Return the same for places, each given by operation and name."""
        return self._person.place_reasons(first, second)

    def _with_feedback(self, found: dict[str, float], first: Action, second: Action) -> dict[str, float]:
        if not found or not self._times.last:
            return found
        odds = [self.feedback.odds(self._times.last[0], action.identity) for action in (first, second)]
        return found | {"feedback": math.log(odds[0] / odds[1])}

    def _with_person(self, ranked: RankedSymbols, things: list[tuple[Action, float]]) -> Array:
        """Return the probabilities, those of human actions mixed with the person model's."""
        symbols = self._all.history.symbols
        is_human = symbols.human[ranked.symbols]
        mass = ranked.probabilities[is_human].sum()
        if not things or not mass:
            return ranked.probabilities
        by_all = ranked.probabilities * is_human / mass
        known = dict(things)
        by_person = symbols.spread(known, 0.0)[ranked.symbols]
        unseen = by_all * symbols.unseen[ranked.symbols]
        by_person += unseen * (1 - sum(known.values())) / max(FLOOR, unseen.sum())
        total = by_person.sum()
        if not total:  # none of what the person may do is among the symbols: process noise has displaced it
            return ranked.probabilities
        self._opinions = Opinions(ranked.symbols, by_all, by_person / total)
        share = 1 / (1 + np.exp(-self._trust))
        mixed = share * self._opinions.person + (1 - share) * by_all
        return np.where(is_human, mass * mixed, ranked.probabilities)

    def _learn_trust(self, event: Event) -> None:
        opinions, self._opinions = self._opinions, None
        if opinions is None or event.operation not in HUMAN:
            return
        came = opinions.symbols == self._all.history.symbols.outcome(event.action)
        by_person, by_all = float(opinions.person[came].sum()), float(opinions.all[came].sum())
        if by_person and by_all:
            self._trust = TRUST_KEPT * self._trust + math.log(by_person / by_all)

    def _next_actions(self, things: list[tuple[Action, float]], places: Sequence[NextPlace]) -> list[NextAction]:
        """Return the likeliest actions in these places."""
        listed = {one.place for one in places}
        in_places = (entry for entry in things if entry[0].coarse in listed)
        return [self._next_action(*entry) for entry in islice(in_places, LISTED)]

    def _next_action(self, name: Action, probability: float) -> NextAction:
        symbol = self._all.history.symbols.find(name)
        action, detail, executable = (name, "", "") if symbol is None else self._all.history.as_shown(symbol)
        return NextAction(action, probability, detail, executable)

    def _candidate(self, symbol: int, probability: float, now: datetime) -> Candidate:
        action, detail, executable = self._all.history.as_shown(symbol)
        expected_s, spread_s = self._times.expected(action)
        return Candidate(action, probability, now + timedelta(seconds=expected_s), detail, executable, spread_s)
