"""Counts of what followed a context, and the distribution that they give."""

from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
State = dict[str, Any]  # learned state: JSON values and numpy arrays, in dictionaries with string keys

MAX_CONTEXTS = 20_000  # contexts of a table; the one met longest ago is evicted first


LARGEST_UNIT = 1e100  # counts in larger units are written anew, in units of 1


@dataclass(slots=True)
class Counts:
    """Counts of what followed a context, what followed last at the end, in units that grow where counts decay."""

    by_symbol: dict[int, float] = field(default_factory=dict)
    unit: float = 1.0

    def in_ones(self) -> dict[int, float]:
        """Return the counts in units of 1."""
        return {symbol: count / self.unit for symbol, count in self.by_symbol.items()}


class Table:
    """How often each symbol came after each context; with `decay` below 1, recent counts weigh most."""

    def __init__(self, decay: float = 1.0) -> None:
        self._decay = decay
        self._after: OrderedDict[Hashable, Counts] = OrderedDict()  # the context met last at the end

    def add(self, context: Hashable, symbol: int) -> None:
        """Count one more `symbol` after `context`, whose earlier counts decay."""
        counts = self._after.get(context)
        if counts is None:
            counts = self._after[context] = Counts()
            if len(self._after) > MAX_CONTEXTS:
                self._after.popitem(last=False)
        else:
            self._after.move_to_end(context)
        unit = counts.unit = counts.unit / self._decay
        counts.by_symbol[symbol] = counts.by_symbol.pop(symbol, 0.0) + unit
        if unit > LARGEST_UNIT:
            counts.by_symbol, counts.unit = counts.in_ones(), 1.0

    def find(self, context: Hashable) -> Counts:
        """Return the counts after a context."""
        return self._after.get(context) or Counts()

    def interpolate(self, context: Hashable, lower: Array) -> Array:
        """Return p(symbol | context) over all symbols: Witten-Bell interpolation with the lower order `lower`.

        Where counts decay, the lower order has the weight of one event. Source: Witten and Bell 1991.
        """
        found = self._after.get(context)
        if not found:
            return lower
        counts = np.fromiter(found.by_symbol.values(), float, len(found.by_symbol)) / found.unit
        escape = len(counts) if self._decay == 1 else 1.0
        total = counts.sum() + escape
        p = lower * (escape / total)
        p[np.fromiter(found.by_symbol, int, len(counts))] += counts / total
        return np.asarray(p)

    def renumber(self, numbers: Mapping[int, int]) -> None:
        """Keep the counts of the symbols in `numbers` only, under their new numbers."""
        for context, counts in list(self._after.items()):
            kept = {numbers[symbol]: count for symbol, count in counts.by_symbol.items() if symbol in numbers}
            if kept:
                counts.by_symbol = kept
            else:
                del self._after[context]

    def state(self) -> State:
        """Return the counts of all contexts, the one met longest ago first."""
        units = np.array([found.unit for found in self._after.values()])
        counts = [found.by_symbol for found in self._after.values()]
        return {"contexts": list(self._after), "units": units} | pack_counts(counts, np.float64)

    def restore(self, state: State) -> None:
        """Replace the counts by those of a `state`."""
        contexts = map(_as_context, state["contexts"])
        counts = map(Counts, unpack_counts(state), state["units"].tolist())
        self._after = OrderedDict(zip(contexts, counts, strict=True))


def _as_context(value: Any) -> Hashable:
    """Return a context that JSON turned from tuples into lists."""
    return tuple(map(_as_context, value)) if isinstance(value, list) else value


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
