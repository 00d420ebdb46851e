"""Weight, mean and scatter of rows, in one pass over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg.lapack import dpstrf
from scipy.sparse import diags_array, issparse

from skgd._data import tensors
from skgd._data.rows import Rows, blocks, canonical, means
from skgd._data.tensors import cast, dtype_of, is_tensor
from skgd._data.threads import in_one_thread, in_threads
from skgd._data.user_input import refuse_nan_and_infinity
from skgd._typing import Array, Matrix

# Products in float32 are good to 1e-6. Where others explain a column but for less than
# this share of its variance, they are repeated in float64.
_LEAST_PIVOT_OF_FLOAT32 = 1e-4


# Sparse rows that store this share of their values are made dense, a block at a time:
# 200,000 x 300 with 7% take a third of the time of products of sparse matrices then.
_DENSE = 0.05


# Of a block, the mean of so many rows is near enough to that of all.
_PILOT_ROWS_OF_BLOCK = 100


# Up to so many rows of a stream are summed up at once.
_FEW_ROWS = 16


class Scatter(NamedTuple):
    """What `Moments` holds of the columns z = [x, y]."""

    weight: float
    mean: np.ndarray
    scatter: np.ndarray
    mean_rest: np.ndarray  # what rounding leaves of the mean


def scatter_of(rows: Rows) -> Scatter:
    """Return the sums over rows; raise on NaN in X, or what float64 cannot square."""
    if is_tensor(rows.X):
        return _dense_scatter(*rows)
    if issparse(rows.X):
        if rows.X.nnz < _DENSE * math.prod(rows.X.shape):
            return _sparse_scatter(*rows)
    elif len(rows.y) <= _FEW_ROWS:
        return _scatter_of_few(*rows)
    return _dense_scatter(*canonical(rows))


def _scatter_of_few(
    X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None
) -> Scatter:
    """Return the sums over a few dense rows, about their mean; raise as the others.

    As sums over blocks, those of one row take 80 us, and 20 so.
    """
    Z = np.empty((len(y), X.shape[1] + y.shape[1]))
    Z[:, : X.shape[1]], Z[:, X.shape[1] :] = X, y
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    pilot = Z[weight.argmax()].copy()
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        Z -= pilot
        total = weight.sum()
        distance = weight @ Z / total
        Z -= distance
        scatter = Z.T @ (weight[:, None] * Z)
        mean, rest = two_sum(pilot, distance)
    sums = Scatter(float(total), mean, scatter, rest)
    if len(y) > 1 or not np.isfinite(scatter).all():
        what = _wrongly_squared(sums, X, y, sample_weight, np.float64)
        if what:
            refuse_squares(what, X)
    return sums


def _dense_scatter(
    X: Matrix, y: np.ndarray, sample_weight: np.ndarray | None
) -> Scatter:
    """Return the sums over rows that are dense, or nearly so."""
    sum_up = _scatter_of_tensors if is_tensor(X) else _scatter_by_blocks
    if dtype_of(X) == np.float32:
        sums = sum_up(X, y, sample_weight, np.float32)
        squared = not _wrongly_squared(sums, X, y, sample_weight, np.float32)
        squared = squared and bool(np.isfinite(sums.scatter).all())  # y may be float64
        if squared and _least_pivot(sums.scatter) > _LEAST_PIVOT_OF_FLOAT32:
            return sums
    sums = sum_up(X, y, sample_weight, np.float64)
    what = _wrongly_squared(sums, X, y, sample_weight, np.float64)
    if what:
        refuse_squares(what, X)
    return sums


def _scatter_by_blocks(
    X: Matrix, y: np.ndarray, sample_weight: np.ndarray | None, dtype: type
) -> Scatter:
    """Return the sums over dense rows, multiplied in this dtype.

    Of ``A = X - pilot``, ``B = y - pilot`` and a column of ones, all times the root of
    the weights, the products of each with each are all that is wanted.
    """
    n_rows, n_features = X.shape
    all_blocks = blocks(n_rows, n_features + y.shape[1] + 1)
    is_sparse = issparse(X)
    X_pilot, y_pilot = _pilots(X, y, sample_weight, dtype)
    unit = 1.0 if sample_weight is None else float(sample_weight.max())
    # Others BLAS reads at half speed.
    rows_lie_together = is_sparse or X.strides[1] == X.itemsize
    shifts = sample_weight is not None or X_pilot.any()
    copies = shifts or X.dtype != dtype or not rows_lie_together

    def products(share: list[slice]) -> list[np.ndarray]:
        buffer = np.empty((all_blocks[0].stop, n_features if copies else 0), dtype)
        ones = np.ones(all_blocks[0].stop)
        sums: list[np.ndarray] = []
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for rows in share:
                A, B, root = X[rows], y[rows] - y_pilot, ones[: rows.stop - rows.start]
                if is_sparse:
                    A = A.toarray()
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

    first, *others = in_threads(products, all_blocks, n_features)
    for part in others:
        for total, term in zip(first, part, strict=True):
            total += term
    return _about_the_mean(first, np.concatenate([X_pilot, y_pilot]), unit)


def _scatter_of_tensors(
    X: Array, y: Array, sample_weight: Array | None, dtype: type
) -> Scatter:
    """Return the sums over tensors where they lie, multiplied in this dtype."""
    some = slice(1000 if sample_weight is None else None)
    pilots = tuple(means(columns[some], sample_weight) for columns in (X, y))
    # Rounded as they are subtracted: of y in float64, where its device has that.
    y_dtype = dtype_of(cast(y[:1], np.dtype(np.float64)))
    pilots = pilots[0].astype(dtype), pilots[1].astype(y_dtype)
    unit = 1.0
    if sample_weight is not None:
        unit = float(sample_weight.max())
        sample_weight = sample_weight / unit
    products = tensors.products(X, y, sample_weight, pilots, np.dtype(dtype))
    return _about_the_mean(products, np.concatenate(pilots), unit)


def scatter_of_block(
    X: np.ndarray,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    out: np.ndarray,
) -> Scatter:
    """Return the sums over the dense rows of a block, multiplied in float64.

    Unlike `scatter_of`, it refuses no values.

    Parameters
    ----------
    X, y, sample_weight : ndarray or None
        The rows; their weights are positive.
    out : ndarray of the shape of X, float64
        Where the rows are shifted and weighted, if they are. It may be X.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        some = slice(_PILOT_ROWS_OF_BLOCK if sample_weight is None else None)
        X_pilot, y_pilot = _pilots(X[some], y[some], sample_weight, np.float64)
        A, B, root, unit = X, y - y_pilot, np.ones(len(y)), 1.0
        rows_lie_together = X.strides[1] == X.itemsize
        if X_pilot.any() or X.dtype != np.float64 or not rows_lie_together:
            A = np.subtract(X, X_pilot, out=out, dtype=np.float64, casting="unsafe")
        if sample_weight is not None:
            unit = float(sample_weight.max())
            root = np.sqrt(sample_weight / unit)
            A = np.multiply(A, root[:, None], out=out)
            B *= root[:, None]
        sums = _products(A, B, root)
    return _about_the_mean(sums, np.concatenate([X_pilot, y_pilot]), unit)


