"""Least squares and ridge by a direct solution, as right as the data permits."""

from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse

#: Where it is no more than float64, offsets of 1e9 spreads still leave 1e-7 of one.
Long = np.longdouble


class Solution(NamedTuple):
    """The minimum, and losses per target: there, and of zero coefficients.

    `coef` has shape (n_features, n_targets). Of many minima it is the one of least norm
    on standardized columns. `rounding` is what the last digit of float64 coefficients
    may cost, in the unit of the losses.
    """

    coef: np.ndarray
    intercept: np.ndarray
    loss: np.ndarray
    null: np.ndarray
    rounding: np.ndarray


def in_long(X, y, weight):
    """Exactly these numbers, of the rows that count; the weights sum to one."""
    X = X.toarray() if issparse(X) else np.asarray(X)
    y = np.asarray(y).reshape(len(X), -1)
    weight = np.ones(len(X)) if weight is None else np.asarray(weight, dtype=float)
    there = weight > 0
    weight = (weight[there] / weight.max()).astype(Long)
    # Integers count as float64, and y as what X is.
    dtype = np.float32 if X.dtype == np.float32 else np.float64
    X, y = X[there].astype(dtype), y[there].astype(dtype)
    return X.astype(Long), y.astype(Long), weight / weight.sum()


def objective(X, y, coef, intercept, weight=None, alpha=0.0):
    """Weighted mean of squared residuals plus ``alpha |coef|^2``, per target."""
    X, y, weight = in_long(X, y, weight)
    coef = np.asarray(coef, dtype=Long).reshape(X.shape[1], -1)
    residual = X @ coef + np.asarray(intercept, dtype=Long) - y
    return weight @ residual**2 + Long(alpha) * (coef**2).sum(axis=0)


def direct_solution(X, y, weight=None, *, fit_intercept=True, alpha=0.0, cutoff=1e-15):
    """Solve by SVD on standardized columns, refined with residuals in long double.

    Singular values below `cutoff` times the largest are zero: 1e-15 is what is left of
    a column that is the sum of others, in float64 and without an offset.
    """
    long_X, long_y, share = in_long(X, y, weight)
    x_mean, y_mean = share @ long_X, share @ long_y
    if not fit_intercept:
        x_mean, y_mean = 0 * x_mean, 0 * y_mean
    centred, target = long_X - x_mean, long_y - y_mean
    constant = np.ptp(long_X, axis=0) == 0
    if fit_intercept:  # a mean is rounded, too
        centred[:, constant] = 0
        target[:, np.ptp(long_y, axis=0) == 0] = 0
    variance = share @ centred**2
    scale = np.sqrt(variance + Long(alpha))
    scale[scale == 0] = 1
    height = np.sqrt(share @ target**2)
    height[height == 0] = 1
    root = np.sqrt(share)[:, None]
    A, b = root * centred / scale, root * target / height
    if alpha:
        A = np.vstack([A, np.diag(np.sqrt(Long(alpha)) / scale)])
        b = np.vstack([b, np.zeros((A.shape[1], b.shape[1]), Long)])
    U, s, Vt = np.linalg.svd(A.astype(float), full_matrices=False)
    best = np.zeros((A.shape[1], b.shape[1]), Long)
    null = least = (b**2).sum(axis=0)
    for larger in (100, 10, 1):  # SVD may find more than 1e-15 where there is nothing
        rank = int((s > larger * cutoff * s.max(initial=0)).sum())
        W, loss = refined(A, b, U[:, :rank], s[:rank, None], Vt[:rank])
        best = np.where(loss < least - 1e-13 * null, W, best)
        least = np.where(loss < least - 1e-13 * null, loss, least)
    coef = best / scale[:, None] * height
    intercept = y_mean - x_mean @ coef
    size = np.sqrt(share @ long_X**2) @ np.abs(coef) + np.abs(intercept)
    return Solution(
        coef,
        intercept,
        least * height**2,
        share @ target**2,
        (np.finfo(float).eps * size) ** 2,
    )


def refined(A, b, U, s, Vt):
    """Return what SVD gives, made better by its own residuals, and its loss."""
    best = W = np.zeros((A.shape[1], b.shape[1]), Long)
    least = (b**2).sum(axis=0)
    for _ in range(4):
        W = W + Vt.T @ ((U.T @ (b - A @ W).astype(float)) / s)
        loss = ((b - A @ W) ** 2).sum(axis=0)
        best = np.where(loss < least, W, best)
        least = np.minimum(loss, least)
    return best, least


def r2_of(model, X, y, weight=None):
    """Of the model's coefficients, in long double."""
    loss = objective(X, y, model.coef_.T, model.intercept_, weight)
    _, y, share = in_long(X, y, weight)
    return float(1 - (loss / (share @ (y - share @ y) ** 2)).max())
