"""How long a step may be."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigvalsh
from scipy.sparse.linalg import LinearOperator, eigsh

from skgd._losses import SquaredError
from skgd._rows import Rows

# Up to this many features (or rows, if fewer) the Gram matrix is formed and its largest
# eigenvalue is exact; beyond, Lanczos steps on the rows themselves are cheaper.
_MAX_GRAM = 500


def largest_stable_learning_rate(rows: Rows, *, fit_intercept: bool) -> float:
    """Give 2/L, below which plain gradient descent on squared error converges.

    L is the largest eigenvalue of the Hessian, and 1/L is the standard step (Nesterov,
    Lectures on Convex Optimization, 2018, section 2.1.5). Where X is zero, and any rate
    is as good as another, it is 1.

    Parameters
    ----------
    rows : Rows
        The rows of the descent, in NumPy.
    fit_intercept : bool
        Whether a column of ones belongs to X.
    """
    A = rows.X
    if fit_intercept:
        A = np.column_stack([A, np.ones(len(A), A.dtype)])
    if rows.weight is not None:
        A = A * np.sqrt(rows.weight)[:, None]
    L = SquaredError.curvature * _largest_gram_eigenvalue(A) / len(A)
    return 2 / L if L > 0 else 1.0


def _largest_gram_eigenvalue(A: np.ndarray) -> float:
    """Largest eigenvalue of A' A."""
    scale = float(np.abs(A).max())  # so that squares do not overflow float32
    if scale == 0:
        return 0.0
    A = A / scale
    if min(A.shape) <= _MAX_GRAM:
        gram = A.T @ A if A.shape[1] <= A.shape[0] else A @ A.T
        last = len(gram) - 1
        largest = eigvalsh(gram, subset_by_index=(last, last))[0]
    else:
        operator = LinearOperator(
            (A.shape[1], A.shape[1]), matvec=lambda v: A.T @ (A @ v), dtype=A.dtype
        )
        start = np.random.default_rng(0).standard_normal(A.shape[1], A.dtype)
        largest = eigsh(
            operator, k=1, which="LA", v0=start, tol=1e-4, return_eigenvectors=False
        )[0]
    return float(largest) * scale**2
