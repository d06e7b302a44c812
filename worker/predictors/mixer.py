"""A gated log-linear mixer: softmax over candidates of features times weights, learned online.

The weights are a shared row plus a row for each gate, as in the mixing networks of PAQ-like compressors (Mahoney
2005). Steps are those of AdaGrad (Duchi et al. 2011) with fading squares, as in RMSProp (Tieleman and Hinton 2012):
habits change, so learning never stops. Initial weights are set by hand, so that the first answer is a sensible one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from memo.core.bounded import BoundedDict
from worker.predictors.history.candidate_ids import Ids
from worker.predictors.history.tables import Array

FADE = 0.99  # decay of the squared gradients at each step
FIRST_SQUARE = 1e-2  # initial squared gradient
MOST_GATES = 500  # the gate that learned longest ago is evicted first


@dataclass(frozen=True, slots=True)
class RankedSymbols:
    """A ranking that awaits its outcome: a row for each of `symbols` and, in some rankings, a last one for a new one.

    The probabilities sum to 1.
    """

    symbols: Ids
    features: Array
    gate: str
    probabilities: Array

    @property
    def new(self) -> float:
        """The probability of something new, where the last row stands for it."""
        return float(self.probabilities[-1])

    def by_symbol(self) -> dict[int, float]:
        """Return the probability of each symbol."""
        return dict(zip(self.symbols.tolist(), self.probabilities.tolist(), strict=False))

    def row(self, symbol: int | None) -> int | None:
        """Return the row of a symbol, or None if it was not ranked."""
        rows = np.flatnonzero(self.symbols == symbol)
        return int(rows[0]) if len(rows) else None


class Row:
    """A row of weights, and the squared gradients that bound its steps."""

    def __init__(self, weights: Array, squares: Array | None = None) -> None:
        self.weights = weights
        self.squares = np.full(len(weights), FIRST_SQUARE) if squares is None else squares

    def step(self, gradient: Array, rate: float) -> None:
        """Take one step along a gradient."""
        self.squares *= FADE
        self.squares += gradient**2
        self.weights += rate * gradient / np.sqrt(self.squares)

    def as_lists(self) -> list[list[float]]:
        """Return weights and squares as JSON."""
        return [self.weights.tolist(), self.squares.tolist()]


class Mixer:
    """Weights over named columns, which begin at `start`, by name.

    `rate` bounds a step of the shared row, and `gate_rate` one of a gate's row.
    """

    def __init__(self, columns: Sequence[str], start: Mapping[str, float], rate: float, gate_rate: float) -> None:
        self.columns = tuple(columns)
        self._rate, self._gate_rate = rate, gate_rate
        self._shared = Row(np.array([start.get(name, 0.0) for name in columns]))
        self._gates: BoundedDict[str, Row] = BoundedDict(MOST_GATES)

    def weights(self, gate: str) -> Array:
        """Return the weights in force, (columns,)."""
        row = self._gates.get(gate)
        return self._shared.weights + row.weights if row else self._shared.weights

    def probabilities(self, features: Array, gate: str) -> Array:
        """Return the softmax over the candidates, (candidates,)."""
        scores = features @ self.weights(gate)
        weights = np.exp(scores - scores.max())
        return np.asarray(weights / weights.sum())

    def rank(self, symbols: Ids, features: Array, gate: str) -> RankedSymbols:
        """Return a ranking of the rows of features."""
        return RankedSymbols(symbols, features, gate, self.probabilities(features, gate))

    def reasons(self, ranked: RankedSymbols, first: int | None, second: int | None) -> dict[str, float]:
        """Return, by column, the nats by which a symbol is ahead of another; none if one of them was not ranked."""
        rows = ranked.row(first), ranked.row(second)
        if None in rows:
            return {}
        differences = ranked.features[rows[0]] - ranked.features[rows[1]]
        return dict(zip(self.columns, (differences * self.weights(ranked.gate)).tolist(), strict=True))

    def learn(self, features: Array, probabilities: Array, gate: str, truth: int) -> None:
        """Take one step up the log-likelihood of the candidate in row `truth`; it had these `probabilities`."""
        gradient = features[truth] - probabilities @ features
        self._shared.step(gradient, self._rate)
        row = self._gates.get(gate) or Row(np.zeros(len(self.columns)))
        row.step(gradient, self._gate_rate)
        self._gates[gate] = row

    def state(self) -> dict[str, Any]:
        """Return the weights as JSON."""
        gates = {gate: row.as_lists() for gate, row in self._gates.items()}
        return {"columns": list(self.columns), "row": self._shared.as_lists(), "gates": gates}

    def restore(self, state: dict[str, Any] | None) -> "Mixer":
        """Replace the weights by those of a `state`; keep them if it is None or of another form."""
        if state and "row" in state and state["columns"] == list(self.columns):
            self._shared = Row(*map(np.array, state["row"]))
            gates = {gate: Row(*map(np.array, row)) for gate, row in state["gates"].items()}
            self._gates = BoundedDict(MOST_GATES, gates)
        return self