def _about_the_mean(
    products: Sequence[np.ndarray], pilot: np.ndarray, unit: float
) -> Scatter:
    """Return the sums about the mean, given those about the pilot, in this unit."""
    weight, X_sum, y_sum, XX, Xy, yy = products
    n_features, total = len(X_sum), np.concatenate([X_sum, y_sum])
    scatter = np.empty((len(total), len(total)))
    scatter[:n_features, :n_features], scatter[n_features:, n_features:] = XX, yy
    scatter[:n_features, n_features:], scatter[n_features:, :n_features] = Xy, Xy.T
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scatter -= np.outer(total, total / weight)
        scatter *= unit
        mean, rest = two_sum(pilot, total / weight)
    return Scatter(unit * float(weight), mean, scatter, rest)


def two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded sum, and what rounding leaves of it (Knuth 1969)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _products(A: np.ndarray, B: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return products of a block, those with A in the dtype of A.

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
    X: Matrix, y: np.ndarray, sample_weight: np.ndarray | None, dtype: type
) -> tuple[np.ndarray, np.ndarray]:
    """Return what to subtract from X and y so that their products keep their digits.

    A mean that is 10 spreads away takes two of the sixteen digits of float64, and one
    that is 3 away one of the seven of float32; up to there, zero will do for X, and
    spares a copy of each block. Weighted rows, most of which may weigh nothing against
    a few, want the mean of all; for others that of the first thousand will do.
    """
    if sample_weight is not None:
        return means(X, sample_weight).astype(dtype), means(y, sample_weight)
    head = X[:1000].toarray() if issparse(X) else X[:1000]
    X_pilot, X_squares = _mean_and_mean_square(head)
    y_pilot, _ = _mean_and_mean_square(y[:1000])
    spreads_away = 3 if dtype == np.float32 else 10
    if (np.abs(X_pilot) <= spreads_away * np.sqrt(np.maximum(X_squares, 0))).all():
        X_pilot = np.zeros_like(X_pilot)
    return X_pilot.astype(dtype), y_pilot


