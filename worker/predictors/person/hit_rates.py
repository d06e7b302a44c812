"""Hit rates: how often candidates of a kind came true, by recency, by time since they last came, and jointly."""

from bisect import bisect
from functools import lru_cache

import numpy as np

from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.tables import Array, State
from worker.predictors.learned import Learned

# Kinds of recency ranks: 1 to 12 each, up to 16, up to 24, up to 40, and higher ones; kind 0 holds no rank.
RANK_STARTS = (0, *range(1, 14), 17, 25, 41)
RANK_ENDS = np.array([-1, *range(1, 13), 16, 24, 40, 2**31])
KINDS = len(RANK_STARTS)
RANK_FADE = 0.98  # decay of the hits by recency rank at each step
RANK_PRIOR = np.append(0.0, (np.arange(1, KINDS) + 0.5) ** -1.7)  # expected shares of hits before any was counted
PRIOR_HITS = 4  # weight of these shares, in hits
DEEP = 8  # among the three latest ranks, higher ones count as this one
AFTER_HITS = 2  # weight of the hits over all in those after the three latest ranks, in hits
AGES = 16  # kinds of times, and of numbers of steps, since a symbol last came
AXES = np.array([[0], [1]])  # times, steps
FIRST_RATE = 0.02  # of a kind, before any chance was counted
OWN_CHANCES = 3  # weight of the rate of all symbols in a symbol's own, in chances
SUCCESSOR_KINDS = 8  # how often a symbol followed here, up to 3 times, and whether it did so last
CELL_RANKS = 8  # in the joint table, recency ranks from this one on are one kind
CELL_CHANCES = 2  # weight of the rate over all cells in that of a cell, in chances


@lru_cache(maxsize=64)
def _expected(known: int) -> tuple[Array, Array]:
    """Return the number of ranks of each kind, where `known` symbols have one, and the expected shares of hits."""
    sizes = np.clip(np.minimum(known, RANK_ENDS) - np.array(RANK_STARTS) + 1.0, 0, None)
    prior = RANK_PRIOR * (sizes > 0)
    return sizes, prior / prior.sum()


def rank_kinds(ranks: Ids) -> Ids:
    """Return the kind of each recency rank; rank 0 is that of a symbol that is new."""
    return np.asarray(np.searchsorted(RANK_STARTS, ranks, "right") - 1, np.int64)


class RecencyRates(Learned):
    """Hits of recency ranks: over all, and after each sequence of three ranks."""

    LEARNED = ("_hits", "_after", "_latest")

    def __init__(self) -> None:
        self._hits = np.zeros(KINDS)
        self._after = np.zeros((DEEP + 1, DEEP + 1, DEEP + 1, KINDS), np.float32)
        self._latest = (0, 0, 0)

    def learn(self, rank: int) -> None:
        """Count a hit at a recency rank, from 1; 0 stands for a symbol that is new."""
        kind = bisect(RANK_STARTS, rank) - 1
        for hits in (self._hits, self._after[self._latest]):
            hits *= RANK_FADE
            hits[kind] += 1
        self._latest = (min(rank, DEEP), *self._latest[:2])

    def columns(self, kinds: Ids, known: int) -> tuple[Array, Array]:
        """Return two columns for candidates of these kinds, where `known` symbols have a rank.

        The first is the log-rate of the kind, shared among its ranks; the second is what the latest ranks add to it.
        """
        sizes, prior = _expected(known)
        shares = (self._hits + PRIOR_HITS * prior) * (sizes > 0)
        shares /= shares.sum()
        after = self._after[self._latest]
        shares_after = (after + AFTER_HITS * shares) / (after[1:].sum() + AFTER_HITS)
        found = shares[kinds]
        return np.log(np.maximum(1e-6, found / sizes[kinds])), np.log(shares_after[kinds] / found)


