"""The rows that a descent reads, and what is asked of their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import add
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from scipy.sparse import csc_array, csr_array, issparse, vstack

from skgd._data import tensors
from skgd._data.shifted import ShiftedMatrix
from skgd._data.tensors import beside, cast, is_tensor, sent
from skgd._typing import Array, Matrix, Parameters

if TYPE_CHECKING:
    import torch

# Rows are worked on in blocks of so many elements, which stay in the cache from one use
# to the next, or, where there are many columns, up to so many rows: a product of fewer
# is slow. Of large data that is a 32nd part at most.
_BLOCK_ELEMENTS, _BLOCK_ROWS, _BLOCKS = 2**18, 2**13, 32


class RowsAnywhere(Protocol):
    """Rows, here or where another process has them."""

    @property
    def in_memory(self) -> bool:
        """Whether reading them again costs nothing but the reading."""

    @property
    def n_rows(self) -> int:
        """Number of rows, of which some may have no weight."""

    @property
    def n_features(self) -> int:
        """Number of columns of X."""

    @property
    def n_targets(self) -> int:
        """Number of columns of y."""

    @property
    def device(self) -> torch.device | None:
        """Where they lie, if they are tensors."""


class Rows(NamedTuple):
    """Validated rows, as NumPy arrays or as tensors of one device.

    All arrays that a descent reads have the same dtype.

    Parameters
    ----------
    X : array of shape (n_rows, n_features)
        Features. They may be a sparse array of SciPy, or an object that works in ``@``
        and ``.T`` as an array does.
    y : array of shape (n_rows, n_targets)
        Targets; two-dimensional also for one target.
    weight : array of shape (n_rows,) or None, default=None
        Weights, which average one over the data. None: all rows weigh the same.

    See Also
    --------
    GradientStrategy.evaluate : Gets them.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.strategies import Rows
    >>> X = np.array([[1.0], [2.0], [4.0]])
    >>> rows = Rows(X=X, y=2 * X)
    >>> rows.n_rows, rows.n_features, rows.n_targets
    (3, 1, 1)
    """

    X: Matrix
    y: Array
    weight: Array | None = None

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.X.shape[1]

    @property
    def n_targets(self) -> int:
        """Number of columns of y."""
        return self.y.shape[1]

    @property
    def in_memory(self) -> bool:
        """True: these rows are in memory, and reading them again is cheap."""
        return True

    @property
    def n_rows(self) -> int:
        """Number of rows, including those of weight zero."""
        return len(self.y)

    @property
    def n_with_weight(self) -> int:
        """Number of rows whose weight is not zero."""
        if self.weight is None:
            return len(self.y)
        if is_tensor(self.weight):
            return len(flatnonzero(self.weight))
        return int(np.count_nonzero(self.weight))

    @property
    def are_tensors(self) -> bool:
        """Whether the arrays are torch tensors."""
        return is_tensor(self.X)

    @property
    def device(self) -> torch.device | None:
        """Device of the tensors; None for NumPy arrays."""
        return self.X.device if is_tensor(self.X) else None

    def astype(self, dtype: np.dtype) -> Rows:
        """Return the rows in another dtype; arrays that have it are not copied.

        Parameters
        ----------
        dtype : numpy.dtype
            The dtype, also for tensors.

        Returns
        -------
        rows : Rows
            The rows in that dtype.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import Rows
        >>> rows = Rows(X=np.array([[1.0], [2.0]]), y=np.array([[2.0], [4.0]]))
        >>> rows.astype(np.dtype(np.float32)).X.dtype
        dtype('float32')
        """
        return Rows(*(a if a is None else cast(a, dtype) for a in self))

    def at(self, index: Array | slice) -> Rows:
        """Return some of the rows.

        Parameters
        ----------
        index : array of int, or slice
            Which rows to return.

        Returns
        -------
        rows : Rows
            The rows; views of the arrays if `index` is a slice.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import Rows
        >>> X = np.array([[1.0], [2.0], [4.0]])
        >>> rows = Rows(X=X, y=2 * X)
        >>> rows.at(np.array([2, 0])).y.ravel()
        array([8., 2.])
        """
        if isinstance(index, slice):
            return Rows(*(a if a is None else a[index] for a in self))
        X, y, weight = self
        if is_tensor(X):
            index = sent(index, X.device)
        if weight is not None:
            weight = weight[index]
        return Rows(_gathered(X, index), _gathered(y, index), weight)


def memory_aligned(array: Matrix) -> Matrix:
    """Return numbers that BLAS reads where they lie.

    Those from a file or a network may begin at any byte: NumPy then multiplies them
    itself, in another order and to other last digits.
    """
    if isinstance(array, np.ndarray) and not array.flags.aligned:
        return array.copy(order="K")
    return array


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, one after the other."""
    if len(parts) == 1:
        return parts[0]
    X, y, weights = zip(*parts, strict=True)
    weight = None
    if any(each is not None for each in weights):
        weight = concatenated(
            [ones_of(rows) if rows.weight is None else rows.weight for rows in parts]
        )
    stacked = vstack(X, format="csr") if any(map(issparse, X)) else concatenated(X)
    return Rows(stacked, concatenated(y), weight)


