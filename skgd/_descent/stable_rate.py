"""The largest learning rate that is stable."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal, eigvalsh
from scipy.sparse import diags_array, issparse

from skgd._data.device import to_numpy
from skgd._data.row_sources import RowSource
from skgd._data.rows import Rows, column_sums, peaks, predicted, squared_norms
from skgd._data.shifted import ShiftedMatrix
from skgd._data.threads import in_one_thread
from skgd._objective.objective import Objective
from skgd._typing import PerTarget

# Up to this many features the Hessian is formed and its largest eigenvalue is exact;
# beyond, or where there are fewer rows than features, Lanczos steps on the rows are
# cheaper.
_SMALL_HESSIAN, _MAX_HESSIAN = 50, 500

# A rate that is 4% too short costs 2% more epochs, and a Lanczos step as much as one.
# Fewer than twelve may be blind: the residual is small where the largest eigenvalue is
# not yet found. Over 17 spectra of 100,000 eigenvalues, with one that stands out or a
# continuum, the bound was at worst 2.5% too low from 12 steps on, and 11% from 8 on.
_ENOUGH, _LEAST_STEPS, _MOST_STEPS = 0.05, 12, 20

# Of mini-batches, L is that of so many batches' rows, or of such a part of all rows.
_SAMPLED_BATCHES, _SAMPLED_PART = 10, 16


class Smoothness(NamedTuple):
    """How strongly rows curve the objective, over the curvature of the loss."""

    mean: float  # largest eigenvalue of the mean of x x', where known; x ends in 1
    row: float  # the mean of |x|^2


def largest_stable_learning_rate(
    rows: RowSource,
    objective: Objective,
    *,
    fit_intercept: bool,
    batch_size: int | None = None,
    momentum: float = 0.0,
    so_far: Smoothness | None = None,
    n_samples: int | None = None,
) -> PerTarget:
    """Return 2/L, below which gradient descent converges.

    L is the largest eigenvalue of the Hessian, the loss's curvature being the largest
    that it has anywhere, and 1/L is the standard step (Nesterov, Lectures on Convex
    Optimization, 2018, section 2.1.5). Proximal steps, of an L1 penalty or a bound,
    leave it as it is. Where X is zero, and any rate is as good as another, it is 1.

    Of mini-batches, L is their expected smoothness (Gower et al. 2019, SGD: General
    Analysis and Improved Rates, b-nice sampling): of b among n rows ::

        L_b = n (b - 1) / (b (n - 1)) L + (n - b) / (b (n - 1)) max_i L_i

    where L_i is the curvature of row i alone; an L2 penalty adds its own. Along each
    direction the Hessian H_b of a random batch then has ``E H_b^2 <= L_b E H_b``, so
    that steps shorter than 2 / L_b shrink the distance to the minimum, in the mean
    square, but for their noise. L is a small part of it, and where there are many
    features it is that of a sample of the rows: in the mean at least that of all of
    them, since the largest eigenvalue is convex.

    Rows of a stream are a chunk of endlessly many, n = inf. That the steps are short
    enough for the chunk is not all: one of short rows would lengthen those along all
    others. So L counts for at least that of all rows so far, where it is known, and
    max_i L_i for at least their mean. A chunk of longer rows, an outlier or another
    scale, shortens its own steps alone.

    Where there are many features, L is from 20 Lanczos steps at most. It is then mostly
    0 to 4% too large (see `_by_lanczos`), so that rates below what is returned are
    stable, but they are not all that are.

    Where the weights of the L2 penalty differ from target to target, so do L and the
    rate. L is then somewhat too large: a bound from those of the least and the largest
    weight of each feature, between which it is convex and does not fall.

    A constant momentum mu shortens the step. Along an eigenvector of the Hessian with
    eigenvalue L, the distance to the minimum obeys ``e_next = (1 - lr L) ((1 + mu) e -
    mu e_last)``, whose roots lie inside the unit circle just where ``lr L < (2 + 2 mu)
    / (1 + 2 mu)``.

    Parameters
    ----------
    rows : RowSource
        The rows of the descent, in NumPy.
    objective : Objective
        What is descended on, in NumPy. The curvature of its loss is known.
    fit_intercept : bool
        Whether a column of ones belongs to X.
    batch_size : int or None, default=None
        Rows a batch. None: all.
    momentum : float, default=0.0
        Of the extrapolation between the steps.
    so_far : Smoothness or None, default=None
        Of all rows of a stream, where `rows` are a chunk of one.
    n_samples : int or None, default=None
        Number of rows that `rows` were condensed from, which have the same rate. None:
        they were not.

    Raises
    ------
    ValueError
        Where the squares of X overflow its dtype.
    """
    n_features, curvature = rows.n_features, objective.loss.curvature
    assert curvature is not None
    # In the units of the loss's curvature, and zero for the intercept.
    l2 = objective.penalty.l2
    ridges = np.zeros((n_features + fit_intercept, 1 if l2 is None else l2.shape[1]))
    if l2 is not None:
        ridges[:n_features] = 2 * l2 / curvature
    n_rows = n_samples or len(rows)
    forms_it = n_features <= _SMALL_HESSIAN or n_rows > n_features <= _MAX_HESSIAN
    largest = _exact if forms_it else _by_lanczos
    with np.errstate(over="ignore", invalid="ignore"):
        if batch_size is None:
            L = _of_each_ridge(partial(largest, rows, fit_intercept), ridges)
        else:
            some = rows if forms_it else _sampled(rows, batch_size)
            of_rows = 0.0
            if batch_size > 1 or so_far is None:  # else it does not count
                of_rows = largest(some, fit_intercept, 0 * ridges[:, 0])
            L = ridges.max(axis=0) + _expected_smoothness(
                of_rows, rows, fit_intercept, batch_size, so_far
            )
        of_targets = (curvature * L).tolist()
    if not all(map(math.isfinite, of_targets)):
        _raise_overflow(rows)
    shorter = (1 + momentum) / (1 + 2 * momentum)
    rates = [2 / L * shorter if L > 0 else 1.0 for L in of_targets]
    return np.array(rates) if len(rates) > 1 else rates[0]


def _of_each_ridge(
    largest: Callable[[np.ndarray], float], ridges: np.ndarray
) -> np.ndarray:
    """Return the largest eigenvalue for each column of ridges, or somewhat more."""
    if ridges.shape[1] == 1:
        return np.array([largest(ridges[:, 0])])
    low, high = ridges.min(axis=1), ridges.max(axis=1)
    above, span = ridges - low[:, None], (high - low)[:, None]
    share = np.divide(above, span, out=np.zeros_like(above), where=span > 0).max(axis=0)
    return (1 - share) * largest(low) + share * largest(high)


def _exact(rows: RowSource, fit_intercept: bool, ridge: np.ndarray) -> float:
    """Return the largest eigenvalue of the mean of ``w x x'``, plus a ridge.

    Each x ends in 1 for the intercept.
    """

    def products(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        X, weight = rows.X, rows.weight
        if isinstance(X, ShiftedMatrix):
            XX, X_sum = products(rows._replace(X=X.matrix))
            offset = X.right[0].astype(np.float64)
            total = len(rows.y) if weight is None else weight.sum(dtype=np.float64)
            shifted_sum = X_sum - total * offset
            XX -= np.outer(offset, X_sum) + np.outer(shifted_sum, offset)
            return XX, shifted_sum
        weighted = X
        if weight is not None:
            weighted = diags_array(weight) @ X if issparse(X) else X * weight[:, None]
        XX = X.T @ weighted
        XX = XX.toarray() if issparse(XX) else to_numpy(XX)
        return XX.astype(np.float64), column_sums(weighted)

    XX, X_sum = rows.sum(products)
    n_rows = len(rows)
    n_features = len(XX)
    second_moments = np.eye(n_features + fit_intercept)
    second_moments[:n_features, :n_features] = XX / n_rows
    if fit_intercept:
        second_moments[-1, :-1] = second_moments[:-1, -1] = X_sum / n_rows
    if not np.isfinite(second_moments).all():
        return np.inf
    second_moments[np.diag_indices_from(second_moments)] += ridge
    with in_one_thread(len(second_moments)):
        # The last alone, by subset_by_index, is not found where all are next to equal.
        return float(eigvalsh(second_moments)[-1])


def _by_lanczos(rows: RowSource, fit_intercept: bool, ridge: np.ndarray) -> float:
    """Return the same, or somewhat more, without forming the matrix.

    It is the largest Ritz value and the norm of its residual, after 20 steps at most
    (Zhou & Li 2011, Bounding the spectrum of large Hermitian matrices). They end when
    that is 5%; where the largest eigenvalues lie close together, the Ritz value is 1 to
    2% below them then, and the sum as much above.

    It is below the largest eigenvalue only where one stands out from the others by so
    little that the steps do not find it. From a random start, the Ritz value of 20
    steps is, with a probability of 99.9%, at least ``1 - (log(1648 sqrt(d)) / 39)^2``
    of it (Kuczynski & Wozniakowski 1992): 0.88 for d = 100,000. A rate of 1/L is then
    stable still, at any momentum, for which 4/3 of the true one is short enough.
    """
    dtype = rows.dtype
    n_features, ridge = rows.n_features, ridge.astype(dtype)

    def second_moments_times(v: np.ndarray) -> np.ndarray:
        def product(rows: Rows) -> tuple[np.ndarray]:
            along = predicted(rows.X, (v[:n_features],))
            if fit_intercept:
                along += float(v[-1])
            if rows.weight is not None:
                along *= rows.weight
            for_intercept = along[:, None].sum(0)[:fit_intercept]
            return (
                np.concatenate([*map(to_numpy, (rows.X.T @ along, for_intercept))]),
            )

        (total,) = rows.sum(product)
        total /= len(rows)
        return total + ridge * v if ridge.any() else total

    v = np.random.default_rng(0).standard_normal(n_features + fit_intercept, dtype)
    v /= np.linalg.norm(v)
    last, beta = np.zeros_like(v), 0.0
    alphas, betas, bound = list[float](), list[float](), 0.0
    for step in range(1, _MOST_STEPS + 1):
        w = second_moments_times(v)
        alpha = float(w @ v)
        w -= alpha * v
        w -= beta * last
        beta = float(np.linalg.norm(w))
        if not math.isfinite(beta):
            return np.inf
        alphas.append(alpha)
        values, vectors = eigh_tridiagonal(alphas, betas)
        residual = beta * abs(float(vectors[-1, -1]))
        bound = float(values[-1]) + residual
        enough = step >= _LEAST_STEPS and residual <= _ENOUGH * bound
        if enough or beta <= 10 * np.finfo(dtype).eps * bound:  # an invariant subspace
            break
        betas.append(beta)
        last, v = v, w / beta
    return bound


def _sampled(rows: RowSource, batch_size: int) -> RowSource:
    """Return rows drawn at random, at least those of one batch."""
    of_all = len(rows) // _SAMPLED_PART
    return rows.sample(max(batch_size, min(_SAMPLED_BATCHES * batch_size, of_all)))


def _expected_smoothness(
    L: float,
    rows: RowSource,
    fit_intercept: bool,
    b: int,
    so_far: Smoothness | None,
) -> float:
    """Return L_b for the L of all rows, both over the curvature of the loss."""

    def largest_of(rows: Rows) -> float:
        squares = squared_norms(rows.X) + fit_intercept
        return float((squares if rows.weight is None else squares * rows.weight).max())

    n, L_max = len(rows), max(rows.each(largest_of))
    if so_far is not None:
        L, L_max = max(L, so_far.mean), max(L_max, so_far.row)
        return ((b - 1) * L + L_max) / b
    if b >= n:
        return L
    return (n * (b - 1) * L + (n - b) * L_max) / (b * (n - 1))


def _largest_value(rows: Rows) -> float:
    """Return the largest absolute value in X."""
    return float(peaks(rows.X).max())


def _raise_overflow(rows: RowSource) -> None:
    """Raise, and name the largest value whose square overflows."""
    largest = max(rows.each(_largest_value))
    dtype = rows.dtype
    raise ValueError(
        f"The squares of the values in X overflow {dtype}: the largest is "
        f"{largest:.3g}. Rescale X"
        f"{', or pass it as float64' if dtype == np.float32 else ''}."
    )