def _mean_and_mean_square(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of columns, and mean squares of the distance from these.

    From the first row, so that the mean of equal values is that value.
    """
    first = columns[0].astype(np.float64)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        distance = columns - first
        shift = np.full(len(columns), 1 / len(columns)) @ distance  # a third of mean()
        squares = np.einsum("ij,ij->j", distance, distance) / len(columns) - shift**2
    return first + shift, squares


def _wrongly_squared(
    sums: Scatter,
    X: Matrix,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    dtype: type,
) -> str:
    """Return which column's squares left the range of the dtype; empty: none."""
    n_features = X.shape[1]
    variances = np.diag(sums.scatter) / sums.weight
    smallest = least_variance(dtype)
    for j in np.flatnonzero(~(variances >= smallest) | np.isinf(variances)):
        of_X = j < n_features
        name = name_of_column(int(j), n_features)
        if not variances[j] < smallest:
            return f"The squares of the values in {name} overflow"
        column: Matrix = X[:, [j]] if of_X else y[:, [j - n_features]]
        column = column.toarray()[:, 0] if issparse(column) else column[:, 0]
        if sample_weight is not None:
            column = column[sample_weight > 0]
        if not is_tensor(column):
            column = column.astype(np.float64)  # which may not hold integers apart
        if (column != column[0]).any():
            return f"The squares of the values in {name} underflow"
    return ""


def least_variance(dtype: type) -> float:
    """Return the least variance whose squares keep their digits in this dtype."""
    return float(np.finfo(dtype).tiny / np.finfo(dtype).eps)


def name_of_column(j: int, n_features: int) -> str:
    """Return how an error names a column of [X, y]."""
    if j < n_features:
        return f"column {j} of X"
    return f"column {j - n_features} of y"


def refuse_squares(what: str, X: Matrix) -> None:
    """Raise: by NaN or infinity in X, or by values that float64 cannot square."""
    refuse_nan_and_infinity(X)
    raise ValueError(
        f"{what} in float64. Rescale the columns, or pass precompute=False to "
        "GDLinearRegressor."
    )


def _least_pivot(scatter: np.ndarray) -> float:
    """Return the least share of a column's variance that others do not explain."""
    U, _, rank, scale = pivoted_factor(scatter)
    if rank < np.count_nonzero(scale):
        return 0.0
    return float((U.diagonal()[:rank] ** 2).min(initial=1.0))


def pivoted_factor(
    scatter: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """Return a pivoted Cholesky factor of a scatter with its columns scaled to one.

    What counts as singular then does not depend on their units.

    Returns
    -------
    U : ndarray of shape (r, r)
        Upper triangle; what is below is not for use.
    pivots : ndarray of shape (r,)
        Which column, from 0, each column of U is.
    rank : int
        Number of rows of U that count.
    scale : ndarray of shape (r,)
        What each column of the scatter was divided by; 0 of one that does not vary.
    """
    scale = np.sqrt(np.maximum(np.diag(scatter), 0))
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    with in_one_thread(len(scatter)):
        U, pivots, rank, _ = dpstrf(scatter * inverse[:, None] * inverse)
    return U, pivots - 1, rank, scale


def _sparse_scatter(
    X: Matrix, y: np.ndarray, sample_weight: np.ndarray | None
) -> Scatter:
    """Return the sums over sparse rows; only the scatter is dense.

    Columns that are mostly zero have no mean that is large against their spread: with
    one zero in a hundred it is at most ten spreads. They are not shifted, which would
    fill them. The others are made dense, a block of rows at a time, and shifted.
    """
    n_rows, n_features = X.shape
    w = np.ones(n_rows) if sample_weight is None else sample_weight
    weight = float(w.sum())
    stored = type(X)((np.ones(X.nnz), X.indices, X.indptr), X.shape)
    filled = w @ stored > 0.99 * weight
    few, full = np.flatnonzero(~filled), np.flatnonzero(filled)
    A = (X[:, few] if len(full) else X).astype(np.float64)
    D = X[:, full].tocsr()
    D_pilot = means(D, w) if len(full) else np.zeros(0)
    y_pilot = means(y, w)
    y = y - y_pilot
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        weighted = diags_array(w) @ A
        AA, Ay = (A.T @ weighted).toarray(), weighted.T @ y
        AD, DD = np.zeros((len(few), len(full))), np.zeros((len(full), len(full)))
        Dy, D_sum = np.zeros((len(full), y.shape[1])), np.zeros(len(full))
        for rows in blocks(n_rows, len(full) + 1) if len(full) else ():
            shifted = D[rows].toarray() - D_pilot
            weighed = shifted * w[rows, None]
            AD += A[rows].T @ weighed
            DD += shifted.T @ weighed
            Dy += weighed.T @ y[rows]
            D_sum += weighed.sum(axis=0)
        yy = y.T @ (w[:, None] * y)
        total = np.concatenate([np.asarray(A.T @ w).ravel(), D_sum, w @ y])
        scatter = np.block([[AA, AD, Ay], [AD.T, DD, Dy], [Ay.T, Dy.T, yy]])
        scatter -= np.outer(total, total / weight)
    pilot = np.concatenate([np.zeros(len(few)), D_pilot, y_pilot])
    mean, rest = two_sum(pilot, total / weight)
    if len(full):  # back in the order of the columns
        order = np.argsort(np.concatenate([few, full, n_features + np.arange(len(yy))]))
        mean, rest, scatter = mean[order], rest[order], scatter[np.ix_(order, order)]
    sums = Scatter(weight, mean, scatter, rest)
    what = _wrongly_squared(sums, X, y, sample_weight, np.float64)
    if what:
        refuse_squares(what, X)
    return sums
