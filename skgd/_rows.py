"""The rows that a descent reads, and what is asked of their columns."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import gen_batches

# Rows are worked on in blocks of so many elements, which stay in the cache from one use
# to the next, or, where there are many columns, up to so many rows: a product of fewer
# is slow. Of large data that is a 32nd part at most.
_BLOCK_ELEMENTS, _BLOCK_ROWS, _BLOCKS = 2**18, 2**13, 32


class Rows(NamedTuple):
    """Validated rows, as NumPy arrays or as tensors of one device and dtype.

    `X` is (n_rows, n_features); `y` is (n_rows, n_targets), also for one target;
    `weight` is (n_rows,) and averages one, or None where all rows weigh the same.
    """

    X: Any
    y: Any
    weight: Any

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.X.shape[1]

    @property
    def n_targets(self) -> int:
        """Number of columns of y."""
        return self.y.shape[1]

    def astype(self, dtype: np.dtype) -> Rows:
        """Cast NumPy rows, without a copy where they have the dtype."""
        return Rows(*(a if a is None else a.astype(dtype, copy=False) for a in self))


def blocks(n_rows: int, n_columns: int) -> list[slice]:
    """Cut rows of so many columns, all told, into blocks; the last may be shorter."""
    many_columns = min(_BLOCK_ROWS, n_rows // _BLOCKS)
    block_rows = max(_BLOCK_ELEMENTS // n_columns, many_columns, 1)
    return list(gen_batches(n_rows, block_rows))


def means(columns: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Weighted mean of each column, in float64.

    Of the distances from the first row, so that the mean of equal values is that value.
    """
    first = columns[0].astype(np.float64)
    total = np.zeros(columns.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for rows in blocks(*columns.shape):
            distance = columns[rows] - first
            total += distance.sum(axis=0) if weight is None else weight[rows] @ distance
    return first + total / (len(columns) if weight is None else weight.sum())


def root_mean_squares(
    columns: np.ndarray, weight: np.ndarray | None, about: np.ndarray | None = None
) -> np.ndarray:
    """Weighted root mean square of each column's distance from `about`, or from 0.

    In float64, block by block, where squares of float32 neither overflow nor underflow;
    columns whose squares do so in float64 are scaled first.
    """
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
            distance = columns[:, j] - about[j]
            peak = np.abs(distance).max()
            if peak > 0:
                mean_square = np.average((distance / peak) ** 2, weights=weight)
                norms[j] = peak * np.sqrt(mean_square)
    return norms
