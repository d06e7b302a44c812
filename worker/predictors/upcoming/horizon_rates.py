"""How often things came within the horizon, by the time since they last came: of all things, and of each."""

import numpy as np

from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.tables import Array, State
from worker.predictors.person.hit_rates import AGES, OWN_CHANCES

FIRST_RATE = 0.02  # before any chance was counted


class HorizonRates:
    """Chances and hits by the kind of the time since a thing last came."""

    def __init__(self) -> None:
        self._all = np.full((AGES, 2), (FIRST_RATE, 1.0))
        self._own = np.zeros((64, AGES, 2), np.float32)

    def learn(self, symbols: Ids, kinds: Ids, hits: Array) -> None:
        """Count a chance of each thing, all different, and a hit where `hits` is 1."""
        self._grow(int(symbols.max(initial=0)) + 1)
        self._own[symbols, kinds, 0] += hits.astype(np.float32)
        self._own[symbols, kinds, 1] += 1
        self._all[:, 0] += np.bincount(kinds, hits, AGES)
        self._all[:, 1] += np.bincount(kinds, minlength=AGES)

    def rates(self, symbols: Ids, kinds: Ids) -> tuple[Array, Array, Array]:
        """Return the rate of each thing's kind, the thing's own rate of that kind, and its rate over all kinds."""
        self._grow(int(symbols.max(initial=0)) + 1)
        rates, own = (self._all[:, 0] / self._all[:, 1])[kinds], self._own[symbols]
        hits, chances = own[np.arange(len(symbols)), kinds].T
        all_hits, all_chances = own.sum(1).T
        own_rates = (hits + OWN_CHANCES * rates) / (chances + OWN_CHANCES)
        return rates, own_rates, np.asarray((all_hits + FIRST_RATE) / (all_chances + 1), float)

    def keep(self, symbols: Ids) -> None:
        """Keep these symbols only, which are renumbered in their order."""
        self._grow(int(symbols.max()) + 1)
        self._own = self._own[symbols]

    def _grow(self, size: int) -> None:
        while len(self._own) < size:
            self._own = np.concatenate([self._own, np.zeros_like(self._own)])

    def state(self, known: int) -> State:
        """Return all chances and hits, those of the first `known` symbols."""
        return {"all": self._all, "own": self._own[:known]}

    def restore(self, state: State) -> None:
        """Replace all chances and hits by those of a `state`."""
        self._all, self._own = np.array(state["all"]), np.array(state["own"])
