"""The rows of a descent, as it reads them: in memory, on demand, or where they lie."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial, reduce
from itertools import chain
from typing import TypeVar

import numpy as np
from scipy.sparse import issparse

from skgd._data.coordinates import RowCoordinates
from skgd._data.device import in_numpy
from skgd._data.moments import ColumnMoments
from skgd._data.partitions import Kept
from skgd._data.rows import (
    Rows,
    flatnonzero,
    highest_and_lowest,
    row_blocks,
    sum_over,
    total_of,
    without_unit_weights,
    working_dtype,
)
from skgd._data.tensors import cast, dtype_of
from skgd._typing import Array

T = TypeVar("T")

#: y, (n_rows, n_targets), and the weights, (n_rows,) or None.
Targets = tuple[Array, Array | None]

#: Selects rows: by their numbers, or as they follow each other.
Index = Array | slice


class RowSource(ABC):
    """Rows in the coordinates and the dtype of the descent: NumPy's, or tensors.

    Attributes
    ----------
    n_features : int
        Number of columns of X.
    dtype : numpy.dtype
        That of the rows.
    """

    n_features: int
    dtype: np.dtype

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def each(self, function: Callable[[Rows], T]) -> Iterable[T]:
        """Return what a function makes of each block of rows, in order."""

    @abstractmethod
    def sample(self, n_rows: int) -> RowSource:
        """Return so many rows, drawn at random, or more."""

    @abstractmethod
    def sum(
        self, term: Callable[[Rows], tuple[np.ndarray, ...]]
    ) -> tuple[np.ndarray, ...]:
        """Return the sums of what a function returns for each block of rows."""

    def feature_moments(self) -> ColumnMoments:
        """Return the means and spreads of the columns of X."""
        return reduce(ColumnMoments.merge, self.each(partial(_moments, column=0)))

    def target_moments(self) -> ColumnMoments:
        """Return the means and spreads of the columns of y."""
        return reduce(ColumnMoments.merge, self.each(partial(_moments, column=1)))


class RowsHere(RowSource):
    """Rows that this process reads. Iterating yields all of them, in blocks.

    Attributes
    ----------
    in_memory : bool
        Whether reading them again costs nothing but the reading.
    """

    in_memory: bool

    @abstractmethod
    def __iter__(self) -> Iterator[Rows]: ...

    @abstractmethod
    def __getitem__(self, index: Index) -> Rows: ...

    @abstractmethod
    def targets(self) -> Targets:
        """Return y and the weights, without reading X."""

    def each(self, function: Callable[[Rows], T]) -> Iterable[T]:
        """Return what a function makes of each block of rows, in order."""
        return map(function, self)

    def sum(
        self, term: Callable[[Rows], tuple[np.ndarray, ...]]
    ) -> tuple[np.ndarray, ...]:
        """Return the sums of what a function returns for each block of rows."""
        return in_numpy(sum_over(self, term))

    def sample(self, n_rows: int) -> RowSource:
        """Return so many rows, drawn at random."""
        if n_rows >= len(self):
            return RowsInMemory(self[slice(len(self))])
        chosen = np.random.default_rng(0).choice(len(self), n_rows, replace=False)
        return RowsInMemory(self[np.sort(chosen)])

    def target_moments(self) -> ColumnMoments:
        """Return the means and spreads of the columns of y, without reading X."""
        return ColumnMoments.from_columns(*self.targets())


class RowsInMemory(RowsHere):
    """Rows that are there already.

    Parameters
    ----------
    rows : Rows
        The rows.
    """

    in_memory = True

    def __init__(self, rows: Rows) -> None:
        self.all = rows
        self.n_features = rows.n_features
        self.dtype = dtype_of(rows.y)

    def __len__(self) -> int:
        return len(self.all.y)

    def __iter__(self) -> Iterator[Rows]:
        if not self.all.are_tensors:
            yield self.all
            return
        for block in row_blocks(self.all, len(self)):  # functions may copy tensors
            yield self.all.at(block)

    def __getitem__(self, index: Index) -> Rows:
        return self.all.at(index)

    def targets(self) -> Targets:
        """Return y and the weights."""
        return self.all.y, self.all.weight


class RowsOnDemand(RowsHere):
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
        self._index: Array | None = None
        if rows.weight is not None and not rows.weight.all():
            self._index = flatnonzero(rows.weight)
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
        self.is_sparse, self.are_tensors = issparse(rows.X), rows.are_tensors
        self.n_features = rows.n_features
        if rows.weight is not None:
            rows = rows._replace(weight=cast(rows.weight, self.dtype))
        self._rows = rows
        self._prepare: Callable[[Rows], Rows] = coordinates.rows
        if rows.are_tensors:
            some = rows.at(slice(1)).astype(self._read_dtype)
            self._prepare = coordinates.of_tensors(some)

    def __len__(self) -> int:
        return len(self._rows.y) if self._index is None else len(self._index)

    @cached_property
    def as_passed(self) -> Rows | None:
        """The rows, where they need no preparation, and are dense."""
        trivial = self._index is None and not self._coordinates.changes_rows
        if trivial and not self.is_sparse and dtype_of(self._rows.X) == self.dtype:
            return self._rows
        return None

    def __getitem__(self, index: Index) -> Rows:
        if self.as_passed is not None:
            return self.as_passed.at(index)
        index = index if self._index is None else self._index[index]
        rows = self._rows.at(index).astype(self._read_dtype)
        return self._prepare(rows).astype(self.dtype)

    def __iter__(self) -> Iterator[Rows]:
        for block in row_blocks(self._rows, len(self)):
            yield self[block]

    def targets(self) -> Targets:
        """Return y and the weights, without reading X."""
        y, weight = self._rows.y, self._rows.weight
        if self._index is not None:
            y = y[self._index]
            weight = None if weight is None else weight[self._index]
        y = self._coordinates.targets(cast(y, self._read_dtype))
        return cast(y, self.dtype), weight


class RowsInPartitions(RowSource):
    """Prepared rows of Dask collections, where they lie.

    Parameters
    ----------
    rows : Kept
        The rows, in the coordinates of the descent.
    n_rows : int
        How many there are.
    dtype : numpy.dtype
        That of the rows.
    """

    def __init__(self, rows: Kept, n_rows: int, dtype: np.dtype) -> None:
        self.kept, self._n_rows, self.dtype = rows, n_rows, dtype
        self.n_features = rows.n_features

    def __len__(self) -> int:
        return self._n_rows

    def each(self, function: Callable[[Rows], T]) -> Iterable[T]:
        """Return what a function makes of each partition, in order."""
        return self.kept.reduce(
            partial(_listed, function), _joined_lists, name="describe"
        )

    def sum(
        self, term: Callable[[Rows], tuple[np.ndarray, ...]]
    ) -> tuple[np.ndarray, ...]:
        """Return the sums of what a function returns for each partition."""
        return self.kept.reduce(term, total_of, name="sum")

    def sample(self, n_rows: int) -> RowSource:
        """Return all rows: none leave where they lie."""
        return self


def _moments(rows: Rows, *, column: int) -> ColumnMoments:
    """Return the moments of the columns of X, or those of y."""
    return ColumnMoments.from_columns(rows[column], rows.weight)


def _listed(function: Callable[[Rows], T], rows: Rows) -> list[T]:
    """Return what a function makes of rows, in a list."""
    return [function(rows)]


def _joined_lists(lists: list[list[T]]) -> list[T]:
    """Return all that is in several lists."""
    return list(chain.from_iterable(lists))


def _ends(rows: Rows, index: Array | None) -> Rows:
    """Return two rows with the largest and the smallest value of each column."""
    if index is None:
        return Rows(*map(highest_and_lowest, rows[:2]))
    ends = []
    for block in row_blocks(rows, len(index)):  # gathered a few at a time
        ends.append([highest_and_lowest(each) for each in rows.at(index[block])[:2]])
    X, y = (np.concatenate(each) for each in zip(*ends, strict=True))
    return Rows(highest_and_lowest(X), highest_and_lowest(y))
