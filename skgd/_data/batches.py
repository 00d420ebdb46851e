"""What an epoch reads: all rows at once, or in a fresh order a batch at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
from numpy.random import RandomState
from scipy.sparse import issparse

from skgd._data.coordinates import RowCoordinates
from skgd._data.device import Device
from skgd._data.rows import (
    Rows,
    highest_and_lowest,
    row_blocks,
    slices,
    sum_over,
    without_unit_weights,
    working_dtype,
)
from skgd._typing import Array

#: y, (n_rows, n_targets), and the weights, (n_rows,) or None.
Targets = tuple[np.ndarray, np.ndarray | None]

#: Selects rows: by their numbers, or as they follow each other.
Index = np.ndarray | slice


class FullBatch:
    """All rows, as one batch.

    Parameters
    ----------
    rows : Rows
        NumPy rows in the coordinates and the dtype of the descent.
    device : Device
        Where the descent takes place.
    n_samples : int or None, default=None
        How many rows these stand for, where they are condensed.

    Attributes
    ----------
    whole : bool
        Whether a batch is all that an epoch reads.
    parts : tuple of Rows
        The rows, where the descent takes place. An evaluation is a sum over the parts.
    rows : RowsInMemory
        All rows in NumPy, for what is asked of them before the descent or after it.
    """

    whole = True

    def __init__(
        self, rows: Rows, device: Device, n_samples: int | None = None
    ) -> None:
        self.rows = RowsInMemory(rows)
        self.n_rows = len(rows.y)
        self.n_samples = self.n_rows if n_samples is None else n_samples
        self.dtype = rows.y.dtype
        self.parts = (device.send_rows(rows),)

    def __iter__(self) -> Iterator[Rows]:
        yield from self.parts


class MiniBatches:
    """Rows a batch at a time; each iteration is an epoch in a fresh order.

    A batch is gathered from the rows where they lie, brought to the coordinates of the
    descent, cast and sent to the device, so that there is never a copy of X. But torch
    gathers dense rows itself where they need no preparation; and to a device with
    memory of its own they are sent once, prepared.

    Parameters
    ----------
    rows : RowsOnDemand
        What to read.
    device : Device
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
        rows: RowsOnDemand,
        device: Device,
        batch_size: int,
        shuffle: RandomState | None,
    ) -> None:
        self.rows = rows
        self.n_samples = len(rows)
        self.batch_size = batch_size
        self.dtype = rows.dtype
        self._device = device
        self._shuffle = shuffle
        self._tensors: Rows | None = None
        if device.has_memory and not rows.is_sparse:
            self._tensors = device.send_parts(rows)
        elif device.torch_device is not None and rows.as_passed is not None:
            self._tensors = device.send_rows(rows.as_passed)

    def __iter__(self) -> Iterator[Rows]:
        order: Array | None = None
        if self._shuffle is not None:
            order = self._shuffle.permutation(self.n_samples)
            if self._tensors:
                order = self._device.send(order)
        for batch in slices(self.n_samples, self.batch_size):
            yield self._gathered(batch if order is None else order[batch])

    def _gathered(self, index: Array) -> Rows:
        """Return a batch, where the descent takes place."""
        if self._tensors is None:
            return self._device.send_rows(self.rows[index])
        if isinstance(index, slice):
            return self._tensors.at(index)
        return Rows(
            *(a if a is None else a.index_select(0, index) for a in self._tensors)
        )


class RowSource(ABC):
    """Rows in the coordinates and the dtype of the descent, in NumPy.

    Iterating yields all of them, in blocks.

    Attributes
    ----------
    n_features : int
        Number of columns of X.
    in_memory : bool
        Whether reading them again costs nothing but the reading.
    """

    n_features: int
    in_memory: bool

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __iter__(self) -> Iterator[Rows]: ...

    @abstractmethod
    def __getitem__(self, index: Index) -> Rows: ...

    @abstractmethod
    def targets(self) -> Targets:
        """Return y and the weights, without reading X."""

    def sum(
        self, term: Callable[[Rows], tuple[np.ndarray, ...]]
    ) -> tuple[np.ndarray, ...]:
        """Return the sums of what a function returns for each block of rows."""
        return sum_over(self, term)


