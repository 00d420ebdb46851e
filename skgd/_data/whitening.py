"""White coordinates: from moments, or with all digits from the rows themselves.

With ``U' U`` the correlation matrix of the columns of X, an upper triangle U, the
columns of ``standardized(X) U^-1`` do not correlate and have the variance one: a
whitening transformation (LeCun, Bottou, Orr and Mueller 1998, Efficient BackProp,
section 4.3). For squared error the Hessian is then a multiple of the identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial, singledispatch
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh, qr, solve_triangular
from scipy.linalg.lapack import dtrtri
from scipy.sparse import issparse

from skgd._data import tensors
from skgd._data.coordinates import WhiteCoordinates, varies
from skgd._data.moments import ColumnMoments, Moments, condensed_rows, factor_of
from skgd._data.rows import Rows, RowsAnywhere, canonical, row_blocks
from skgd._data.scatter import pivoted_factor
from skgd._data.tensors import is_tensor
from skgd._data.threads import in_one_thread

_EPS = float(np.finfo(np.float64).eps)

# A scatter has the squares of what a factor of the rows has, and half as many digits of
# what columns have apart from each other. Where one has less than this share of its
# variance, the factor is made of the rows. For few (by n_samples n_features^2) that
# costs a millisecond, and for very few next to nothing.
_LEAST_SHARE, _LEAST_SHARE_OF_FEW, _LEAST_SHARE_OF_VERY_FEW = 1e-6, 0.01, 0.5
_FEW, _VERY_FEW = 2**19, 2**14

# What the matrix of white coordinates may take.
MOST_BYTES = 2**31

# Below this share, the scatter alone has no digits left.
_RESOLVED_SHARE = 1e-12


class Root(NamedTuple):
    """A factor of the scatter of z = [x, y]: ``columns' columns = scatter``."""

    weight: float
    mean: np.ndarray  # (r,)
    columns: np.ndarray  # (any, r)


class Triangle(NamedTuple):
    """A triangular factor of a covariance matrix, and y in its terms.

    ``upper' upper`` is the correlation matrix of X in the order of `pivots`. With an
    orthonormal Q, ``y = Q [along; rest]``.
    """

    upper: np.ndarray  # (rank, n_features)
    pivots: np.ndarray  # (n_features,)
    scale: np.ndarray  # (n_features,): spreads of the columns of X; 0: does not vary
    along: np.ndarray  # (rank, n_targets)
    rest: np.ndarray  # (any, n_targets)
    resolved: bool = True  # whether what it leaves out does not vary

    @property
    def rank(self) -> int:
        """In how many directions X varies."""
        return len(self.upper)

    @property
    def least_share(self) -> float:
        """Least share of a column's variance that those before do not explain."""
        return float((self.upper.diagonal() ** 2).min(initial=1.0))


def side_by_side(triangles: Sequence[Triangle], chosen: np.ndarray) -> Triangle:
    """Return the triangle whose targets each have another, as white rows know it.

    It has the largest rank of them: along directions that a target's own does not have,
    it is zero.

    Parameters
    ----------
    triangles : sequence of Triangle
        Of all targets, for different penalties.
    chosen : ndarray of shape (n_targets,)
        Which of them is that of a target.
    """
    largest = max(triangles, key=lambda triangle: triangle.rank)
    along = np.zeros((largest.rank, len(chosen)))
    rest = np.zeros((1, len(chosen)))
    for target, index in enumerate(chosen):
        own = triangles[index]
        along[: own.rank, target] = own.along[:, target]
        rest[0, target] = np.linalg.norm(own.rest[:, target])
    return largest._replace(along=along, rest=rest)


def bytes_of_matrix(n_features: int) -> int:
    """Return what the matrix of white coordinates takes."""
    return 8 * n_features**2


def triangle_of(
    moments: Moments, rows: RowsAnywhere, *, centered: bool, l2: float
) -> Triangle:
    """Return the triangle of moments; where they lack the digits, that of the rows.

    Parameters
    ----------
    moments : Moments
        Of the rows.
    rows : RowsAnywhere
        The rows.
    centered : bool
        Whether the covariance is that about the mean, or about 0.
    l2 : float
        What is added to the variance of each column of X that varies: a penalty of
        squares is as many more rows.
    """
    return _triangle_of(moments, rows, partial(root_of, rows), centered, l2)


def triangles_of(
    moments: Moments, rows: RowsAnywhere, *, centered: bool, l2s: Iterable[float]
) -> list[Triangle]:
    """Return the triangle for each weight of a penalty; see `triangle_of`."""
    root = cache(partial(root_of, rows))
    return [_triangle_of(moments, rows, root, centered, l2) for l2 in l2s]


