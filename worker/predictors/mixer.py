"""A gated log-linear mixer: softmax over candidates of features times weights, learned online.

The weights are a shared row plus a row for each gate, as in the mixing networks of PAQ-like compressors (Mahoney
2005). Steps are those of AdaGrad (Duchi et al. 2011) with fading squares, as in RMSProp (Tieleman and Hinton 2012):
habits change, so learning never stops. Initial weights are set by hand, so that the first answer is a sensible one.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from worker.predictors.history.tables import Array

LEARNING_RATE = 0.04
GATE_SHARE = 0.3  # learning rate of a gate's row, as a share of `LEARNING_RATE`
FADE = 0.99  # decay of the squared gradients at each step
FIRST_SQUARE = 1e-2  # initial squared gradient
START = {  # initial weights; all others are 0
    "after_actions": 0.5,
    "within_coarse": 0.4,
    "after_operations": 0.2,
    "after_coarse_and_gap": 0.3,
    "after_human_within_operation": 0.3,
    "recency_of_coarse": 0.5,
    "language_model": 0.2,
}


class Mixer:
    """Weights over named columns."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self.shared = np.array([START.get(name, 0.0) for name in columns])
        self.gates: dict[str, Array] = {}
        self._squares: dict[str, Array] = {}

    def weights(self, gate: str) -> Array:
        """Return the weights in force, (columns,)."""
        return np.asarray(self.shared + self.gates.get(gate, 0.0))

    def probabilities(self, features: Array, gate: str) -> Array:
        """Return the softmax over the candidates, (candidates,)."""
        scores = features @ self.weights(gate)
        weights = np.exp(scores - scores.max())
        return np.asarray(weights / weights.sum())

    def learn(self, features: Array, gate: str, truth: int) -> None:
        """Take one step up the log-likelihood of the candidate in row `truth`."""
        gradient = features[truth] - self.probabilities(features, gate) @ features
        self._step("", self.shared, gradient, LEARNING_RATE)
        row = self.gates.setdefault(gate, np.zeros(len(self.columns)))
        self._step(f"gate {gate}", row, gradient, LEARNING_RATE * GATE_SHARE)

    def _step(self, name: str, weights: Array, gradient: Array, rate: float) -> None:
        squares = self._squares.setdefault(name, np.full(len(self.columns), FIRST_SQUARE))
        squares *= FADE
        squares += gradient**2
        weights += rate * gradient / np.sqrt(squares)

    def state(self) -> dict[str, Any]:
        """Return the weights as JSON."""
        return {
            "columns": list(self.columns),
            "shared": self.shared.tolist(),
            "gates": {name: row.tolist() for name, row in self.gates.items()},
            "squares": {name: row.tolist() for name, row in self._squares.items()},
        }

    def restore(self, state: dict[str, Any] | None) -> "Mixer":
        """Replace the weights by those of a `state`; keep them if it is None or has other columns."""
        if state and state.get("columns") == list(self.columns):
            self.shared = np.array(state["shared"])
            self.gates = {name: np.array(row) for name, row in state["gates"].items()}
            self._squares = {name: np.array(row) for name, row in state["squares"].items()}
        return self