class SymbolRates:
    """Hits and chances by kind: of all symbols, and of each symbol."""

    def __init__(self, *kinds: int) -> None:
        self._all = np.full((*kinds, 2), (FIRST_RATE, 1.0))
        self._own = np.zeros((64, *kinds, 2), np.float32)

    def keep(self, symbols: Ids) -> None:
        """Keep these symbols only, which are renumbered in their order."""
        self._grow(symbols)
        self._own = self._own[symbols]

    def _grow(self, symbols: Ids) -> None:
        while len(self._own) <= symbols.max(initial=0):
            self._own = np.concatenate([self._own, np.zeros_like(self._own)])

    def state(self, known: int) -> State:
        """Return all hits and chances, those of the first `known` symbols."""
        return {"all": self._all, "own": self._own[:known]}

    def restore(self, state: State) -> None:
        """Replace all hits and chances by those of a `state`."""
        self._all, self._own = np.array(state["all"]), np.array(state["own"])


class ReturnRates(SymbolRates):
    """Hits and chances by the time and by the steps since a symbol last came: of all symbols, and of each."""

    def __init__(self) -> None:
        super().__init__(2, AGES)

    def learn(self, symbols: Ids, kinds: Ids, row: int) -> None:
        """Count a chance of each symbol, all different, and a hit of the one in a row, if it is one.

        `kinds` are those of the times and of the steps, (2, symbols).
        """
        self._grow(symbols)
        self._own[symbols, AXES, kinds, 1] += 1
        for axis, ages in enumerate(kinds):
            self._all[axis, :, 1] += np.bincount(ages, minlength=AGES)
            if row < len(symbols):
                self._own[symbols[row], axis, ages[row], 0] += 1
                self._all[axis, ages[row], 0] += 1

    def columns(self, symbols: Ids, kinds: Ids) -> Array:
        """Return four columns, of times and then of steps: the log-rate of the kind, and what the own rate adds."""
        self._grow(symbols)
        rates = (self._all[..., 0] / self._all[..., 1])[AXES, kinds]
        own = self._own[symbols, AXES, kinds]
        own_rates = (own[..., 0] + OWN_CHANCES * rates) / (own[..., 1] + OWN_CHANCES)
        return np.asarray(np.log(np.stack([rates, own_rates / rates], axis=1)).reshape(4, len(symbols)))


class HorizonRates(SymbolRates):
    """Hits within the horizon, and chances, by the time since a thing last came: of all things, and of each."""

    def __init__(self) -> None:
        super().__init__(AGES)

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


class CellRates(Learned):
    """Hits and chances by recency rank and by how often and how lately a symbol followed here."""

    LEARNED = ("_all", "_cells")

    def __init__(self) -> None:
        self._all = np.array([0.1, 1.0])
        self._cells = np.zeros((CELL_RANKS * SUCCESSOR_KINDS, 2))

    def learn(self, cells: Ids, row: int) -> None:
        """Count a chance of each candidate's cell, and a hit of the one in a row, if it is one."""
        self._cells[:, 1] += np.bincount(cells, minlength=len(self._cells))
        if row < len(cells):
            self._cells[cells[row], 0] += 1
        self._all += (row < len(cells), len(cells))

    def column(self, cells: Ids) -> Array:
        """Return what the rate of each candidate's cell adds to the log-rate over all."""
        rate = self._all[0] / self._all[1]
        rates = (self._cells[:, 0] + CELL_CHANCES * rate) / (self._cells[:, 1] + CELL_CHANCES)
        return np.asarray(np.log(rates / rate)[cells])


def cells_of(kinds: Ids, successors: Ids) -> Ids:
    """Return the cells of candidates by their kinds of recency ranks and of successors."""
    return np.minimum(CELL_RANKS, kinds) * SUCCESSOR_KINDS - SUCCESSOR_KINDS + successors


def age_kinds(steps: Array) -> Ids:
    """Return the kinds of numbers of steps, from 1: two kinds for each doubling."""
    return np.asarray(np.minimum(AGES - 1, np.log2(steps) * 2), np.int64)


def time_kinds(seconds: Array) -> Ids:
    """Return the kinds of times: one kind for each doubling from two seconds on."""
    doublings = np.log2(1 + np.maximum(0.0, seconds) / 2)
    return np.asarray(np.minimum(AGES - 1, doublings), np.int64)