def concatenated(arrays: Sequence[Array]) -> Array:
    """Return arrays, or tensors, one after the other."""
    if is_tensor(arrays[0]):
        import torch

        return torch.cat(list(arrays))
    return np.concatenate(arrays)


def ones_of(rows: Rows) -> Array:
    """Return the weight one of each row."""
    y = rows.y[:, 0]
    return tensors.ones_like(y) if is_tensor(y) else np.ones(len(y))


def rows_beside(rows: Rows, others: Rows) -> Rows:
    """Return rows where others are: in NumPy, or as tensors on their device."""
    if others.are_tensors:
        device = others.X.device
        return Rows(*(a if a is None else sent(a, device) for a in rows))
    if rows.are_tensors:
        return Rows(*(a if a is None else tensors.numpy_of(a) for a in rows))
    return rows


def copied(rows: Rows) -> Rows:
    """Return a copy in NumPy, which stays when the user writes into the arrays."""
    copies = (tensors.numpy_of(a) if is_tensor(a) else a for a in rows)
    return Rows(*(a if a is None else a.copy() for a in copies))


def predicted(X: Matrix, parameters: Parameters) -> Array:
    """Return what a linear model predicts for rows."""
    if is_tensor(X):
        parameters = tuple(beside(parameter, X) for parameter in parameters)
    coef, *intercept = parameters
    return sum(intercept, start=X @ coef)


def sum_over(
    parts: Iterable[Rows], term: Callable[[Rows], tuple[Array, ...]]
) -> tuple[Array, ...]:
    """Return the sums of what a function returns for each part of the rows."""
    return total_of(map(term, parts))


def total_of(terms: Iterable[tuple[Array, ...]]) -> tuple[Array, ...]:
    """Return the sums of arrays that stand in the same place of tuples."""
    sums: tuple[Array, ...] = ()
    for term in terms:
        sums = tuple(map(add, sums, term)) if sums else tuple(term)
    return sums