def _triangle_of(
    moments: Moments,
    rows: RowsAnywhere,
    root: Callable[[], Root],
    centered: bool,
    l2: float,
) -> Triangle:
    """Return the triangle of moments, or that of the root of the rows."""
    triangle = _triangle_of_scatter(moments, centered=centered, l2=l2)
    size, least = rows.n_rows * rows.n_features**2, _LEAST_SHARE
    if rows.in_memory and size <= _FEW:
        least = _LEAST_SHARE_OF_FEW if size > _VERY_FEW else _LEAST_SHARE_OF_VERY_FEW
    if _least_share(triangle) >= least:
        return triangle
    triangle = _resolved(triangle)
    if size > _FEW and _leaves_out_nothing(
        triangle, moments, rows, centered=centered, least=_LEAST_SHARE_OF_FEW
    ):
        return triangle
    return _triangle_of_root(
        root(),
        rows.n_features,
        centered=centered,
        l2=l2,
        least=_rounding(rows.n_rows),
    )


def triangle_of_moments(
    moments: Moments, some: RowsAnywhere, *, centered: bool, l2: float
) -> Triangle:
    """Return the triangle of moments whose rows are gone, but for some.

    These tell whether what moments do not resolve is nothing.
    """
    triangle = _triangle_of_scatter(moments, centered=centered, l2=l2)
    if _least_share(triangle) > _RESOLVED_SHARE:
        return triangle
    unpenalized = _triangle_of_scatter(moments, centered=centered, l2=0.0)
    unpenalized = _resolved(unpenalized)
    resolved = _leaves_out_nothing(
        unpenalized, moments, some, centered=centered, least=_LEAST_SHARE
    )
    triangle = _triangle_of_root(
        Root(moments.weight, moments.mean, factor_of(moments.scatter)),
        moments.n_features,
        centered=centered,
        l2=l2,
        least=(8 * len(moments.mean) * _EPS) ** 0.5,
    )
    return triangle._replace(resolved=resolved)


def triangles_of_moments(
    moments: Moments, some: RowsAnywhere, *, centered: bool, l2s: Iterable[float]
) -> list[Triangle]:
    """Return the triangle for each weight of a penalty; see `triangle_of_moments`."""
    return [triangle_of_moments(moments, some, centered=centered, l2=l2) for l2 in l2s]


def _resolved(triangle: Triangle) -> Triangle:
    """Return the triangle without directions that are rounding of the scatter alone."""
    kept = triangle.upper.diagonal() ** 2 > _RESOLVED_SHARE
    rank = int(np.count_nonzero(kept))
    if rank == triangle.rank:
        return triangle
    rest = np.vstack([triangle.along[rank:], triangle.rest])
    return triangle._replace(
        upper=triangle.upper[:rank], along=triangle.along[:rank], rest=rest
    )


def _least_share(triangle: Triangle) -> float:
    """Return the least share of a column's variance; 0: one is left out."""
    active = np.count_nonzero(triangle.scale)
    return triangle.least_share if triangle.rank == active else 0.0


def triangle_of_rows(rows: RowsAnywhere, *, centered: bool, l2: float) -> Triangle:
    """Return the triangle of rows, by orthogonal transformations of these."""
    root, least = root_of(rows), _rounding(rows.n_rows)
    return _triangle_of_root(
        root, rows.n_features, centered=centered, l2=l2, least=least
    )


def _rounding(n_rows: int) -> float:
    """Return what spread rounding leaves where there is none, over that of a column.

    A hundred times as many rows that fall into as few categories leave ten times as
    much (measured up to 300,000 rows).
    """
    return _EPS * (32 + 2 * n_rows**0.5)


def _leaves_out_nothing(
    triangle: Triangle,
    moments: Moments,
    rows: RowsAnywhere,
    *,
    centered: bool,
    least: float,
) -> bool:
    """Return whether columns that the triangle leaves out are those before, combined.

    A dummy variable for each category is the usual case. The scatter alone cannot tell
    1e-8 of a spread from nothing; the rows can.
    """
    rank, d = triangle.upper.shape
    active = np.flatnonzero(triangle.scale[triangle.pivots] > 0)
    if triangle.least_share < least or rank == 0:
        return False
    scale = triangle.scale[triangle.pivots]
    out = active[active >= rank]
    combined = np.zeros((d, len(out)))
    combined[out, np.arange(len(out))] = 1
    combined[:rank] = -solve_triangular(
        triangle.upper[:, :rank], triangle.upper[:, out], check_finite=False
    )
    combined[triangle.pivots] = combined / np.where(scale > 0, scale, 1)[:, None]
    about = moments.mean[:d] if centered else np.zeros(d)
    squares = mean_squares_along(rows, about, combined)
    left_out = np.sqrt(squares.max(initial=0.0))
    return bool(left_out <= 10 * _rounding(rows.n_rows) / triangle.least_share)


