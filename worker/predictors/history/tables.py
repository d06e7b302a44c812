"""Counts of what followed a context, and the distribution that they give."""

from collections.abc import Mapping
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
State = dict[str, Any]  # learned state: JSON values and numpy arrays, in dictionaries with string keys

MOST_COUNTS = 16_000  # contexts of a table, and counts of all of them; see `CountsByContext`
UNIT = -1  # no symbol
LARGEST_UNIT = 1e100  # counts in larger units are rewritten in units of 1


Counts = dict[int, float]
"""Counts by symbol, what came last at the end. Plain dictionaries of numbers cost the garbage collector nothing.

Where counts decay, they are in units that grow, and the first entry is the unit, under `UNIT`.
"""


class CountsByContext:
    """Counts by context, a number of 64 bits; of bounded size, in two generations.

    A context that is met is young. Once the young ones and their counts are half of `most`, they become the old ones;
    the old ones that were not met meanwhile are forgotten.
    """

    _dtype: type = np.int32  # of counts in a state

    def __init__(self, most: int = MOST_COUNTS) -> None:
        self._most = most // 2
        self._old: dict[int, Counts] = {}
        self._young: dict[int, Counts] = {}
        self._size = 0  # young contexts, and their counts

    def latest(self, context: int) -> Counts:
        """Return the counts of a context, which is met."""
        counts = self._young.get(context)
        if counts is None:
            counts = self._old.pop(context, None) or {}
            if self._size > self._most:
                self._old, self._young, self._size = self._young, {}, 0
            self._young[context] = counts
            self._size += 1 + len(counts)
        return counts

    def count(self, counts: Counts, symbol: int) -> None:
        """Count a symbol once more."""
        count = counts.pop(symbol, 0)
        counts[symbol] = count + 1
        if not count:
            self._size += 1

    def find(self, context: int | None) -> Counts:
        """Return the counts after a context, without meeting it; there are none after None."""
        return {} if context is None else self._young.get(context) or self._old.get(context) or {}

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Keep the counts of the symbols in `numbers` only, under their new numbers, and contexts with such counts."""
        for contexts in (self._old, self._young):
            for context, counts in list(contexts.items()):
                kept = {numbers[symbol]: count for symbol, count in counts.items() if symbol in numbers}
                counts.clear()
                counts.update(kept)
                if kept.keys() <= {UNIT}:
                    del contexts[context]
        self._size = len(self._young) + sum(map(len, self._young.values()))

    def state(self) -> State:
        """Return all counts, as arrays in a row."""
        counts = [*self._old.values(), *self._young.values()]
        return {
            "numbers": [len(self._old), self._size],
            "contexts": np.array([*self._old, *self._young], np.int64),
            "sizes": np.fromiter(map(len, counts), np.int32),
            "keys": np.fromiter(chain.from_iterable(counts), np.int32),
            "values": np.fromiter(chain.from_iterable(each.values() for each in counts), self._dtype),
        }

    def restore(self, state: State) -> None:
        """Replace all counts by those of a `state`."""
        entries = zip(state["keys"].tolist(), state["values"].tolist(), strict=True)
        counts = (dict(islice(entries, size)) for size in state["sizes"].tolist())
        contexts = zip(state["contexts"].tolist(), counts, strict=True)
        old, self._size = state["numbers"]
        self._old, self._young = dict(islice(contexts, old)), dict(contexts)


class Table(CountsByContext):
    """How often each symbol came after each context; with `decay` below 1, recent counts weigh most."""

    def __init__(self, decay: float = 1.0, most: int = MOST_COUNTS) -> None:
        super().__init__(most)
        self._decay = decay
        self._dtype = np.int32 if decay == 1 else np.float64

    def add(self, context: int, symbol: int) -> None:
        """Count one more `symbol` after `context`, whose earlier counts decay."""
        counts = self._young.get(context)
        if counts is None:
            counts = self.latest(context)
        unit: float = 1
        if self._decay != 1:
            unit = counts[UNIT] = counts.get(UNIT, 1.0) / self._decay
            if unit > LARGEST_UNIT:
                counts.update({known: count / unit for known, count in counts.items()})
                unit = 1.0
        count = counts.pop(symbol, 0)  # as in `count`: a call would take half as long again
        counts[symbol] = count + unit
        if not count:
            self._size += 1

    def interpolate(self, context: int | None, lower: Array) -> Array:
        """Return p(symbol | context) over all symbols: Witten-Bell interpolation with the lower order `lower`.

        Where counts decay, the lower order has the weight of one event. Source: Witten and Bell 1991.
        """
        found = self.find(context)
        if not found:
            return lower
        symbols, counts = np.fromiter(found, int, len(found)), np.fromiter(found.values(), float, len(found))
        escape: float = len(counts)
        if self._decay != 1:
            symbols, counts, escape = symbols[1:], counts[1:] / counts[0], 1.0
        total = counts.sum() + escape
        p = lower * (escape / total)
        p[symbols] += counts / total
        return np.asarray(p)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Keep the counts of the symbols in `numbers` only, and the units."""
        super().renumber({UNIT: UNIT, **numbers})
