"""Counts of what followed a context, and the distribution that they give."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from memo.core.bounded import BoundedDict

Array = npt.NDArray[np.float64]
State = dict[str, Any]  # learned state: JSON values and numpy arrays, in dictionaries with string keys

MAX_CONTEXTS = 20_000  # contexts of a table; the one met longest ago is evicted first
LARGEST_UNIT = 1e100  # counts in larger units are written anew, in units of 1
MOST_CAME = 64  # symbols not counted yet, of one context


@dataclass(slots=True)
class Counts:
    """Counts of what followed a context, what followed last at the end, in units that grow where counts decay.

    What came is counted only when it is looked up: most contexts are met far more often than they are looked up.
    """

    by_symbol: dict[int, float] = field(default_factory=dict)
    unit: float = 1.0
    total: float = 0.0  # of all counts
    came: list[int] = field(default_factory=list)  # not counted yet

    def count(self, decay: float) -> None:
        """Count what came; each time, earlier counts decay."""
        for symbol in self.came:
            self.unit /= decay
            self.by_symbol[symbol] = self.by_symbol.pop(symbol, 0.0) + self.unit
            self.total += self.unit
        self.came.clear()
        if self.unit > LARGEST_UNIT:
            self.replace({symbol: count / self.unit for symbol, count in self.by_symbol.items()}, 1.0)

    def replace(self, by_symbol: dict[int, float], unit: float) -> None:
        """Replace the counts."""
        self.by_symbol, self.unit, self.total = by_symbol, unit, sum(by_symbol.values())


class Table:
    """How often each symbol came after each context; with `decay` below 1, recent counts weigh most.

    A context is a number of 64 bits: the key of a symbol, or the hash of several numbers.
    """

    def __init__(self, decay: float = 1.0) -> None:
        self._decay = decay
        self._after: BoundedDict[int, Counts] = BoundedDict(MAX_CONTEXTS)

    def add(self, context: int, symbol: int) -> None:
        """Count one more `symbol` after `context`, whose earlier counts decay."""
        counts = self._after.latest(context, Counts)
        counts.came.append(symbol)
        if len(counts.came) > MOST_CAME:
            counts.count(self._decay)

    def find(self, context: int | None) -> Counts:
        """Return the counts after a context; there are none after None."""
        counts = Counts() if context is None else self._after.get(context) or Counts()
        counts.count(self._decay)
        return counts

    def interpolate(self, context: int | None, lower: Array) -> Array:
        """Return p(symbol | context) over all symbols: Witten-Bell interpolation with the lower order `lower`.

        Where counts decay, the lower order has the weight of one event. Source: Witten and Bell 1991.
        """
        found = self.find(context)
        if not found.by_symbol:
            return lower
        counts = np.fromiter(found.by_symbol.values(), float, len(found.by_symbol)) / found.unit
        escape = len(counts) if self._decay == 1 else 1.0
        total = found.total / found.unit + escape
        p = lower * (escape / total)
        p[np.fromiter(found.by_symbol, int, len(counts))] += counts / total
        return np.asarray(p)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Keep the counts of the symbols in `numbers` only, under their new numbers."""
        for context in list(self._after):
            counts = self.find(context)
            kept = {numbers[symbol]: count for symbol, count in counts.by_symbol.items() if symbol in numbers}
            if kept:
                counts.replace(kept, counts.unit)
            else:
                del self._after[context]

    def state(self) -> State:
        """Return the counts of all contexts, the one met longest ago first."""
        found = [self.find(context) for context in self._after]
        units = np.array([[counts.unit for counts in found], [counts.total for counts in found]])
        by_symbol = [counts.by_symbol for counts in found]
        return {"contexts": np.array(list(self._after), np.int64), "units": units} | pack_counts(by_symbol, np.float64)

    def restore(self, state: State) -> None:
        """Replace the counts by those of a `state`."""
        counts = map(Counts, unpack_counts(state), *state["units"].tolist())
        after = zip(state["contexts"].tolist(), counts, strict=True)
        self._after = BoundedDict(MAX_CONTEXTS, dict(after))


def pack_counts(counts: Collection[Mapping[int, float]], dtype: type) -> State:
    """Return dictionaries of counts as three arrays: sizes, and the keys and values of all of them in a row."""
    return {
        "sizes": np.fromiter(map(len, counts), np.int32),
        "keys": np.fromiter(chain.from_iterable(counts), np.int32),
        "values": np.fromiter(chain.from_iterable(each.values() for each in counts), dtype),
    }


def unpack_counts(state: State) -> Iterator[dict[int, Any]]:
    """Yield the dictionaries that `pack_counts` was given."""
    entries = zip(state["keys"].tolist(), state["values"].tolist(), strict=True)
    for size in state["sizes"].tolist():
        yield dict(islice(entries, size))
