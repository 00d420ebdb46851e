"""Moments: all that least squares knows of the data, and a tiny dataset with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.linalg.lapack import dpstrf
from scipy.sparse import diags_array, issparse
from sklearn.utils import check_X_y
from sklearn.utils.validation import _check_sample_weight

from skgd._rows import Rows, blocks, means, root_mean_squares
from skgd._threads import in_threads
from skgd._validation import refuse_nan_and_infinity


@dataclass(frozen=True, eq=False)
class Moments:
    """Sufficient statistics of least squares: weight, mean and scatter of z = [x, y].

    The mean squared error depends on the data through these alone, for every
    coefficient and intercept. They take one pass over the data and O(r^2) memory, where
    r is the number of features and targets together; those of a part and of another
    part add up to those of the whole; and `condense` turns them back into data, r + 1
    rows of it.

    Built by `from_data`, and added with `+` or `merge`.

    Parameters
    ----------
    weight : float
        Sum of the sample weights; the number of samples where there are none.
    mean : ndarray of shape (n_features + n_targets,)
        Weighted mean of the columns of X and y.
    scatter : ndarray of shape (n_features + n_targets, n_features + n_targets)
        Weighted sum of ``(z - mean) (z - mean)'``.
    n_features : int
        How many of the columns are those of X.
    y_is_1d : bool, default=False
        Whether `condense` gives a one-dimensional y, as for data that had one.

    References
    ----------
    T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise
    algorithm for computing sample variances", Stanford report STAN-CS-79-773, 1979.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skgd import Moments
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((10_000, 3))
    >>> y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(10_000)
    >>> parts = [Moments.from_data(X[i::4], y[i::4]) for i in range(4)]
    >>> X_tiny, y_tiny = sum(parts).condense()
    >>> X_tiny.shape, y_tiny.shape
    ((5, 3), (5,))
    >>> whole, tiny = LinearRegression().fit(X, y), LinearRegression()
    >>> bool(np.allclose(tiny.fit(X_tiny, y_tiny).coef_, whole.coef_))
    True
    """

    weight: float
    mean: np.ndarray
    scatter: np.ndarray
    n_features: int
    y_is_1d: bool = False

    @classmethod
    def from_data(cls, X: Any, y: Any, sample_weight: Any = None) -> Moments:
        """Compute the moments of data in one pass, block by block.

        Nothing of the size of X is allocated. Sums are float64 whatever the dtype of X;
        float32 blocks are multiplied in float32. Where an offset is large against the
        spread (timestamps), each block is shifted by the mean of the first before it is
        multiplied, so that it costs no digits.

        Parameters
        ----------
        X : {array-like, sparse matrix or array} of shape (n_samples, n_features)
            Rows; may be memory-mapped, or integers.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights. None: ones.

        Returns
        -------
        moments : Moments
            The moments of the data.

        Raises
        ------
        ValueError
            On NaN, infinity, mismatched lengths, and negative or all-zero weights.
        """
        X, y = check_X_y(
            X,
            y,
            accept_sparse=["csr", "csc"],
            ensure_all_finite=False,
            multi_output=True,
            y_numeric=True,
        )
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        moments_of = _sparse_moments if issparse(X) else _dense_moments
        moments = moments_of(X, y[:, None] if y.ndim == 1 else y, sample_weight)
        return replace(moments, y_is_1d=y.ndim == 1)

    def merge(self, other: Moments) -> Moments:
        """Give the moments of both data sets together, in O(r^2).

        Parameters
        ----------
        other : Moments
            Moments of other rows with the same columns.

        Returns
        -------
        moments : Moments
            The moments of the data sets one after the other, in any order.

        Raises
        ------
        ValueError
            Where the numbers of features or targets differ.
        """
        if (self.n_features, len(self.mean)) != (other.n_features, len(other.mean)):
            raise ValueError(
                f"Moments of {self.n_features} features and "
                f"{len(self.mean) - self.n_features} targets cannot be merged with "
                f"those of {other.n_features} features and "
                f"{len(other.mean) - other.n_features} targets."
            )
        weight = self.weight + other.weight
        share = other.weight / weight
        step = other.mean - self.mean
        between = self.weight * share * np.outer(step, step)
        return Moments(
            weight,
            self.mean + share * step,
            self.scatter + other.scatter + between,
            self.n_features,
            self.y_is_1d,
        )

    def __add__(self, other: Moments) -> Moments:
        """Merge, so that moments of parts add up."""
        return self.merge(other) if isinstance(other, Moments) else NotImplemented

    def __radd__(self, other: Literal[0]) -> Moments:
        """Let ``sum`` start from 0."""
        return self if other == 0 else NotImplemented

    def condense(self) -> tuple[np.ndarray, np.ndarray]:
        """Give a dataset of r + 1 equally weighted rows that has these moments.

        On it, the mean squared error of any linear model, its gradient and so every
        iterate of gradient descent are those of the data that the moments are from.

        Returns
        -------
        X : ndarray of shape (n_features + n_targets + 1, n_features)
            Features.
        y : ndarray of shape (n_rows,) or (n_rows, n_targets)
            Targets.

        Notes
        -----
        With ``F' F = scatter`` (a pivoted Cholesky factor, as the scatter may be
        singular) and an H of r + 1 rows whose r columns are orthonormal and orthogonal
        to ones, the rows are ``mean + sqrt((r + 1) / weight) H F``. H is the
        Householder reflector that takes e_1 to ones / sqrt(r + 1), less its first
        column, so that H F is F but for a rank-one update.
        """
        F = _factor(self.scatter)
        n_rows = len(F) + 1
        reflector = np.full(n_rows, -1 / np.sqrt(n_rows))
        reflector[0] += 1
        HF = np.vstack([np.zeros(len(F)), F])
        HF -= np.outer(reflector * (2 / (reflector @ reflector)), reflector[1:] @ F)
        rows = self.mean + np.sqrt(n_rows / self.weight) * HF
        X, y = rows[:, : self.n_features], rows[:, self.n_features :]
        return X, y[:, 0] if self.y_is_1d else y


def condensed(rows: Rows) -> Rows:
    """Give the few float64 rows that have the moments of these, checking X."""
    X, y = _dense_moments(*rows).condense()
    return Rows(X, y, weight=None)


def _dense_moments(
    X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None
) -> Moments:
    """Moments of dense rows; raises where X holds NaN or what float64 cannot square."""
    if X.dtype == np.float32:
        moments = _moments_by_blocks(X, y, sample_weight, np.float32)
        if _has_squares(moments, X, y, np.float32):
            return moments
    moments = _moments_by_blocks(X, y, sample_weight, np.float64)
    if not _has_squares(moments, X, y, np.float64):
        refuse_nan_and_infinity(X)
        raise ValueError(
            "The squares of the values in X or y overflow or underflow float64: the "
            f"largest in X is {np.abs(X).max():.3g}, in y {np.abs(y).max():.3g}. "
            "Rescale the columns."
        )
    return moments


def _moments_by_blocks(
    X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None, dtype: type
) -> Moments:
    """Moments of dense rows, multiplied in this dtype.

    Of ``A = X - pilot``, ``B = y - pilot`` and a column of ones, all times the root of
    the weights, the products of each with each are all that is wanted.
    """
    all_blocks = blocks(X)
    X_pilot, y_pilot = _pilots(X, y, sample_weight, dtype)
    unit = 1.0 if sample_weight is None else float(sample_weight.max())
    copies = sample_weight is not None or X_pilot.any() or X.dtype != dtype

    def products(share: list[slice]) -> list[Any]:
        buffer = np.empty((all_blocks[0].stop, X.shape[1] if copies else 0), dtype)
        ones = np.ones(all_blocks[0].stop)
        sums: list[Any] = [0.0] * 6
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
                for i, term in enumerate(_products(A, B, root)):
                    sums[i] = sums[i] + term.astype(np.float64)
        return sums

    parts = in_threads(products, all_blocks, X.shape[1])
    weight, X_sum, y_sum, XX, Xy, yy = (
        sum(terms) for terms in zip(*parts, strict=True)
    )
    total, pilot = np.concatenate([X_sum, y_sum]), np.concatenate([X_pilot, y_pilot])
    scatter = np.block([[XX, Xy], [Xy.T, yy]])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        scatter -= np.outer(total, total / weight)
        mean = pilot + total / weight
    return Moments(float(unit * weight), mean, unit * scatter, X.shape[1])


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


def _has_squares(moments: Moments, X: np.ndarray, y: np.ndarray, dtype: type) -> bool:
    """Whether no square left the range of the dtype in which it was computed."""
    if not np.isfinite(moments.scatter).all():
        return False
    variances = np.diag(moments.scatter) / moments.weight
    smallest = np.finfo(dtype).tiny / np.finfo(dtype).eps
    for j in np.flatnonzero(variances < smallest):
        column = X[:, j] if j < X.shape[1] else y[:, j - X.shape[1]]
        if (column != column[0]).any():
            return False
    return True


def _sparse_moments(X: Any, y: np.ndarray, sample_weight: np.ndarray | None) -> Moments:
    """Moments of sparse rows; only the scatter is dense."""
    refuse_nan_and_infinity(X)
    w = np.ones(len(y)) if sample_weight is None else sample_weight
    weight = float(w.sum())
    X, y = X.astype(np.float64), y.astype(np.float64)
    weighted = diags_array(w) @ X
    mean = np.concatenate([np.asarray(X.T @ w).ravel(), w @ y]) / weight
    n_features = X.shape[1]
    scatter = np.empty((len(mean), len(mean)))
    scatter[:n_features, :n_features] = (X.T @ weighted).toarray()
    scatter[:n_features, n_features:] = weighted.T @ y
    scatter[n_features:, :n_features] = scatter[:n_features, n_features:].T
    scatter[n_features:, n_features:] = y.T @ (w[:, None] * y)
    scatter -= weight * np.outer(mean, mean)
    return Moments(weight, mean, scatter, n_features)


def _factor(scatter: np.ndarray) -> np.ndarray:
    """Factor F of ``F' F = scatter``, which may be singular.

    The columns are scaled to one first, so that what counts as singular does not
    depend on their units.
    """
    scale = np.sqrt(np.maximum(np.diag(scatter), 0))
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    U, pivots, rank, _ = dpstrf(scatter * inverse[:, None] * inverse)
    U = np.triu(U)
    U[rank:] = 0
    F = np.empty_like(U)
    F[:, pivots - 1] = U
    return F * scale
