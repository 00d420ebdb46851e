"""How far a model is from least squares."""

from typing import Any

import numpy as np


def least_loss(X: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Sum of squares of a direct solution, on scaled columns."""
    weight = np.ones(len(y)) if weight is None else weight
    centred = X - np.average(X, axis=0, weights=weight)
    spread = np.sqrt(np.average(centred**2, axis=0, weights=weight))
    A = np.column_stack([centred / np.where(spread > 0, spread, 1), np.ones(len(y))])
    root, b = np.sqrt(weight)[:, None], y.reshape(len(y), -1)
    W = np.linalg.lstsq(root * A, root * b)[0]
    return float((weight[:, None] * (A @ W - b) ** 2).sum())


def excess_loss(
    prediction: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray | None = None,
) -> float:
    """How far a prediction's sum of squares is above the least, relative to that."""
    weight = np.ones(len(y)) if weight is None else weight
    squares = (prediction - y).reshape(len(y), -1) ** 2
    return float((weight[:, None] * squares).sum()) / least_loss(X, y, weight) - 1


class Optimum:
    """Least squares by the normal equations, in float64 on centred columns.

    Well enough conditioned here, and read a block at a time.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        n, d = X.shape
        self._mean = np.append(X.mean(axis=0, dtype=float), y.mean(dtype=float))
        scatter = np.zeros((d + 1, d + 1))
        for first in range(0, n, 100_000):
            rows = slice(first, first + 100_000)
            block = np.column_stack([X[rows], y[rows]]).astype(float) - self._mean
            scatter += block.T @ block
        self._XX, Xy = scatter[:-1, :-1] / n, scatter[:-1, -1] / n
        self._coef = np.linalg.solve(self._XX, Xy)
        self._least = scatter[-1, -1] / n - self._coef @ Xy
        spread = np.sqrt(np.diag(self._XX))
        correlation = self._XX / np.outer(spread, spread)
        #: Of the mean squared error, whose Hessian is twice the matrix.
        self.largest_curvature = float(2 * np.linalg.eigvalsh(correlation)[-1])

    def excess(self, model: Any) -> float:
        """Excess of a model's mean squared error over the least, relative to that.

        The model is affine: what it predicts at the mean, and a step away from it along
        each column, is all there is to know.
        """
        d = len(self._coef)
        probes = np.vstack([np.zeros(d), np.eye(d)]) + self._mean[:-1]
        predicted = np.ravel(model.predict(probes)).astype(float)
        off = predicted[1:] - predicted[0] - self._coef
        off_mean = predicted[0] - self._mean[-1]
        return float((off @ self._XX @ off + off_mean**2) / self._least)
