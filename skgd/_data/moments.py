"""Moments: all that least squares knows of the data, and a tiny dataset with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from skgd._data.dask_collections import (
    Collection,
    is_collection,
    refuse_beside_rows_in_memory,
)
from skgd._data.device import plain_arithmetic
from skgd._data.rows import (
    Rows,
    flatnonzero,
    means,
    peaks,
    root_mean_squares,
    slices,
    without_unit_weights,
)
from skgd._data.scatter import pivoted_factor, scatter_of, two_sum
from skgd._data.shifted import ShiftedMatrix
from skgd._data.user_input import naming_columns, rows_of_moments
from skgd._typing import ArrayLike, Matrix, SparseLike

# Selected rows are gathered so many elements at a time, and on a device, where that
# takes longer than small sums, such a part of all rows.
_GATHERED_ELEMENTS, _GATHERED_PARTS = 2**20, 32

# Below, float64 has fewer digits.
_LEAST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, eq=False)
class Moments:
    """Sufficient statistics of least squares: weight, mean and scatter of z = [x, y].

    For any coefficients and intercept, the mean squared error depends on the data only
    through these statistics. `from_data` computes them in one pass over the data. With
    r features and targets together, they take O(r^2) memory. The moments of two parts
    of the data add up to those of the whole, by ``+``, `merge` or ``sum``. `condense`
    returns a dataset of r + 1 rows that has these moments.

    Parameters
    ----------
    weight : float
        Sum of the sample weights; without weights, the number of samples.
    mean : ndarray of shape (n_features + n_targets,)
        Weighted mean of the columns of X and y.
    scatter : ndarray of shape (n_features + n_targets, n_features + n_targets)
        Weighted sum of ``(z - mean) (z - mean)'``.
    n_features : int
        Number of columns of X, which come first.
    y_is_1d : bool, default=False
        Whether `condense` returns a one-dimensional y, as that of the data was.
    mean_rest : ndarray of shape (n_features + n_targets,) or float, default=0.0
        Rounding error of the mean, to be added to it. With it, means that are 1e9
        standard deviations away from zero keep all their digits, however often parts
        are merged.

    Attributes
    ----------
    n_targets : int
        Number of columns of y.

    Raises
    ------
    ValueError
        If the shapes of mean and scatter and n_features do not fit together.

    See Also
    --------
    GDLinearRegressor : Descends on condensed moments (`precompute`), adds them up in
        `partial_fit`, and keeps them in `moments_`.
    gd_path : Computes models along a path of penalties from moments alone.

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
    mean_rest: np.ndarray | float = 0.0

    def __post_init__(self) -> None:
        n = np.size(self.mean)
        shapes = np.shape(self.mean), np.shape(self.scatter)
        if shapes != ((n,), (n, n)) or not 0 < self.n_features < n:
            raise ValueError(
                "Moments are of n_features columns of X and at least one of y, and "
                "mean and scatter of them all. Got mean of shape "
                f"{shapes[0]}, scatter of shape {shapes[1]} and "
                f"n_features={self.n_features}."
            )

    @property
    def n_targets(self) -> int:
        """Number of columns of y."""
        return len(self.mean) - self.n_features

    @classmethod
    def from_data(
        cls,
        X: ArrayLike | SparseLike | Collection,
        y: ArrayLike | Collection,
        sample_weight: ArrayLike | Collection | None = None,
    ) -> Moments:
        """Compute the moments of data in one pass, block by block.

        X is not copied: besides the result, a few blocks of 2 MiB are allocated, or of
        8192 rows if that is more. Sums are float64 whatever the dtype of X. float32
        blocks are multiplied in float32; if the columns turn out to be nearly
        collinear, a second pass multiplies them in float64. Dense columns that lie far
        from zero, such as timestamps, are shifted before they are multiplied, so that
        no digits are lost; sparse columns are not.

        Parameters
        ----------
        X : {array-like, sparse matrix or array, Dask collection} of shape \
                (n_samples, n_features)
            Rows: memory maps, integers, frames and tensors are also accepted. Names of
            columns are ignored, except in error messages: to add moments up, keep the
            columns in the same order. The moments of Dask's arrays and frames are
            summed up where their partitions lie, and those of tensors on another device
            than the CPU on that device, under scikit-learn's ``array_api_dispatch``.
            The results are NumPy arrays.
        y : array-like or Dask collection of shape (n_samples,) or \
                (n_samples, n_targets)
            Targets.
        sample_weight : array-like or Dask collection of shape (n_samples,), \
                default=None
            Nonnegative weights. None is a weight of one for each row.

        Returns
        -------
        moments : Moments
            The moments of the data.

        Raises
        ------
        ValueError
            On no rows, NaN, infinity, squares that leave the range of float64,
            mismatched lengths, and negative or all-zero weights.

        Examples
        --------
        >>> from skgd import Moments
        >>> moments = Moments.from_data([[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0])
        >>> moments.weight, moments.mean
        (3.0, array([2., 4.]))
        >>> moments.scatter
        array([[2., 4.],
               [4., 8.]])
        """
        if is_collection(X):
            from skgd._data.partitions import moments_of_collections

            return moments_of_collections(X, y, sample_weight)
        refuse_beside_rows_in_memory(y=y, sample_weight=sample_weight)
        with naming_columns(X), plain_arithmetic():
            rows, y_is_1d = rows_of_moments(X, y, sample_weight)
            sums = scatter_of(rows)._asdict()
            return cls(n_features=rows.n_features, y_is_1d=y_is_1d, **sums)

    def merge(self, other: Moments) -> Moments:
        """Return the moments of two datasets together, in O(r^2).

        ``a + b`` is the same as ``a.merge(b)``.

        Parameters
        ----------
        other : Moments
            Moments of other rows with the same columns in the same order.

        Returns
        -------
        moments : Moments
            The moments of all rows. The order of merging affects only rounding.

        Raises
        ------
        ValueError
            If the numbers of features or targets differ, or sums overflow float64.

        Examples
        --------
        >>> from skgd import Moments
        >>> first = Moments.from_data([[1.0], [2.0]], [2.0, 4.0])
        >>> second = Moments.from_data([[3.0]], [6.0])
        >>> both = first.merge(second)
        >>> both.weight, both.mean
        (3.0, array([2., 4.]))
        """
        if (self.n_features, self.n_targets) != (other.n_features, other.n_targets):
            raise ValueError(
                f"Moments of {self.n_features} features and {self.n_targets} targets "
                f"cannot be merged with those of {other.n_features} features and "
                f"{other.n_targets} targets."
            )
        weight, share, step = _difference(self, other)
        step = step + (other.mean_rest - self.mean_rest)
        between = self.weight * share * np.outer(step, step)
        mean, rest = two_sum(self.mean, share * step + self.mean_rest)
        scatter = self.scatter + other.scatter + between
        if not (weight < np.inf and np.isfinite(scatter.diagonal()).all()):
            raise ValueError(
                "The sum of the weights, or of the scatters, overflows float64. "
                "Multiply all weights by a small factor first; see `times`."
            )
        return Moments(weight, mean, scatter, self.n_features, self.y_is_1d, rest)

    def times(self, factor: float) -> Moments:
        """Return the moments of the same data with all weights multiplied by a factor.

        Parameters
        ----------
        factor : float
            Factor of the weights; positive and finite. To give old rows of a stream
            less and less weight, multiply by less than one before each `merge`.

        Returns
        -------
        moments : Moments
            Moments with the same mean; weight and scatter are multiplied.

        Raises
        ------
        ValueError
            If the factor is not positive and finite, or takes the weight or the
            scatter out of the range of float64.

        Examples
        --------
        >>> from skgd import Moments
        >>> old = Moments.from_data([[1.0], [2.0]], [2.0, 4.0])
        >>> new = Moments.from_data([[4.0]], [8.0])
        >>> faded = old.times(0.5) + new
        >>> faded.weight, faded.mean
        (2.0, array([2.75, 5.5 ]))
        """
        if not 0 < factor < np.inf:
            raise ValueError(f"factor={factor!r} must be positive and finite.")
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            product = scaled(self, factor)
        squares, before = product.scatter.diagonal(), self.scatter.diagonal()
        lost = (squares < _LEAST) & (before >= _LEAST)
        in_range = _LEAST <= product.weight < np.inf and np.isfinite(squares).all()
        if not in_range or lost.any():
            raise ValueError(
                f"factor={factor!r} takes the weight {self.weight:.3g}, or the "
                "scatter, out of the range of float64."
            )
        return product

    def __add__(self, other: Moments) -> Moments:
        """Merge, so that moments of parts add up."""
        return self.merge(other) if isinstance(other, Moments) else NotImplemented

    def __radd__(self, other: Literal[0]) -> Moments:
        """Return self where ``sum`` starts from 0."""
        return self if other == 0 else NotImplemented

    def loss(self, coef: ArrayLike, intercept: ArrayLike = 0.0) -> float | np.ndarray:
        """Return the mean squared error of linear models on the data.

        Parameters
        ----------
        coef : array-like of shape (..., n_features) or (..., n_targets, n_features)
            Coefficients, as `coef_` of an estimator: the first shape if `y_is_1d`, or
            if there is one target. Leading axes are those of several models.
        intercept : float or array-like of shape (...) or (..., n_targets), default=0.0
            Intercepts, as `intercept_` of an estimator.

        Returns
        -------
        loss : float or ndarray of shape (...) or (..., n_targets)
            Weighted mean of the squared residuals, for each model and target; a float
            for one model of one target. It is not negative. For an exact fit it is
            rounding error, some 1e-16 of the mean square of the terms that cancel.

        Raises
        ------
        ValueError
            If the shapes of coef or intercept do not fit these moments, or if they hold
            NaN or infinity.
        TypeError
            If coef is an estimator.

        Examples
        --------
        >>> from skgd import Moments, gd_path
        >>> moments = Moments.from_data([[1.0], [2.0], [3.0]], [2.0, 4.0, 9.0])
        >>> round(moments.loss([2.0]), 12), round(moments.loss([2.0], 1.0), 12)
        (3.0, 2.0)

        The loss of all models on a path (for several targets, the coefficients are
        ``np.moveaxis(path.coefs, -1, 0)``, and the intercepts ``path.intercepts.T``):

        >>> path = gd_path(moments, alphas=[1.0, 0.1])
        >>> moments.loss(path.coefs.T, path.intercepts).round(2)
        array([2.  , 0.52])
        """
        if hasattr(coef, "coef_"):
            raise TypeError(
                f"coef is an estimator, {coef!r}. Pass its coef_ and its intercept_."
            )
        d, n_targets = self.n_features, self.n_targets
        W, b = np.asarray(coef, np.float64), np.asarray(intercept, np.float64)
        if n_targets == 1 and not self.y_is_1d and W.ndim == 1:
            W = W[None]
        ends = (d,) if self.y_is_1d else (n_targets, d)
        if W.shape[-len(ends) :] != ends:
            form = ", ".join(map(str, ("...", *ends)))
            raise ValueError(
                f"coef must have the shape ({form}), for n_targets={n_targets} and "
                f"n_features={d}. Got the shape {np.shape(coef)}."
            )
        shape = W.shape[:-1]
        try:
            b = np.broadcast_to(b, shape)
        except ValueError:
            raise ValueError(
                f"intercept must be a float, or of the shape {shape}, that of coef "
                f"without its last axis. Got the shape {b.shape}."
            ) from None
        if not (np.isfinite(W).all() and np.isfinite(b).all()):
            raise ValueError(
                "coef and intercept must be finite numbers. Pass those of a model that "
                "has been fitted."
            )
        models = W.reshape(-1, n_targets, d)
        losses = mean_squared_errors(self, models, b.reshape(-1, n_targets))
        return losses.reshape(shape) if shape else float(losses[0, 0])

    def condense(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a dataset of r + 1 equally weighted rows that has these moments.

        To rounding, any linear model has the same mean squared error on this dataset as
        on the data that the moments are from, and the same gradient; so gradient
        descent has the same iterates. The weight of the dataset is r + 1 instead of
        that of the data.

        Returns
        -------
        X : ndarray of shape (n_features + n_targets + 1, n_features)
            Features, float64.
        y : ndarray of shape (n_rows,) or (n_rows, n_targets)
            Targets, float64; one-dimensional if `y_is_1d`.

        Notes
        -----
        Let ``F' F = scatter`` (F is a pivoted Cholesky factor, as the scatter may be
        singular), and let H have r + 1 rows, and r columns that are orthonormal and
        orthogonal to ones. The rows of the dataset are then ``mean + sqrt((r + 1) /
        weight) H F``. H is the Householder reflector that takes e_1 to ones / sqrt(r +
        1), without its first column, so that H F is F plus a rank-one update.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd import Moments
        >>> X = np.arange(10.0)[:, None]
        >>> y = (X[:, 0] - 3) ** 2
        >>> X_tiny, y_tiny = Moments.from_data(X, y).condense()
        >>> X_tiny.shape, y_tiny.shape
        ((3, 1), (3,))
        >>> error, tiny_error = y - 4 * X[:, 0], y_tiny - 4 * X_tiny[:, 0]
        >>> bool(np.isclose(np.mean(tiny_error**2), np.mean(error**2)))
        True
        """
        root = factor_of(self.scatter) / np.sqrt(self.weight)
        rows = self.mean + condensed_rows(root)
        X, y = rows[:, : self.n_features], rows[:, self.n_features :]
        return X, y[:, 0] if self.y_is_1d else y


def moments_of(rows: Rows) -> Moments:
    """Return the moments of rows; those of weight zero are not read."""
    if rows.weight is None or rows.weight.all():
        return Moments(n_features=rows.n_features, **scatter_of(rows)._asdict())
    index = flatnonzero(rows.weight)
    rows = without_unit_weights(rows)
    n_gathered = max(_GATHERED_ELEMENTS // rows.n_features, 1000)
    if rows.are_tensors:
        n_gathered = max(len(rows.y) // _GATHERED_PARTS, n_gathered)
    few, *others = slices(len(index), n_gathered)
    moments = moments_of(rows.at(index[few]))
    for few in others:
        moments += moments_of(rows.at(index[few]))
    return moments


def mean_squared_errors(
    moments: Moments, coef: np.ndarray, intercept: np.ndarray
) -> np.ndarray:
    """Return the mean squared errors of several models, (n_models, n_targets).

    Parameters
    ----------
    moments : Moments
        Of the data.
    coef : ndarray of shape (n_models, n_targets, n_features)
        Coefficients.
    intercept : ndarray of shape (n_models, n_targets)
        Intercepts.
    """
    d, mean = moments.n_features, moments.mean
    F = factor_of(moments.scatter) / np.sqrt(moments.weight)
    rest = moments.mean_rest + np.zeros_like(mean)
    off_mean = coef @ mean[:d] - mean[d:] + intercept
    off_mean += coef @ rest[:d] - rest[d:]
    residual_root = coef @ F[:, :d].T - F[:, d:].T
    return np.einsum("mtr,mtr->mt", residual_root, residual_root) + off_mean**2


def scaled(moments: Moments, factor: float) -> Moments:
    """Return what `Moments.times` does, whatever it leaves of the digits."""
    scatter = moments.scatter * factor
    return replace(moments, weight=moments.weight * factor, scatter=scatter)


class ColumnMoments(NamedTuple):
    """Weight, mean and spread of each column: what the diagonal of `Moments` tells.

    They take O(r) memory, and merge in O(r).
    """

    weight: float
    mean: np.ndarray
    spread: np.ndarray  # root mean square of the distance from the mean

    @classmethod
    def from_columns(
        cls, columns: Matrix, weight: np.ndarray | None = None
    ) -> ColumnMoments:
        """Compute them from rows; StandardScaler would copy these twice."""
        if isinstance(columns, ShiftedMatrix):
            total, mean, spread = cls.from_columns(columns.matrix, weight)
            return cls(total, mean - columns.right[0], spread)
        total = float(columns.shape[0] if weight is None else weight.sum())
        mean = means(columns, weight)
        spread = root_mean_squares(columns, weight, mean)
        if not (np.isfinite(mean).all() and np.isfinite(spread).all()):
            largest = min(float(peaks(columns).max()), float(np.finfo(np.float64).max))
            raise ValueError(
                "The sum of the values of a column of X or y overflows float64: the "
                f"largest is {largest:.3g}. Rescale the column."
            )
        return cls(total, mean, spread)

    @classmethod
    def from_moments(cls, moments: Moments) -> tuple[ColumnMoments, ColumnMoments]:
        """Return those of X and those of y."""
        d, variances = moments.n_features, np.diag(moments.scatter) / moments.weight
        mean, spread = moments.mean, np.sqrt(np.maximum(variances, 0))
        return (
            cls(moments.weight, mean[:d], spread[:d]),
            cls(moments.weight, mean[d:], spread[d:]),
        )

    def merge(self, other: ColumnMoments) -> ColumnMoments:
        """Return those of both sets of rows together."""
        weight, share, step = _difference(self, other)
        within = np.hypot(
            np.sqrt(1 - share) * self.spread, np.sqrt(share) * other.spread
        )
        between = np.sqrt(share * (1 - share)) * step
        return ColumnMoments(
            weight, self.mean + share * step, np.hypot(within, between)
        )


def _difference(
    one: Moments | ColumnMoments, other: Moments | ColumnMoments
) -> tuple[float, float, np.ndarray]:
    """Return the weight of both, the other's share of it, and how far its mean is.

    Whence mean and scatter of both follow (Chan, Golub & LeVeque 1979).
    """
    weight = one.weight + other.weight
    return weight, other.weight / weight, other.mean - one.mean


def condensed_rows(root: np.ndarray) -> np.ndarray:
    """Return one row more than the root's, of mean 0 and covariance ``root' root``."""
    n_rows = len(root) + 1
    reflector = np.full(n_rows, -1 / np.sqrt(n_rows))
    reflector[0] += 1
    rows = np.vstack([np.zeros(root.shape[1]), root])
    rows -= np.outer(reflector * (2 / (reflector @ reflector)), reflector[1:] @ root)
    rows *= np.sqrt(n_rows)
    return rows


def factor_of(scatter: np.ndarray) -> np.ndarray:
    """Return a factor F of ``F' F = scatter``, which may be singular."""
    if len(scatter) == 1:
        return np.sqrt(np.maximum(scatter, 0))
    U, pivots, rank, scale = pivoted_factor(scatter)
    U = np.triu(U)
    U[rank:] = 0
    F = np.empty_like(U)
    F[:, pivots] = U
    return F * scale
