"""Followers: what came within the horizon after an arrival at one thing, and after one arrival from another."""

from collections import deque
from itertools import chain

import numpy as np

from memo.core.predictions import HORIZON_S
from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.tables import Array, Counts, CountsByContext, State
from worker.predictors.person.symbol_table import NEW

LATEST = 16  # latest arrivals that may be followed
WEIGHT = 2  # weight of the expected share, in arrivals


class Followers:
    """Counts by context, the key of one thing or of two: of each symbol, and under `NEW` of the arrivals."""

    def __init__(self) -> None:
        self._counts = CountsByContext()
        self._arrivals = deque[tuple[int, float, int, int]](maxlen=LATEST)  # step, time, and the contexts
        self._open = deque[tuple[int, float, Counts]](maxlen=2 * LATEST)  # their steps, times and counts
        self._last = 0  # key of the thing of the last arrival
        self._step = 0

    def learn(self, symbol: int, key: int, at: float, steps: int, was_in_use: bool) -> None:
        """Count a thing that came `at` a time, `steps` steps after it last came; `key` is its key as a context."""
        self._step += 1
        for step, arrived_at, counts in reversed(self._open):
            if step < self._step - steps or not 0 <= at - arrived_at <= HORIZON_S:
                break
            self._counts.count(counts, symbol)
        if key != self._last or not was_in_use:
            contexts = key, hash((self._last, key))
            self._arrivals.append((self._step, at, *contexts))
            for context in contexts:
                counts = self._counts.latest(context)
                self._counts.count(counts, NEW)
                self._open.append((self._step, at, counts))
            self._last = key

    def shares(self, symbols: Ids, expected: Array) -> tuple[Array, Array]:
        """Return each thing's share after the last arrival, and after the last two; `expected` are the usual ones."""
        after_one, after_two = (counts for *_, counts in list(self._open)[-2:])
        shares = _shares(after_one, symbols, expected)
        return shares, _shares(after_two, symbols, shares)

    def keep(self, numbers: dict[int, int]) -> None:
        """Keep the symbols in `numbers` only, under their new numbers."""
        self._counts.renumber(numbers)

    def state(self) -> State:
        """Return all counts."""
        arrivals = [list(arrival) for arrival in self._arrivals]
        numbers = [self._last, self._step]
        return {"counts": self._counts.state(), "arrivals": arrivals, "numbers": numbers}

    def restore(self, state: State) -> None:
        """Replace all counts by those of a `state`."""
        self._counts.restore(state["counts"])
        self._arrivals = deque(map(tuple, state["arrivals"]), LATEST)
        both = (((step, at, self._counts.find(key)) for key in two) for step, at, *two in self._arrivals)
        self._open = deque(chain.from_iterable(both), 2 * LATEST)
        self._last, self._step = state["numbers"]


def _shares(counts: Counts, symbols: Ids, expected: Array) -> Array:
    came = np.zeros(1 + max([*counts, int(symbols.max(initial=NEW))]))
    came[list(counts)] = list(counts.values())
    return np.asarray((came[symbols] + WEIGHT * expected) / (came[NEW] + WEIGHT))
