"""Counts of what followed a context, and the distribution that they give."""

from collections.abc import Hashable

import numpy as np
import numpy.typing as npt

from memo.core.bounded import BoundedDict

Array = npt.NDArray[np.float64]

MAX_CONTEXTS = 20_000
"""Of a table; what was not met for longest is forgotten first."""


class Table:
    """How often each symbol came after each context; with `decay` below 1, the latest weigh most."""

    def __init__(self, decay: float = 1.0) -> None:
        self._decay = decay
        self._after: BoundedDict[Hashable, dict[int, float]] = BoundedDict(MAX_CONTEXTS)

    def add(self, context: Hashable, symbol: int) -> None:
        """Count one more."""
        counts = self._after.get(context, {})
        if self._decay < 1:
            for known in counts:
                counts[known] *= self._decay
        counts[symbol] = counts.get(symbol, 0.0) + 1
        self._after[context] = counts

    def interpolate(self, context: Hashable, lower: Array) -> Array:
        """p(symbol | context) over all symbols: Witten-Bell interpolation with the lower order.

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