@singledispatch
def mean_squares_along(
    rows: RowsAnywhere, about: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    """Return the weighted mean square of ``(X - about) directions``, column by column.

    What has rows that are not here registers how it does that.
    """
    raise TypeError(type(rows))


@mean_squares_along.register(Rows)
def _mean_squares_along(
    rows: Rows, about: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    if is_tensor(rows.X):
        return tensors.mean_squares_along(rows.X, rows.weight, about, directions)
    rows = canonical(rows)
    squares = np.zeros(directions.shape[1])
    for block in row_blocks(rows, len(rows.y)):
        X, weight = rows.X[block], rows.weight
        along = ((X.toarray() if issparse(X) else X) - about) @ directions
        squares += (
            np.sum(along**2, axis=0) if weight is None else weight[block] @ along**2
        )
    return squares / (len(rows.y) if rows.weight is None else rows.weight.sum())


def merged_roots(roots: Sequence[Root]) -> Root:
    """Return the root of the rows of several (as moments merge, by their factors)."""
    first, *others = roots
    weight, mean, columns = first
    for other in others:
        total = weight + other.weight
        step = other.mean - mean
        between = np.sqrt(weight) * np.sqrt(other.weight / total) * step
        columns = _triangular(np.vstack([columns, other.columns, between]))
        mean, weight = mean + other.weight / total * step, total
    return Root(weight, mean, columns)


@singledispatch
def root_of(rows: RowsAnywhere) -> Root:
    """Return the triangular factor of rows.

    What has rows that are not here registers how it does that.
    """
    raise TypeError(type(rows))


@root_of.register(Rows)
def _root_of(rows: Rows) -> Root:
    """Return the triangular factor of rows, a block at a time.

    A column of ones is the first, so that columns are centred to all their digits. They
    are scaled before, so that squares do not leave the range of float64.
    """
    X, y, weight = rows = canonical(rows)
    columns = [ColumnMoments.from_columns(each, weight) for each in (X, y)]
    mean = np.concatenate([each.mean for each in columns])
    spread = np.concatenate([each.spread for each in columns])
    scale = np.where(varies(mean, spread), spread, np.inf)
    if is_tensor(X):
        triangle = tensors.triangular_factor(X, y, weight, mean, scale)
    else:
        triangle = _triangular_factor(rows, mean, scale)
    total = float(triangle[0, 0] ** 2)
    shift = triangle[0, 1:] / triangle[0, 0]
    scale[np.isinf(scale)] = 0
    return Root(total, mean + scale * shift, triangle[1:, 1:] * scale)


def _triangular_factor(rows: Rows, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return that of a column of ones and of ``([X, y] - mean) / scale``."""
    X, y, weight = rows
    triangle = np.zeros((0, 1 + len(mean)))
    for block in row_blocks(rows, len(y)):
        dense = X[block].toarray() if issparse(X) else X[block]
        Z = np.ones((len(dense), 1 + len(mean)))
        Z[:, 1 : 1 + dense.shape[1]] = dense
        Z[:, 1 + dense.shape[1] :] = y[block]
        Z[:, 1:] -= mean
        Z[:, 1:] /= scale
        if weight is not None:
            Z *= np.sqrt(weight[block])[:, None]
        triangle = _triangular(np.vstack([triangle, Z]))
    return triangle


def _triangle_of_scatter(moments: Moments, *, centered: bool, l2: float) -> Triangle:
    """Return the triangle by a Cholesky factor."""
    d, weight = moments.n_features, moments.weight
    covariance = moments.scatter / weight
    if not centered:
        covariance = covariance + np.outer(moments.mean, moments.mean)
    variances = covariance.diagonal()[:d]
    if centered:
        counts = varies(moments.mean[:d], np.sqrt(np.maximum(variances, 0)))
    else:
        counts = variances > 0
    XX = covariance[:d, :d]
    if not counts.all():
        XX = np.where(counts[:, None] & counts, XX, 0.0)
    XX = XX + np.diag(l2 * counts) if l2 else XX
    U, pivots, rank, scale = pivoted_factor(XX)
    upper, order = np.triu(U[:rank]), pivots[:rank]
    Xy = covariance[order, d:] / scale[order, None]
    along = solve_triangular(upper[:, :rank], Xy, trans="T", check_finite=False)
    rest = covariance[d:, d:] - along.T @ along
    # What rounding leaves of targets that are met is no residual.
    met = rest.diagonal() <= 4 * len(covariance) * _EPS * covariance.diagonal()[d:]
    rest[met] = rest[:, met] = 0
    return Triangle(upper, pivots, scale, along, factor_of(rest))


def _triangle_of_root(
    root: Root, n_features: int, *, centered: bool, l2: float, least: float
) -> Triangle:
    """Return the triangle by orthogonal transformations, and a rank to be counted."""
    d, columns = n_features, root.columns
    if not centered:
        columns = np.vstack([np.sqrt(root.weight) * root.mean, columns])
    columns = columns / np.sqrt(root.weight)
    if l2:
        ridge = np.zeros((d, columns.shape[1]))
        ridge[np.diag_indices(d)] = np.sqrt(l2) * columns[:, :d].any(axis=0)
        columns = np.vstack([columns, ridge])
    if not np.isfinite(columns).all():
        raise ValueError(
            "The products of the values in X and y with the weights of the rows "
            "overflow float64. Rescale the columns, or the weights."
        )
    X, y = columns[:, :d], columns[:, d:]
    peak = np.abs(X).max(axis=0, initial=0.0)
    unit = np.where(peak > 0, peak, 1)
    scale = peak * np.linalg.norm(X / unit, axis=0)
    with in_one_thread(d):
        Q, R, pivots = qr(
            X / np.where(scale > 0, scale, 1), mode="economic", pivoting=True
        )
        diagonal = np.abs(R.diagonal())
        rank = int(np.count_nonzero(diagonal > least * diagonal.max(initial=0.0)))
        along = Q[:, :rank].T @ y
        rest = _triangular(y - Q[:, :rank] @ along)
    return Triangle(R[:rank], pivots, scale, along, rest)


def _triangular(columns: np.ndarray) -> np.ndarray:
    """Return the triangular factor of columns."""
    return np.asarray(np.linalg.qr(columns, mode="r"))


def white_coordinates(
    triangle: Triangle,
    X_offset: np.ndarray,
    y_offset: np.ndarray,
    column_sizes: np.ndarray,
    *,
    l2: float = 0.0,
) -> WhiteCoordinates:
    """Return the coordinates of a triangle.

    Parameters
    ----------
    triangle : Triangle
        Of X less its offset.
    X_offset, y_offset : ndarray of shape (n_features,) and (n_targets,)
        What to subtract.
    column_sizes : ndarray of shape (n_features, 1)
        Root mean squares of the columns of X.
    l2 : float, default=0.0
        Weight of the squares of the user's coefficients where the objective adds them,
        and not the data: the triangle has them in. The coordinates are then turned so
        that the squares do not mix there either.
    """
    upper, pivots, scale = triangle.upper, triangle.pivots, triangle.scale
    rank, d = upper.shape
    matrix, inverse = np.zeros((d, d)), np.zeros((d, d))
    coef_scale = np.full((d, 1), np.inf)
    with in_one_thread(d):
        inverse[:rank, pivots] = upper * scale[pivots]
        back = np.zeros((d, rank))
        if rank == d:
            back = dtrtri(upper)[0]
        elif rank:  # the shortest vectors: those in the span of the rows of `upper`
            basis, triangle_of_basis = qr(upper.T, mode="economic")
            back = basis @ dtrtri(triangle_of_basis)[0].T
        unit = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
        matrix[pivots, :rank] = back * unit[pivots, None]
        if l2:
            shares, turn = eigh(l2 * matrix.T @ matrix)
            matrix, inverse = matrix @ turn, turn.T @ inverse
            shares = np.clip(shares, 0, 1)[:, None]
            np.divide(np.sqrt(l2), np.sqrt(shares), out=coef_scale, where=shares > 0)
    condition = triangle.least_share**-0.5
    return WhiteCoordinates(
        X_offset,
        y_offset,
        matrix,
        inverse,
        coef_scale,
        column_sizes,
        triangle.resolved,
        rank,
        condition,
    )


def white_rows(triangle: Triangle, *, centered: bool) -> Rows:
    """Return a few rows of the same squared error, in the white coordinates.

    Their mean is zero if `centered`.
    """
    rank, d = triangle.upper.shape
    n_targets = triangle.along.shape[1]
    root = np.zeros((rank + len(triangle.rest), d + n_targets))
    root[np.arange(rank), np.arange(rank)] = 1
    root[:rank, d:] = triangle.along
    root[rank:, d:] = triangle.rest
    few = condensed_rows(root) if centered else np.sqrt(len(root)) * root
    return Rows(few[:, :d], few[:, d:])
