"""A gated log-linear mixer: softmax over candidates of features times weights, learned online by AdaGrad.

Weights are a shared row plus a row for each gate, as in the mixing networks of PAQ-like compressors
(Mahoney 2005); AdaGrad is Duchi et al. 2011. They start by hand, so the first answer is a sensible one.
"""

from typing import Any

import numpy as np

from worker.predictors.history import FEATURES, Array

LEARNING_RATE = 0.03
LM_FEATURES = ("lm", "lm_absent")
COLUMNS = (*FEATURES, *LM_FEATURES)
START = {"order1": 0.25, "order2": 0.25, "order3": 0.25, "decayed": 0.25, "coarse_chain": 0.25, "within_coarse": 0.25}
START_LM = 0.25


class Mixer:
    """Weights over `COLUMNS`."""

    def __init__(self) -> None:
        self.shared = np.array([START.get(name, START_LM if name == "lm" else 0.0) for name in COLUMNS])
        self.gates: dict[str, Array] = {}
        self._squares: dict[str, Array] = {"": np.full(len(COLUMNS), 1e-2)}

    def probabilities(self, features: Array, gate: str) -> Array:
        """Softmax over the candidates, (candidates,)."""
        scores = features @ (self.shared + self.gates.get(gate, 0.0))
        weights = np.exp(scores - scores.max())
        return np.asarray(weights / weights.sum())

    def learn(self, features: Array, gate: str, truth: int) -> None:
        """One step up the log-likelihood of the candidate in row `truth`."""
        gradient = features[truth] - self.probabilities(features, gate) @ features
        row = self.gates.setdefault(gate, np.zeros(len(COLUMNS)))
        for name, weights in (("", self.shared), (gate or "start", row)):
            squares = self._squares.setdefault(name, np.full(len(COLUMNS), 1e-2))
            squares += gradient**2
            weights += LEARNING_RATE * gradient / np.sqrt(squares)

    def state(self) -> dict[str, Any]:
        """The weights as JSON."""
        return {
            "columns": list(COLUMNS),
            "shared": self.shared.tolist(),
            "gates": {name: row.tolist() for name, row in self.gates.items()},
            "squares": {name: row.tolist() for name, row in self._squares.items()},
        }

    @classmethod
    def restore(cls, state: dict[str, Any] | None) -> "Mixer":
        """The mixer of `state`; the one set by hand where that is missing or of other columns."""
        mixer = cls()
        if state and state.get("columns") == list(COLUMNS):
            mixer.shared = np.array(state["shared"])
            mixer.gates = {name: np.array(row) for name, row in state["gates"].items()}
            mixer._squares = {name: np.array(row) for name, row in state["squares"].items()}
        return mixer
