"""Rows of Dask collections: read where they lie, a partition at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from operator import add
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from skgd._data.dask_collections import (
    Block,
    Collection,
    Delayed,
    aligned,
    blocks_of,
    checked_features,
    checked_targets,
    checked_weights,
    column_names,
    computed_parts,
    is_collection,
    lengths_of,
    refuse_beside_rows_in_memory,
    sample_of,
    unpacked,
)
from skgd._data.device import plain_arithmetic
from skgd._data.moments import ColumnMoments, Moments, moments_of
from skgd._data.rows import Rows, memory_aligned
from skgd._data.user_input import (
    is_float32,
    naming_columns,
    refuse_nan_and_infinity,
    rows_of_moments,
    validated_rows,
)
from skgd._data.whitening import Root, mean_squares_along, merged_roots, root_of
from skgd._typing import ArrayLike, Matrix
from skgd._warn import warn

T = TypeVar("T")

_SUM_OF_WEIGHTS = (
    "The sum of the weights leaves the range of float64. Multiply all weights by the "
    "same factor first, such that they average one."
)

# Of weights that average less, float64 has not all digits.
_LEAST_UNIT = 1e-304

NO_ROWS = (
    "X has no row with a positive sample weight: all of its partitions are empty, or "
    "have weights of zero."
)

# So many columns are named.
_MOST_NAMED = 20

# So many results are merged by a task.
_MERGED_AT_ONCE = 8


class Partitions:
    """Rows of which each partition lies where Dask has it.

    What is asked of them is a function of the rows of a partition. A task applies it
    where these lie, and others merge what it returns, by a tree, so that nothing
    travels but results. Tasks run where the user has Dask run them: in threads or
    processes, or on the workers of a `distributed.Client`.

    Parameters
    ----------
    blocks : sequence of tuples of tasks
        What is known of each partition: tasks for X, y and the weights; or one for a
        tuple of these.
    read : callable
        Returns the `Rows` of a block; None where no row has a weight. The second
        argument is called with what there is to warn of.
    n_features, n_targets : int
        Number of columns of X and of y.
    columns : sequence of collections, default=()
        X, y and, where there are any, the weights, as the user passed them.
    """

    in_memory = False
    device = None

    def __init__(
        self,
        blocks: Sequence[tuple[Delayed, ...]],
        read: Callable[[Any, Callable[[str], None]], Rows | None],
        n_features: int,
        n_targets: int,
        columns: Sequence[Collection] = (),
    ) -> None:
        self.blocks, self._read = blocks, read
        self.n_features, self.n_targets = n_features, n_targets
        self._columns = columns
        self._counts: Sequence[np.ndarray] | None = None
        self._census: Census | None = None
        self._told: set[str] = set()

    @property
    def n_rows(self) -> int:
        """Number of rows, of which some may have no weight."""
        if self._counts is not None:
            return sum(map(len, self._counts))
        if "have_weight" in vars(self):
            return sum(map(len, self.have_weight))
        return self.census().n_rows

    def count(self) -> int:
        """Return the number of rows, of which some may have no weight; X is not read.

        Unless the lengths of its partitions are not known, and there are no weights.
        """
        return sum(map(len, self.have_weight))

    @cached_property
    def have_weight(self) -> list[np.ndarray]:
        """Which rows of each partition have a weight; X is not read."""
        X, _, *weights = self._columns
        if weights:
            masks = list(computed_parts(_positive, weights[0]))
        else:
            masks = [np.ones(length, bool) for length in lengths_of(X)]
        if not any(mask.any() for mask in masks):
            raise ValueError(NO_ROWS)
        return masks

    def map(
        self, function: Callable[..., Any], *, name: str, each: Iterable[Any] = ()
    ) -> list[Delayed]:
        """Return a task for what a function makes of each partition's rows.

        Parameters
        ----------
        function : callable, or a task that returns one
            Gets rows, and what `each` has for the partition. It is not called where
            there are no rows: the task then returns None.
        name : str
            What the task is called in Dask's own displays.
        each : iterable, default=()
            What differs from partition to partition.
        """
        import dask

        task, token = dask.delayed(_applied, pure=False), uuid4().hex
        counts: Sequence[np.ndarray | None] = [None] * len(self.blocks)
        if self._counts is not None:
            counts = self._counts
        others: list[tuple[Any, ...]] = [(other,) for other in each]
        others = others or [()] * len(self.blocks)
        parts = zip(self.blocks, counts, others, strict=True)
        return [
            task(
                function,
                self._read,
                number,
                count,
                other,
                *block,
                dask_key_name=f"skgd-{name}-{token}-{number}",
            )
            for number, (block, count, other) in enumerate(parts)
        ]

    def reduce(
        self,
        function: Callable[..., T],
        merge: Callable[[list[T]], T],
        *,
        name: str,
        each: Iterable[Any] = (),
    ) -> T:
        """Return what a function makes of all partitions, merged by a tree.

        Parameters
        ----------
        function, name, each
            As for `map`.
        merge : callable
            Returns one result for several, which are in the order of the partitions.

        Raises
        ------
        ValueError
            On bad rows, with the number of their partition; if no rows have a weight.

        Warns
        -----
        UserWarning
            On integers that float64 does not hold.
        """
        import dask

        level, token = self.map(function, name=name, each=each), uuid4().hex
        merged, depth = dask.delayed(_merged, pure=False), 0
        while len(level) > 1 or depth == 0:
            level = [
                merged(
                    merge,
                    level[first : first + _MERGED_AT_ONCE],
                    dask_key_name=f"skgd-merge-{token}-{depth}-{first}",
                )
                for first in range(0, len(level), _MERGED_AT_ONCE)
            ]
            depth += 1
        (result,) = dask.compute(level[0])
        if result is None:
            raise ValueError(NO_ROWS)
        for note in sorted(result.notes - self._told):
            warn(note, UserWarning)
        self._told |= result.notes
        return result.value

    def census(self, *, moments: bool = False, center: Center | None = None) -> Census:
        """Return what is known of all rows, from one pass that finds out what is new.

        Parameters
        ----------
        moments : bool, default=False
            Whether to sum up moments. There are none where squares leave the range of
            float64.
        center : callable or None, default=None
            Returns where the targets of a partition lie, by y and the weights.

        For what is raised see `reduce`.
        """
        known = self._census
        if known is None or (moments and not known.is_summed_up):
            known = self._census = self.reduce(
                partial(_census_of, with_moments=moments, center=center),
                _sum,
                name="moments" if moments else "read",
            )
            if not _LEAST_UNIT < known.unit < np.inf:
                raise ValueError(_SUM_OF_WEIGHTS)
        return known

    @property
    def moments(self) -> Moments:
        """Moments of the rows that have a weight."""
        moments = self.census(moments=True).moments
        if moments is None:  # raises, and says where
            moments = self.reduce(moments_of, _sum, name="moments")
        return moments

    def weighted(self, counts: Sequence[np.ndarray]) -> Partitions:
        """Return the same rows, with weights that are multiplied.

        Parameters
        ----------
        counts : sequence of ndarray
            What to multiply by, for each partition; of as many numbers as it has rows.
        """
        others = copy(self)
        others._counts, others._census = counts, None
        return others

    def kept(self, prepare: Callable[[Rows], Rows]) -> Kept:
        """Return prepared rows, which Dask keeps where they lie until `close`."""
        import dask

        # A matrix may be large: it goes to each worker once, and not with each task.
        name = f"skgd-coordinates-{uuid4().hex}"
        there = dask.delayed(prepare, name=name, pure=False, traverse=False)
        tasks = self.map(there, name="prepare")
        return Kept(tasks, self.n_features, self.n_targets)


class Kept(Partitions):
    """Prepared rows, which are kept where they lie until they are released.

    But where tasks run in processes without a cluster, there is no such place: they are
    then prepared anew each time.
    """

    def __init__(
        self, tasks: Sequence[Delayed], n_features: int, n_targets: int
    ) -> None:
        import dask
        from dask import multiprocessing
        from dask.base import get_scheduler

        if get_scheduler(collections=tasks) is not multiprocessing.get:
            tasks = list(dask.persist(*tasks))
        self.tasks = tasks
        blocks = [(task,) for task in tasks]
        super().__init__(blocks, _as_prepared, n_features, n_targets)

    def close(self) -> None:
        """Let go of the rows."""
        if "distributed" in sys.modules:
            from distributed.client import futures_of

            for future in futures_of(self.tasks):
                future.release()
        self.blocks = self.tasks = ()


@dataclass(frozen=True)
class Census:
    """What is known of some rows; those of several parts add up."""

    n_rows: int
    n_with_weight: int
    weight: float
    features: ColumnMoments
    targets: ColumnMoments
    is_summed_up: bool  # whether moments were asked for
    moments: Moments | None  # None: squares leave the range of float64, or not asked
    centers: tuple[tuple[np.ndarray, float], ...]  # of y, and what they count for
    is_sparse: bool

    @property
    def unit(self) -> float:
        """Average of the weights over the rows that have any."""
        return self.weight / self.n_with_weight

    def __add__(self, other: Census) -> Census:
        """Return the census of both."""
        moments = None
        if self.moments is not None and other.moments is not None:
            with suppress(ValueError):  # the sum overflows
                moments = self.moments + other.moments
        return Census(
            self.n_rows + other.n_rows,
            self.n_with_weight + other.n_with_weight,
            self.weight + other.weight,
            self.features.merge(other.features),
            self.targets.merge(other.targets),
            self.is_summed_up,
            moments,
            self.centers + other.centers,
            self.is_sparse or other.is_sparse,
        )


#: Returns where targets lie, (n_targets,), by y and the weights.
Center = Callable[[np.ndarray, "np.ndarray | None"], np.ndarray]


class _Result(NamedTuple):
    """What a function made of the rows of some partitions."""

    value: Any
    notes: frozenset[str]  # what to warn of


def partitions_of(
    X: Collection, y: Collection | ArrayLike, sample_weight: object | None = None
) -> tuple[Partitions, bool]:
    """Return the rows of collections, and whether y is one-dimensional.

    For what is raised see `aligned`; bad values are found where they are read.
    """
    X, y = checked_features("X", X), checked_targets(y)
    y_is_1d = y.ndim == 1
    n_targets = 1 if y_is_1d else len(column_names(y))
    if sample_weight is not None:
        sample_weight = checked_weights(sample_weight)
    columns = aligned(X, y, sample_weight)
    blocks, n_features = blocks_of(columns), len(column_names(X))
    read = partial(_validated, shapes=(column_names(X), n_targets))
    return Partitions(blocks, read, n_features, n_targets, columns), y_is_1d


def moments_of_collections(
    X: Collection, y: Collection | ArrayLike, sample_weight: object | None
) -> Moments:
    """Return the moments of collections, in one pass over them."""
    partitions, y_is_1d = partitions_of(X, y, sample_weight)
    return replace(partitions.moments, y_is_1d=y_is_1d)


def validated_partitions(
    estimator: BaseEstimator,
    X: Collection,
    y: Collection | ArrayLike,
    sample_weight: object | None,
    *,
    reset: bool,
) -> tuple[Partitions, np.dtype, bool]:
    """Check collections by what is known of them before they are read.

    For what is returned see `validated_rows`.
    """
    partitions, y_is_1d = partitions_of(X, y, sample_weight)
    validate_data(estimator, sample_of(X), reset=reset, skip_check_array=True)
    dtype = np.float32 if is_float32(sample_of(X)) else np.float64
    return partitions, np.dtype(dtype), y_is_1d


def validated_data(
    estimator: BaseEstimator,
    X: Matrix | Collection,
    y: ArrayLike | Collection,
    sample_weight: ArrayLike | Collection | None,
    *,
    reset: bool,
) -> tuple[Rows | Partitions, np.dtype, bool]:
    """Check training data: rows in memory, or collections of Dask's.

    For what is returned see `validated_rows`.
    """
    if is_collection(X):
        return validated_partitions(estimator, X, y, sample_weight, reset=reset)
    refuse_beside_rows_in_memory(y=y, sample_weight=sample_weight)
    return validated_rows(estimator, X, y, sample_weight, reset=reset)


@root_of.register(Partitions)
def _root_of_partitions(partitions: Partitions) -> Root:
    return partitions.reduce(root_of, merged_roots, name="factor")


@mean_squares_along.register(Partitions)
def _mean_squares_along_partitions(
    partitions: Partitions, about: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    def sums(rows: Rows) -> np.ndarray:
        total = len(rows.y) if rows.weight is None else rows.weight.sum()
        return np.append(total * mean_squares_along(rows, about, directions), total)

    *squares, total = partitions.reduce(sums, _sum, name="project")
    return np.array(squares) / total


def _applied(
    function: Callable[..., Any],
    read: Callable[..., Rows | None],
    number: int,
    counts: np.ndarray | None,
    others: tuple[Any, ...],
    *block: Any,
) -> _Result | None:
    """Return what a function makes of the rows of a partition; runs in a task."""
    notes: list[str] = []
    block = unpacked(block)
    try:
        with naming_columns(block[0]), plain_arithmetic():
            rows = read(block, notes.append)
            if rows is not None and counts is not None:
                rows = _weighted(rows, counts)
            if rows is None:
                return None
            return _Result(function(rows, *others), frozenset(notes))
    except ValueError as error:
        raise in_partition(number, error) from None


def in_partition(number: int, error: ValueError) -> ValueError:
    """Return the error, which now tells in which partition it came up."""
    error.args = (f"In partition {number} of X: {error}",)
    return error


def _validated(
    block: Block,
    tell: Callable[[str], None],
    *,
    shapes: tuple[Sequence[Hashable], int],
) -> Rows | None:
    """Return the rows of a user's partition, but for NaN and infinity in X.

    The shapes are what all of X and y are said to have: names of columns (of an array,
    as many numbers), and how many targets there are.
    """
    X, y, *weights = block
    names, n_targets = shapes
    found = column_names(X)
    if found != names:
        raise ValueError(
            f"The columns are {_listed(found)}, and those of X {_listed(names)}. Bring "
            "all partitions to the same columns, in the same order."
        )
    if (y.shape[1] if y.ndim == 2 else 1) != n_targets:
        raise ValueError(f"y has the shape {y.shape}, of n_targets={n_targets}.")
    lengths = [part.shape[0] for part in block]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"X has {lengths[0]} rows, y {lengths[1]}"
            f"{f' and sample_weight {lengths[2]}' if weights else ''}. Pass "
            "collections whose partitions are alike, such as columns of one frame."
        )
    if lengths[0] == 0 or not all(np.any(weight) for weight in weights):
        return None
    rows, _ = rows_of_moments(X, y, *weights, tell=tell)
    if rows.weight is not None and np.isinf(rows.weight.sum()):
        raise ValueError(_SUM_OF_WEIGHTS)
    return rows


def _positive(weight: Any) -> np.ndarray:
    """Return which weights of a partition are positive."""
    return np.asarray(weight) > 0


def _listed(names: Sequence[Hashable]) -> str:
    """Return the first of some names, in words."""
    named = ", ".join(map(repr, names[:_MOST_NAMED]))
    return named if len(names) <= _MOST_NAMED else f"{named}, ... ({len(names)} in all)"


def _as_prepared(block: Block, tell: Callable[[str], None]) -> Rows | None:
    """Return rows that were prepared."""
    return prepared_rows(*block)


def prepared_rows(block: _Result | None) -> Rows | None:
    """Return the rows of what `Kept` keeps; None: there are none."""
    if block is None:
        return None
    # Taken to another worker, they may begin at any byte.
    return Rows(*map(memory_aligned, block.value))


def _weighted(rows: Rows, counts: np.ndarray) -> Rows | None:
    """Return rows of which each counts so often; None if none does."""
    weight = counts.astype(np.float64)
    if rows.weight is not None:
        weight *= rows.weight
    return rows._replace(weight=weight) if weight.any() else None


def _merged(
    merge: Callable[[list[Any]], Any], results: Sequence[_Result | None]
) -> _Result | None:
    """Return one result for several; runs in a task."""
    there = [result for result in results if result is not None]
    if not there:
        return None
    notes = frozenset().union(*(result.notes for result in there))
    values = [result.value for result in there]
    with np.errstate(all="ignore"):
        return _Result(merge(values) if len(values) > 1 else values[0], notes)


def _sum(values: list[Any]) -> Any:
    """Return the sum."""
    return reduce(add, values)


def _census_of(rows: Rows, *, with_moments: bool, center: Center | None) -> Census:
    """Return what is known of the rows of a partition."""
    moments = None
    if with_moments:
        with suppress(ValueError):  # of NaN in X as well
            moments = moments_of(rows)
    if moments is not None:
        features, targets = ColumnMoments.from_moments(moments)
    else:
        refuse_nan_and_infinity(rows.X)
        features, targets = (
            ColumnMoments.from_columns(columns, rows.weight) for columns in rows[:2]
        )
    return Census(
        len(rows.y),
        rows.n_with_weight,
        moments.weight if moments else features.weight,
        features,
        targets,
        with_moments,
        moments,
        () if center is None else ((center(rows.y, rows.weight), features.weight),),
        issparse(rows.X),
    )