class RowsInMemory(RowSource):
    """Rows that are there already.

    Parameters
    ----------
    rows : Rows
        NumPy rows.
    """

    in_memory = True

    def __init__(self, rows: Rows) -> None:
        self.all = rows
        self.n_features = rows.n_features

    def __len__(self) -> int:
        return len(self.all.y)

    def __iter__(self) -> Iterator[Rows]:
        yield self.all

    def __getitem__(self, index: Index) -> Rows:
        return self.all.at(index)

    def targets(self) -> Targets:
        """Return y and the weights."""
        return self.all.y, self.all.weight


class RowsOnDemand(RowSource):
    """Rows that are brought to the descent's coordinates and dtype when they are read.

    Those of weight zero are left out. Indexing returns the selected rows.

    Parameters
    ----------
    rows : Rows
        Rows as they are.
    coordinates : RowCoordinates
        Those of the descent.
    dtype : numpy.dtype
        The dtype asked for. float32 becomes float64 where squares leave its range.
    """

    in_memory = False

    def __init__(
        self, rows: Rows, coordinates: RowCoordinates, dtype: np.dtype
    ) -> None:
        self._index: np.ndarray | None = None
        if rows.weight is not None and not rows.weight.all():
            self._index = np.flatnonzero(rows.weight)
        rows = without_unit_weights(rows)
        self._coordinates = coordinates
        self._read_dtype = self.dtype = dtype
        if dtype == np.float32 and self._index is None and not coordinates.changes_rows:
            self._read_dtype = self.dtype = working_dtype(rows, dtype)
        elif dtype == np.float32:
            ends = _ends(rows, self._index)
            self._read_dtype = working_dtype(ends, dtype)
            with np.errstate(over="ignore"):
                ends = coordinates.rows(ends.astype(self._read_dtype))
            self.dtype = working_dtype(ends, dtype)
        self.is_sparse = issparse(rows.X)
        self.n_features = rows.n_features
        if rows.weight is not None:
            rows = rows._replace(weight=rows.weight.astype(self.dtype))
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows.y) if self._index is None else len(self._index)

    @cached_property
    def as_passed(self) -> Rows | None:
        """The rows, where they need no preparation, and are dense."""
        trivial = self._index is None and not self._coordinates.changes_rows
        if trivial and not self.is_sparse and self._rows.X.dtype == self.dtype:
            return self._rows
        return None

    def __getitem__(self, index: Index) -> Rows:
        if self.as_passed is not None:
            return self.as_passed.at(index)
        index = index if self._index is None else self._index[index]
        rows = self._rows.at(index).astype(self._read_dtype)
        return self._coordinates.rows(rows).astype(self.dtype)

    def __iter__(self) -> Iterator[Rows]:
        for block in row_blocks(self._rows, len(self)):
            yield self[block]

    def targets(self) -> Targets:
        """Return y and the weights, without reading X."""
        y, weight = self._rows.y, self._rows.weight
        if self._index is not None:
            y = y[self._index]
            weight = None if weight is None else weight[self._index]
        y = self._coordinates.targets(y.astype(self._read_dtype, copy=False))
        return y.astype(self.dtype, copy=False), weight


def _ends(rows: Rows, index: np.ndarray | None) -> Rows:
    """Return two rows with the largest and the smallest value of each column."""
    if index is None:
        return Rows(*map(highest_and_lowest, rows[:2]))
    ends = []
    for block in row_blocks(rows, len(index)):  # gathered a few at a time
        ends.append([highest_and_lowest(each) for each in rows.at(index[block])[:2]])
    X, y = (np.concatenate(each) for each in zip(*ends, strict=True))
    return Rows(highest_and_lowest(X), highest_and_lowest(y))
