"""Logistic regression, learned online.

The weights are the mode of a Gaussian posterior, which each batch of outcomes moves by one step of Newton's method.
Source: sequential Laplace approximation, Spiegelhalter and Lauritzen 1990. Older batches fade: habits change.
"""

import numpy as np

from worker.predictors.history.tables import Array
from worker.predictors.learned import Learned

PRIOR = 1_000.0  # precision of the initial weights
KEPT = 0.999  # decay of the precision of earlier batches at each batch


class LogisticRegression(Learned):
    """Weights of features, which begin at `start`."""

    LEARNED = ("_weights", "_precision")

    def __init__(self, start: Array) -> None:
        self._weights = start
        self._precision = np.zeros((len(start), len(start)))  # beyond that of the initial weights

    def probabilities(self, features: Array) -> Array:
        """Return the probability of each row."""
        return np.asarray(1 / (1 + np.exp(-(features @ self._weights))))

    def learn(self, features: Array, came: Array) -> None:
        """Learn from a batch of rows, and whether each came true: 1 or 0."""
        p = self.probabilities(features)
        self._precision = KEPT * self._precision + (features.T * (p * (1 - p))) @ features
        precision = self._precision + PRIOR * np.eye(len(self._weights))
        self._weights = self._weights + np.linalg.solve(precision, features.T @ (came - p))
