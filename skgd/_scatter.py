"""Weight, mean and scatter of rows, in one pass over them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import diags_array

from skgd._rows import blocks, means, root_mean_squares
from skgd._threads import in_threads
from skgd._validation import refuse_nan_and_infinity


class Scatter(NamedTuple):
    """What `Moments` holds of the columns z = [x, y]."""

    weight: float
    mean: np.ndarray
    scatter: np.ndarray


def dense_scatter(
    X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None
) -> Scatter:
    """Sum dense rows up; raises where X holds NaN or what float64 cannot square."""
    if X.dtype == np.float32:
        sums = _scatter_by_blocks(X, y, sample_weight, np.float32)
        if _has_squares(sums, X, y, np.float32):
            return sums
    sums = _scatter_by_blocks(X, y, sample_weight, np.float64)
    if not _has_squares(sums, X, y, np.float64):
        refuse_nan_and_infinity(X)
        raise ValueError(
            "The squares of the values in X or y overflow or underflow float64: the "
            f"largest in X is {np.abs(X).max():.3g}, in y {np.abs(y).max():.3g}. "
            "Rescale the columns."
        )
    return sums


def _scatter_by_blocks(
    X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, dtype: type
) -> Scatter:
    """Sum dense rows up, multiplied in this dtype.

    Of ``A = X - pilot``, ``B = y - pilot`` and a column of ones, all times the root of
    the weights, the products of each with each are all that is wanted.
    """
    all_blocks = blocks(X)
    X_pilot, y_pilot = _pilots(X, y, sample_weight, dtype)
    unit = 1.0 if sample_weight is None else float(sample_weight.max())
    copies = sample_weight is not None or X_pilot.any() or X.dtype != dtype

    def products(share: list[slice]) -> list[np.ndarray]:
        buffer = np.empty((all_blocks[0].stop, X.shape[1] if copies else 0), dtype)
        ones = np.ones(all_blocks[0].stop)
        sums: list[np.ndarray] = []
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for rows in share:
                A, B, root = X[rows], y[rows] - y_pilot, ones[: rows.stop - rows.start]
                if copies:
                    A = np.subtract(
                        A, X_pilot, out=buffer[: len(A)], dtype=dtype, casting="unsafe"
                    )
                if sample_weight is not None:
                    root = np.sqrt(sample_weight[rows] / unit)
                    A *= root[:, None].astype(dtype)
                    B *= root[:, None]
                terms = _products(A, B, root)
                sums = sums or [np.zeros(np.shape(term)) for term in terms]
                for total, term in zip(sums, terms, strict=True):
                    total += term
        return sums

    parts = in_threads(products, all_blocks, X.shape[1])
    weight, X_sum, y_sum, XX, Xy, yy = (
        np.sum(terms, axis=0) for terms in zip(*parts, strict=True)
    )
    total, pilot = np.concatenate([X_sum, y_sum]), np.concatenate([X_pilot, y_pilot])
    scatter = np.block([[XX, Xy], [Xy.T, yy]])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scatter -= np.outer(total, total / weight)
        mean = pilot + total / weight
    return Scatter(float(unit * weight), mean, unit * scatter)


def _products(A: np.ndarray, B: np.ndarray, root: np.ndarray) -> tuple[Any, ...]:
    """Products of a block, those with A in the dtype of A.

    By np.dot, which releases the GIL where matmul (NumPy 2.4) does not.
    """
    B_like_A, root_like_A = B.astype(A.dtype), root.astype(A.dtype)
    return (
        np.dot(root, root),
        np.dot(root_like_A, A),
        np.dot(root, B),
        np.dot(A.T, A),
        np.dot(A.T, B_like_A),
        np.dot(B.T, B),
    )


def _pilots(
    X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, dtype: type
) -> tuple[np.ndarray, np.ndarray]:
    """Give what to subtract from X and y so that their products keep their digits.

    A mean that is 10 spreads away takes two of the sixteen digits of float64, and one
    that is 3 away one of the seven of float32; up to there, zero will do for X, and
    spares a copy of each block. Weighted rows, most of which may weigh nothing against
    a few, want the mean of all; for others that of the first block will do.
    """
    if sample_weight is not None:
        return means(X, sample_weight).astype(dtype), means(y, sample_weight)
    first = blocks(X)[0]
    X_pilot, y_pilot = means(X[first], None), means(y[first], None)
    spread = root_mean_squares(X[first], None, X_pilot)
    spreads_away = 3 if dtype == np.float32 else 10
    if (np.abs(X_pilot) <= spreads_away * spread).all():
        X_pilot = np.zeros_like(X_pilot)
    return X_pilot.astype(dtype), y_pilot


def _has_squares(sums: Scatter, X: np.ndarray, y: np.ndarray, dtype: type) -> bool:
    """Whether no square left the range of the dtype in which it was computed."""
    if not np.isfinite(sums.scatter).all():
        return False
    variances = np.diag(sums.scatter) / sums.weight
    smallest = np.finfo(dtype).tiny / np.finfo(dtype).eps
    for j in np.flatnonzero(variances < smallest):
        column = X[:, j] if j < X.shape[1] else y[:, j - X.shape[1]]
        if (column != column[0]).any():
            return False
    return True


def sparse_scatter(X: Any, y: np.ndarray, sample_weight: np.ndarray | None) -> Scatter:
    """Sum sparse rows up; only the scatter is dense.

    X is not shifted, which would fill it: columns that are mostly zero have no mean
    that is large against their spread.
    """
    refuse_nan_and_infinity(X)
    w = np.ones(len(y)) if sample_weight is None else sample_weight
    weight = float(w.sum())
    y_pilot = means(y, w)
    X, y = X.astype(np.float64), y - y_pilot
    weighted = diags_array(w) @ X
    total = np.concatenate([np.asarray(X.T @ w).ravel(), w @ y])
    Xy = weighted.T @ y
    scatter = np.block(
        [[(X.T @ weighted).toarray(), Xy], [Xy.T, y.T @ (w[:, None] * y)]]
    )
    scatter -= np.outer(total, total / weight)
    mean = total / weight
    mean[X.shape[1] :] += y_pilot
    return Scatter(weight, mean, scatter)
