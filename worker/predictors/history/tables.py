"""Counts of what followed a context, and the distribution that they give."""

from collections.abc import Collection, Hashable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from memo.core.bounded import BoundedDict

Array = npt.NDArray[np.float64]
State = dict[str, Any]  # learned state: JSON values and numpy arrays, in dictionaries with string keys

MAX_CONTEXTS = 20_000  # contexts of a table; the one met longest ago is evicted first


class Table:
    """How often each symbol came after each context; with `decay` below 1, recent counts weigh most."""

    def __init__(self, decay: float = 1.0) -> None:
        self._decay = decay
        self._after: BoundedDict[Hashable, dict[int, float]] = BoundedDict(MAX_CONTEXTS)

    def add(self, context: Hashable, symbol: int) -> None:
        """Count one more `symbol` after `context`."""
        counts = self._after.get(context, {})
        if self._decay < 1:
            for known in counts:
                counts[known] *= self._decay
        counts[symbol] = counts.get(symbol, 0.0) + 1
        self._after[context] = counts

    def interpolate(self, context: Hashable, lower: Array) -> Array:
        """Return p(symbol | context) over all symbols: Witten-Bell interpolation with the lower order `lower`.

        Where counts decay, the lower order has the weight of one event. Source: Witten and Bell 1991.
        """
        found = self._after.get(context)
        if not found:
            return lower
        counts = np.fromiter(found.values(), float, len(found))
        escape = len(found) if self._decay == 1 else 1.0
        total = counts.sum() + escape
        p = lower * (escape / total)
        p[np.fromiter(found, int, len(found))] += counts / total
        return np.asarray(p)

    def state(self) -> State:
        """Return the counts of all contexts, the one met longest ago first."""
        return {"contexts": list(self._after)} | pack_counts(self._after.values(), np.float64)

    def restore(self, state: State) -> None:
        """Replace the counts by those of a `state`."""
        contexts = map(_as_context, state["contexts"])
        self._after = BoundedDict(MAX_CONTEXTS, dict(zip(contexts, unpack_counts(state), strict=True)))


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
