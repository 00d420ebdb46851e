"""How far a linear model is from least squares."""

from typing import Any

import numpy as np


class Optimum:
    """Least squares by the normal equations of standardized columns, in float64.

    The rows are read a block at a time, tensors where they lie.
    """

    def __init__(self, X: Any, y: Any) -> None:
        n, d = X.shape
        self._mean, y_mean, XX, Xy, yy = map(in_numpy, moments(X, y.reshape(n, -1)))
        spread = np.sqrt(np.diag(XX))
        self._spread = np.where(spread > 0, spread, 1.0)
        self._XX = XX / np.outer(self._spread, self._spread)
        Xy = Xy / self._spread[:, None]
        coef = np.linalg.lstsq(self._XX, Xy)[0]
        self._at_probes = np.vstack([y_mean, y_mean + coef])
        # A table that is wider than long can be met exactly: its least loss is zero.
        explained = np.sum(coef * Xy) if n > d else 0.0
        self._scale = np.trace(yy) - explained
        #: Of the mean squared error, whose Hessian is twice the matrix.
        self.largest_curvature = float(2 * np.linalg.eigvalsh(self._XX)[-1])

    def excess(self, model: Any) -> float:
        """Return how far a model's loss is above the least, relative to that.

        Where the least is zero, relative to the variance of y. The model is affine:
        what it predicts at the mean, and one standard deviation away from it along each
        column, is all there is to know.
        """
        probes = np.vstack([np.zeros(len(self._mean)), np.diag(self._spread)])
        predicted = np.asarray(model.predict(probes + self._mean), dtype=float)
        off_mean, *at_steps = predicted.reshape(len(probes), -1) - self._at_probes
        off = np.array(at_steps) - off_mean
        with np.errstate(over="ignore", invalid="ignore"):
            loss = np.sum(off * (self._XX @ off)) + np.sum(off_mean**2)
        return float(loss / self._scale)


def moments(X: Any, y: Any) -> list[Any]:
    """Return the means of columns of X and y, and the products about them, over n."""
    n, mean, y_mean = len(X), X.mean(axis=0, dtype=float), y.mean(axis=0, dtype=float)
    XX = Xy = yy = 0.0
    for first in range(0, n, 100_000):
        rows = slice(first, first + 100_000)
        A, b = X[rows] - mean, y[rows] - y_mean
        XX, Xy, yy = XX + A.T @ A / n, Xy + A.T @ b / n, yy + b.T @ b / n
    return [mean, y_mean, XX, Xy, yy]


def in_numpy(array: Any) -> np.ndarray:
    """Return an array of NumPy's, or a tensor wherever it lies, as the former."""
    return array.numpy(force=True) if hasattr(array, "numpy") else array