def blocks(n_rows: int, n_columns: int) -> list[slice]:
    """Return slices that cut rows into blocks; the last may be shorter."""
    many_columns = min(_BLOCK_ROWS, n_rows // _BLOCKS)
    block_rows = max(_BLOCK_ELEMENTS // n_columns, many_columns, 1)
    return slices(n_rows, block_rows)


def slices(n_rows: int, length: int) -> list[slice]:
    """Return slices of this length, the last of which may be shorter.

    sklearn.utils.gen_batches validates its parameters, which takes 25 us.
    """
    return [
        slice(first, min(first + length, n_rows)) for first in range(0, n_rows, length)
    ]


def _gathered(array: Matrix, index: Array) -> Matrix:
    """Return some rows.

    By take, in a fifth of the time of indexing; but where rows do not lie together, it
    would copy all of the array first.
    """
    if is_tensor(array):
        return array.index_select(0, index)
    if isinstance(array, np.ndarray) and array.flags.c_contiguous:
        return array.take(index, axis=0)
    return array[index]


def row_blocks(rows: Rows, n_rows: int) -> list[slice]:
    """Return blocks for that many rows like these; sparse ones by what they store."""
    if is_tensor(rows.X):
        return tensors.blocks(rows.X[:n_rows])
    n_columns = rows.n_features + rows.n_targets + 1
    if issparse(rows.X):
        n_columns = rows.X.nnz // rows.X.shape[0] + rows.n_targets + 1
    return blocks(n_rows, n_columns)


def means(columns: Matrix, weight: Array | None) -> np.ndarray:
    """Return the weighted mean of each column, in float64.

    Of the distances from the first row that has a weight, so that the mean of equal
    values is that value; sparse columns are summed as they are.
    """
    if is_tensor(columns):
        return tensors.means(columns, weight)
    if issparse(columns):
        return _sparse_means(columns, weight)
    first = columns[0 if weight is None else np.flatnonzero(weight)[0]]
    first = first.astype(np.float64)
    total = np.zeros(columns.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for rows in blocks(*columns.shape):
            distance = columns[rows] - first
            total += distance.sum(axis=0) if weight is None else weight[rows] @ distance
    return first + total / (len(columns) if weight is None else weight.sum())


def root_mean_squares(
    columns: Matrix, weight: Array | None, about: np.ndarray | None = None
) -> np.ndarray:
    """Return the root mean square of each column's distance from `about`, or from 0.

    In float64, block by block, where squares of float32 neither overflow nor underflow;
    columns whose squares do so in float64 are scaled first.
    """
    if is_tensor(columns):
        return tensors.root_mean_squares(columns, weight, about)
    if isinstance(columns, ShiftedMatrix):
        return _sparse_root_mean_squares(columns.matrix, weight, columns.right[0])
    if issparse(columns):
        return _sparse_root_mean_squares(columns, weight, about)
    n_rows, n_columns = columns.shape
    about = np.zeros(n_columns) if about is None else about
    squares = np.zeros(n_columns)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for rows in blocks(*columns.shape):
            distance = columns[rows] - about
            weighted = distance if weight is None else distance * weight[rows, None]
            squares += np.einsum("ij,ij->j", weighted, distance)
        total = n_rows if weight is None else weight.sum(dtype=np.float64)
        norms = np.sqrt(squares / total)
        for j in np.flatnonzero((norms == 0) | ~np.isfinite(norms)):
            distance, counts = columns[:, j] - about[j], weight
            if weight is not None:  # a row of weight zero may be of any size
                distance, counts = distance[weight > 0], weight[weight > 0]
            peak = np.abs(distance).max()
            if peak > 0:
                mean_square = np.average((distance / peak) ** 2, weights=counts)
                norms[j] = peak * np.sqrt(mean_square)
    return norms


def peaks(columns: Matrix) -> np.ndarray:
    """Return the largest absolute value of each column, without a copy of them."""
    highest, lowest = highest_and_lowest(columns)
    return np.maximum(highest, -lowest)


def highest_and_lowest(columns: Matrix) -> np.ndarray:
    """Return the largest and the smallest value of each column, as two rows.

    Of sparse columns, 0 is among the values.
    """
    if is_tensor(columns):
        return tensors.highest_and_lowest(columns)
    if isinstance(columns, ShiftedMatrix):
        return highest_and_lowest(columns.matrix) - columns.right
    if not issparse(columns):
        return np.stack([columns.max(axis=0), columns.min(axis=0)])
    # SciPy's own max(axis=0) copies the matrix.
    extremes = np.zeros((2, columns.shape[1]), columns.dtype)
    for data, column, _ in _entries(columns):
        np.maximum.at(extremes[0], column, data)
        np.minimum.at(extremes[1], column, data)
    return extremes


def divided(X: Matrix, scale: np.ndarray, out: np.ndarray | None = None) -> Matrix:
    """Return columns divided by a number each; sparse ones keep their pattern."""
    if issparse(X):
        data = np.empty(X.nnz, np.result_type(X.dtype, scale))
        first = 0
        for entries, column, _ in _entries(X):
            after = first + len(entries)
            np.divide(entries, scale[column], out=data[first:after])
            first = after
        return type(X)((data, X.indices, X.indptr), X.shape)
    return np.divide(X, scale, out=out)


def _sparse_means(
    columns: csr_array | csc_array, weight: np.ndarray | None
) -> np.ndarray:
    """Return the mean of sparse columns, which of equal values is that value."""
    n_rows, n_columns = columns.shape
    counts = np.ones(n_rows) if weight is None else weight
    mean = counts @ columns / counts.sum()
    if columns.nnz < n_rows:
        return mean
    stored = columns.count_nonzero(axis=0) == n_rows
    if stored.any():
        distances = np.zeros(n_columns)
        for data, column, row in _entries(columns):
            distance = data - mean[column]
            if weight is not None:
                distance *= weight[row()]
            distances += np.bincount(column, distance, n_columns)
        mean[stored] += distances[stored] / counts.sum()
    return mean


def _sparse_root_mean_squares(
    columns: csr_array | csc_array,
    weight: np.ndarray | None,
    about: np.ndarray | None = None,
) -> np.ndarray:
    """Return the same of sparse columns, those of extreme values scaled first."""
    if weight is not None and not weight.all():  # such rows may be of any size
        columns, weight = columns[weight > 0], weight[weight > 0]
    about = np.zeros(columns.shape[1]) if about is None else about.astype(np.float64)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        norms = np.sqrt(_sparse_mean_squares(columns, weight, about))
    extreme = ~((norms > 1e-140) & (norms < 1e140))
    if extreme.any():
        peak = np.maximum(peaks(columns), np.abs(about)).astype(np.float64)
        unit = np.where(peak > 0, peak, 1)
        scaled = divided(columns, unit)
        squares = _sparse_mean_squares(scaled, weight, about / unit)
        norms[extreme] = (peak * np.sqrt(squares))[extreme]
    return norms


def _sparse_mean_squares(
    columns: csr_array | csc_array, weight: np.ndarray | None, about: np.ndarray
) -> np.ndarray:
    """Return the mean square of each column's distance from `about`, in float64."""
    n_rows, n_columns = columns.shape
    squares, stored, shifts = np.zeros(n_columns), np.zeros(n_columns), about.any()
    for data, column, row in _entries(columns):
        distances = data - about[column] if shifts else data.astype(np.float64)
        distances *= distances
        counts = None if weight is None else weight[row()]
        if counts is not None:
            distances *= counts
        squares += np.bincount(column, distances, n_columns)
        if shifts:
            stored += np.bincount(column, counts, n_columns)
    total = float(n_rows if weight is None else weight.sum(dtype=np.float64))
    if shifts:
        squares += np.maximum(total - stored, 0) * about**2
    return squares / total


def _entries(
    X: csr_array | csc_array,
) -> Iterator[tuple[np.ndarray, np.ndarray, Callable[[], np.ndarray]]]:
    """Yield blocks of what is stored: values, columns, and a function for the rows."""
    by_row, n_lines = X.format == "csr", len(X.indptr) - 1
    for block in blocks(n_lines, max(X.nnz // n_lines, 1)):
        entries = slice(X.indptr[block.start], X.indptr[block.stop])
        n_entries = np.diff(X.indptr[block.start : block.stop + 1])
        line = partial(np.repeat, np.arange(block.start, block.stop), n_entries)
        along = X.indices[entries]
        if by_row:
            yield X.data[entries], along, line
        else:
            yield X.data[entries], line(), partial(np.asarray, along)


def averaging_one(sample_weight: Array | None) -> tuple[Array | None, float]:
    """Return weights that average one over the rows that have any.

    Returns
    -------
    weight : array of shape (n_samples,) or None
        The weights over the unit; None where all are equal.
    unit : float
        Average of the weights over the rows that have any.
    """
    if sample_weight is None:
        return None, 1.0
    some = sample_weight[sample_weight > 0]
    if (some == some[0]).all():
        weight = None if len(some) == len(sample_weight) else sample_weight / some[0]
        return weight, float(some[0])
    largest = some.max()
    weight = sample_weight / largest  # so that the sum does not overflow
    average = weight.sum() / len(some)
    return weight / average, float(average * largest)


def without_zero_weights(rows: Rows) -> Rows:
    """Return the rows that have a weight."""
    if rows.weight is None or rows.weight.all():
        return rows
    return without_unit_weights(rows).at(flatnonzero(rows.weight))


def flatnonzero(weight: Array) -> Array:
    """Return the numbers of rows that have a weight."""
    if is_tensor(weight):
        return weight.nonzero()[:, 0]
    return np.flatnonzero(weight)


def squared_norms(X: Matrix) -> Array:
    """Return the square of the norm of each row."""
    if is_tensor(X):
        return tensors.squared_norms(X)
    if not issparse(X):
        return np.einsum("ij,ij->i", X, X)
    squares = csr_array((X.data**2, X.indices, X.indptr), X.shape)
    return squares @ np.ones(X.shape[1], X.dtype)


def column_sums(columns: Array) -> np.ndarray:
    """Return the sum of each column, in float64."""
    if is_tensor(columns):
        return tensors.column_sums(columns)
    return np.ravel(columns.sum(axis=0, dtype=np.float64))


def without_unit_weights(rows: Rows) -> Rows:
    """Return rows without weights where all that have any have the weight one."""
    if rows.weight is not None and (rows.weight[rows.weight > 0] == 1).all():
        return rows._replace(weight=None)
    return rows


def canonical(rows: Rows) -> Rows:
    """Return sparse rows in the one layout that a descent reads."""
    if not issparse(rows.X):
        return rows
    X = csr_array(rows.X)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return rows._replace(X=X)


def laid_out_for_products(rows: Rows) -> Rows:
    """Return sparse rows in the layout whose products are the fastest.

    Either of ``X @ w`` and ``X.T @ r`` reads its longer vector in order then, and finds
    the entries of the shorter one in the cache: for 20,000 x 100,000 with 2,000,000
    entries both together take 6.2 ms in CSC, and 8.5 ms in CSR.
    """
    if not issparse(rows.X) or rows.n_features <= len(rows.y):
        return rows
    return rows._replace(X=csc_array(rows.X))


def in_working_dtype(rows: Rows, dtype: np.dtype) -> Rows:
    """Return rows of the dtype, or of float64 where squares leave its range."""
    return rows.astype(working_dtype(rows, dtype))


def working_dtype(rows: Rows, dtype: np.dtype) -> np.dtype:
    """Return the dtype, or float64 where squares leave the range of float32."""
    if dtype == np.float32 and not (_squares_fit(rows.X) and _squares_fit(rows.y)):
        return np.dtype(np.float64)
    return dtype


def _squares_fit(columns: Matrix) -> bool:
    """Return whether float32 can hold the sum of squares of each column."""
    if not issparse(columns) and (peaks(columns[:1000]) > 1e-15).all():
        return bool(max(columns.max(), -columns.min()) < 1e15)  # in a tenth of the time
    largest = peaks(columns)
    return bool(((largest == 0) | ((largest > 1e-15) & (largest < 1e15))).all())
