"""What an epoch reads: all rows at once, or in a fresh order a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import RandomState
from scipy.sparse import issparse
from sklearn.utils import gen_batches

from skgd._data.arrays import Placement
from skgd._data.coordinates import Coordinates
from skgd._data.rows import (
    Rows,
    highest_and_lowest,
    row_blocks,
    without_unit_weights,
    working_dtype,
)

#: y, (n_rows, n_targets), and the weights, (n_rows,) or None.
Targets = tuple[np.ndarray, np.ndarray | None]


class FullBatch:
    """All rows, as one batch.

    Parameters
    ----------
    rows : Rows
        NumPy rows in the coordinates and the dtype of the descent.
    placement : Placement
        Where the descent takes place.
    n_samples : int or None, default=None
        How many rows these stand for, where they are condensed.

    Attributes
    ----------
    whole : bool
        Whether a batch is all that an epoch reads.
    placed : Rows
        The rows, where the descent takes place.
    rows : ReadyRows
        All rows in NumPy, for what is asked of them before the descent or after it.
    """

    whole = True

    def __init__(
        self, rows: Rows, placement: Placement, n_samples: int | None = None
    ) -> None:
        self.rows = ReadyRows(rows)
        self.n_samples = len(rows.y) if n_samples is None else n_samples
        self.batch_size = self.n_samples
        self.dtype = rows.y.dtype
        self.placed = placement.put_rows(rows)


class MiniBatches:
    """Rows a batch at a time; each iteration is an epoch in a fresh order.

    A batch is gathered from the rows where they lie, brought to the coordinates of the
    descent, cast and placed, so that there is never a copy of X. But torch gathers
    dense rows itself where they need no preparation; and to a device with memory of its
    own they are sent once, ready.

    Parameters
    ----------
    rows : LazyRows
        What to read.
    placement : Placement
        Where the descent takes place.
    batch_size : int
        Rows a batch.
    shuffle : RandomState or None
        Draws the order of an epoch. None: as the rows lie.

    Attributes
    ----------
    whole : bool
        Whether a batch is all that an epoch reads.
    """

    whole = False

    def __init__(
        self,
        rows: LazyRows,
        placement: Placement,
        batch_size: int,
        shuffle: RandomState | None,
    ) -> None:
        self.rows = rows
        self.n_samples = len(rows)
        self.batch_size = batch_size
        self.dtype = rows.dtype
        self._placement = placement
        self._shuffle = shuffle
        self._tensors: Rows | None = None
        if placement.is_elsewhere and not rows.is_sparse:
            self._tensors = placement.put_parts(rows)
        elif placement.device is not None and rows.as_passed is not None:
            self._tensors = placement.put_rows(rows.as_passed)

    def __iter__(self) -> Iterator[Rows]:
        read = self._gathered_by_torch if self._tensors else self._gathered
        order = None
        if self._shuffle is not None:
            order = self._shuffle.permutation(self.n_samples)
            if self._tensors:
                order = self._placement.put(order)
        for batch in gen_batches(self.n_samples, self.batch_size):
            yield read(batch if order is None else order[batch])

    def _gathered(self, index: Any) -> Rows:
        return self._placement.put_rows(self.rows[index])

    def _gathered_by_torch(self, index: Any) -> Rows:
        assert self._tensors is not None
        if isinstance(index, slice):
            return Rows(*(a if a is None else a[index] for a in self._tensors))
        return Rows(
            *(a if a is None else a.index_select(0, index) for a in self._tensors)
        )


class ReadyRows:
    """Rows in the coordinates and the dtype of the descent.

    Parameters
    ----------
    rows : Rows
        NumPy rows.
    """

    #: Whether reading them again costs nothing but the reading.
    ready = True

    def __init__(self, rows: Rows) -> None:
        self.all = rows

    def __len__(self) -> int:
        return len(self.all.y)

    def __iter__(self) -> Iterator[Rows]:
        yield self.all

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.all.n_features

    def targets(self) -> Targets:
        """Give y and the weights."""
        return self.all.y, self.all.weight


class LazyRows:
    """Rows that are brought to the descent's coordinates and dtype when they are read.

    Those of weight zero are left out. Indexing gives those rows, in NumPy; iterating
    gives all of them, in blocks.

    Parameters
    ----------
    rows : Rows
        Rows as they are.
    coordinates : Coordinates
        Those of the descent.
    dtype : numpy.dtype
        The dtype asked for. float32 becomes float64 where squares leave its range.
    """

    ready = False

    def __init__(self, rows: Rows, coordinates: Coordinates, dtype: np.dtype) -> None:
        self._index: np.ndarray | None = None
        if rows.weight is not None and not rows.weight.all():
            self._index = np.flatnonzero(rows.weight)
        self._rows = without_unit_weights(rows)
        self._coordinates = coordinates
        self._read_dtype = self.dtype = np.dtype(np.float64)
        if dtype == np.float32:
            self._read_dtype, self.dtype = self._working_dtypes(dtype)
        self.is_sparse = issparse(rows.X)
        self.n_features = rows.n_features
        if self._rows.weight is not None:
            weight = self._rows.weight.astype(self.dtype)
            self._rows = self._rows._replace(weight=weight)

    def __len__(self) -> int:
        return len(self._rows.y) if self._index is None else len(self._index)

    @cached_property
    def as_passed(self) -> Rows | None:
        """The rows, where they need no preparation, and are dense."""
        trivial = self._index is None and not self._coordinates.changes_rows
        if trivial and not self.is_sparse and self._rows.X.dtype == self.dtype:
            return self._rows
        return None

    def __getitem__(self, index: Any) -> Rows:
        if self.as_passed is not None:
            return self.as_passed.at(index)
        rows = self._as_they_are(index).astype(self._read_dtype)
        return self._coordinates.rows(rows).astype(self.dtype)

    def __iter__(self) -> Iterator[Rows]:
        for block in row_blocks(self._rows, len(self)):
            yield self[block]

    def targets(self) -> Targets:
        """Give y and the weights, without reading X."""
        y, weight = self._rows.y, self._rows.weight
        if self._index is not None:
            y = y[self._index]
            weight = None if weight is None else weight[self._index]
        y = self._coordinates.targets(y.astype(self._read_dtype, copy=False))
        return y.astype(self.dtype, copy=False), weight

    def _as_they_are(self, index: Any) -> Rows:
        return self._rows.at(index if self._index is None else self._index[index])

    def _working_dtypes(self, dtype: np.dtype) -> tuple[np.dtype, np.dtype]:
        """Give the dtype for rows as they are, and for those in the coordinates."""
        if self._index is None and not self._coordinates.changes_rows:
            same = working_dtype(self._rows, dtype)
            return same, same
        ends = self._extremes()
        read_dtype = working_dtype(ends, dtype)
        ends = self._coordinates.rows(ends.astype(read_dtype))
        return read_dtype, working_dtype(ends, dtype)

    def _extremes(self) -> Rows:
        """Give two rows that have the largest and the smallest value of each column."""
        blocks = [slice(None)]
        if self._index is not None:  # to be gathered, a few at a time
            blocks = row_blocks(self._rows, len(self))
        ends = [
            [highest_and_lowest(part) for part in self._as_they_are(block)[:2]]
            for block in blocks
        ]
        X, y = (
            highest_and_lowest(np.concatenate(each)) for each in zip(*ends, strict=True)
        )
        return Rows(X, y, None)
