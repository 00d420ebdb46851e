"""How long a step may be."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigvalsh
from scipy.sparse.linalg import LinearOperator, eigsh

from skgd._losses import SquaredError
from skgd._rows import Rows
from skgd._threads import in_one_thread

# Up to this many features the Hessian is formed and its largest eigenvalue is exact;
# beyond, Lanczos steps on the rows are cheaper.
_MAX_HESSIAN = 500


def largest_stable_learning_rate(
    rows: Rows, *, fit_intercept: bool, momentum: float = 0.0
) -> float:
    """Give 2/L, below which plain gradient descent on squared error converges.

    L is the largest eigenvalue of the Hessian, and 1/L is the standard step (Nesterov,
    Lectures on Convex Optimization, 2018, section 2.1.5). Where X is zero, and any rate
    is as good as another, it is 1.

    A constant momentum mu shortens it. Along an eigenvector of the Hessian with
    eigenvalue L, the distance to the minimum obeys ``e_next = (1 - lr L) ((1 + mu) e -
    mu e_last)``, whose roots lie inside the unit circle just where ``lr L < (2 + 2 mu)
    / (1 + 2 mu)``.

    Parameters
    ----------
    rows : Rows
        The rows of the descent, in NumPy.
    fit_intercept : bool
        Whether a column of ones belongs to X.
    momentum : float, default=0.0
        Of the extrapolation between the steps.

    Raises
    ------
    ValueError
        Where the squares of X overflow its dtype.
    """
    largest = _exact if rows.X.shape[1] <= _MAX_HESSIAN else _by_lanczos
    with np.errstate(over="ignore", invalid="ignore"):
        L = SquaredError.curvature * largest(rows, fit_intercept)
    if not np.isfinite(L):
        raise ValueError(
            f"The squares of the values in X overflow {rows.X.dtype}: the largest is "
            f"{np.abs(rows.X).max():.3g}. Rescale X"
            f"{', or pass it as float64' if rows.X.dtype == np.float32 else ''}."
        )
    return 2 / L * (1 + momentum) / (1 + 2 * momentum) if L > 0 else 1.0


def _exact(rows: Rows, fit_intercept: bool) -> float:
    """Largest eigenvalue of the mean of ``w x x'``, x ending in 1 for the intercept."""
    X, _, weight = rows
    n_rows, n_features = X.shape
    weighted = X if weight is None else X * weight[:, None]
    second_moments = np.eye(n_features + fit_intercept)
    second_moments[:n_features, :n_features] = X.T @ weighted / n_rows
    if fit_intercept:
        mean = weighted.mean(axis=0, dtype=np.float64)
        second_moments[-1, :-1] = second_moments[:-1, -1] = mean
    if not np.isfinite(second_moments).all():
        return np.inf
    last = len(second_moments) - 1
    with in_one_thread():
        return float(eigvalsh(second_moments, subset_by_index=(last, last))[0])


def _by_lanczos(rows: Rows, fit_intercept: bool) -> float:
    """Approximate the same from below, to six digits, without forming the matrix."""
    X, _, weight = rows
    n_rows, n_features = X.shape

    def second_moments_times(v: np.ndarray) -> np.ndarray:
        along = X @ v[:n_features]
        if fit_intercept:
            along += v[-1]
        if weight is not None:
            along *= weight
        ends = [along.sum()] if fit_intercept else []
        return np.append(X.T @ along, ends) / n_rows

    size = n_features + fit_intercept
    operator = LinearOperator((size, size), second_moments_times, dtype=X.dtype)
    start = np.random.default_rng(0).standard_normal(size, X.dtype)
    along_start = operator @ start
    if not np.isfinite(along_start).all():
        return np.inf
    if not along_start.any():  # X is zero, of which Lanczos can make nothing
        return 0.0
    return float(eigsh(operator, k=1, v0=start, tol=1e-6, return_eigenvectors=False)[0])
