"""How often things came within the horizon, by the time since they last came: of all things, and of each."""

import numpy as np

from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.tables import Array
from worker.predictors.person.hit_rates import AGES, FIRST_RATE, OWN_CHANCES, SymbolRates


class HorizonRates(SymbolRates):
    """Chances and hits by the kind of the time since a thing last came."""

    def __init__(self) -> None:
        super().__init__((AGES,), FIRST_RATE)

    def learn(self, symbols: Ids, kinds: Ids, hits: Array) -> None:
        """Count a chance of each thing, all different, and a hit where `hits` is 1."""
        self._grow(symbols)
        self._own[symbols, kinds, 0] += hits.astype(np.float32)
        self._own[symbols, kinds, 1] += 1
        self._all[:, 0] += np.bincount(kinds, hits, AGES)
        self._all[:, 1] += np.bincount(kinds, minlength=AGES)

    def rates(self, symbols: Ids, kinds: Ids) -> tuple[Array, Array, Array]:
        """Return the rate of each thing's kind, the thing's own rate of that kind, and its rate over all kinds."""
        self._grow(symbols)
        rates, own = (self._all[:, 0] / self._all[:, 1])[kinds], self._own[symbols]
        hits, chances = own[np.arange(len(symbols)), kinds].T
        all_hits, all_chances = own.sum(1).T
        own_rates = (hits + OWN_CHANCES * rates) / (chances + OWN_CHANCES)
        return rates, own_rates, np.asarray((all_hits + FIRST_RATE) / (all_chances + 1), float)
