"""Dask collections: recognised, checked by their columns, aligned and cut up.

Dask is imported where a collection of it comes in, and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from itertools import chain, combinations
from threading import RLock
from typing import Any, TypeVar

import numpy as np

from skgd._data.columns import refuse_dtypes
from skgd._data.containers import readable, type_of
from skgd._data.user_input import refuse_sparse
from skgd._typing import ArrayLike
from skgd._warn import warn

T = TypeVar("T")

# Held while a setting of Dask's is another than the user's.
_SETTING = RLock()

#: An array or a frame of Dask's.
Collection = Any

#: What Dask's `delayed` returns: a task, and those that it depends on.
Delayed = Any

#: X, y and, where there are any, the weights of a partition, as the user has them.
Block = tuple[Any, ...]


def is_collection(data: object) -> bool:
    """Return whether data are a collection of Dask's, whose rows are not here."""
    graph_of = getattr(type(data), "__dask_graph__", None)
    if graph_of is None:
        return False
    return _is_dasks_own(data) or graph_of(data) is not None


def refuse_collections(hint: str = "", **named: object) -> None:
    """Raise where any data are a collection that has to be in memory."""
    for name, data in named.items():
        if is_collection(data):
            raise ValueError(
                f"{name} is a {type_of(data)}, whose rows are not in memory. Pass "
                f"{name}.compute(){hint or '.'}"
            )


def refuse_beside_rows_in_memory(**named: object) -> None:
    """Raise where targets or weights are a collection, and X is not."""
    hint = (
        ", as X is in memory; or pass X as a collection of Dask as well. (In a "
        "pipeline, scikit-learn's transformers bring X into memory: prepare it by Dask "
        "before.)"
    )
    refuse_collections(hint, **named)


def checked_features(name: str, data: Collection) -> Collection:
    """Return features that Dask holds, in partitions of whole rows.

    Raises
    ------
    ImportError
        If Dask is not installed.
    ValueError
        If they are no array of two dimensions and no frame, or if columns hold what is
        not a number.

    Warns
    -----
    UserWarning
        If chunks over columns are put together.
    """
    data = _checked(name, data)
    if data.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {data.ndim}D array instead: {name} is a "
            f"{type_of(data)}. Pass rows of features, such as a frame of one column "
            "(frame[['x']]) or X.reshape(-1, 1)."
        )
    # The shape of a frame would be a task of Dask's.
    if (len(data.columns) if is_frame(data) else data.shape[1]) == 0:
        raise ValueError(f"{name} has no columns, of which one is the least.")
    if is_frame(data):
        return data
    if math.isnan(data.shape[1]):
        raise ValueError(
            f"The number of columns of {name} is not known. Call "
            f"{name}.compute_chunk_sizes() first."
        )
    n_chunks = data.numblocks[1]
    if n_chunks > 1:
        warn(
            f"{name} is cut into {n_chunks} chunks along its columns. They are put "
            "together to whole rows, which copies X and sends most of it from worker "
            f"to worker. Pass {name}.rechunk({{1: -1}}).persist() to do that once.",
            UserWarning,
        )
        data = data.rechunk({1: -1})
    return data


def checked_targets(y: Collection | ArrayLike) -> Collection | np.ndarray:
    """Return targets that Dask holds, or that are in memory, whose rows are not read.

    For what is raised see `checked_features`.
    """
    y = _checked("y", y) if is_collection(y) else _in_memory("y", y)
    if y.ndim not in (1, 2):
        raise ValueError(
            f"y should be a 1d or 2d array, got an array of shape {y.shape} instead."
        )
    if isinstance(y, np.ndarray) or is_frame(y) or y.ndim == 1:
        return y
    return y.rechunk({1: -1})


def checked_weights(sample_weight: Collection | ArrayLike) -> Collection | np.ndarray:
    """Return weights that Dask holds, or that are in memory, which are not read.

    For what is raised see `checked_features`.
    """
    if is_collection(sample_weight):
        weight = _checked("sample_weight", sample_weight)
    else:
        weight = _in_memory("sample_weight", sample_weight)
    if weight.ndim == 0:
        raise ValueError(
            f"sample_weight={sample_weight!r} is not one for each row. Pass an array "
            "or a collection, or leave it out: a fit goes by ratios of weights alone."
        )
    if weight.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D, one for each row: got {weight.ndim}D "
            f"weights, a {type_of(sample_weight)}."
        )
    return weight


def is_frame(data: Collection) -> bool:
    """Return whether a collection is a frame, or a series."""
    return not hasattr(type(data), "chunks")


def sample_of(data: Collection) -> Any:
    """Return what has the columns and dtypes of a collection, and no rows."""
    if is_frame(data):
        return data._meta
    return np.empty((0, *data.shape[1:]), data.dtype)


def column_names(X: Any) -> Sequence[Hashable]:
    """Return the names of the columns of a frame, or the numbers of those of others."""
    return list(X.columns) if hasattr(X, "columns") else range(X.shape[1])


def aligned(
    X: Collection,
    y: Collection | np.ndarray,
    sample_weight: Collection | np.ndarray | None,
) -> list[Collection]:
    """Return X, y and, where there are any, the weights, cut into the same partitions.

    All have been checked. Where rows are cut up otherwise than those of X, they are cut
    anew, if it can be known where: the lengths of partitions are computed where they
    have to be.

    Raises
    ------
    ValueError
        If there are more or fewer rows than those of X.
    """
    others = {"y": y}
    if sample_weight is not None:
        others["sample_weight"] = sample_weight
    cut = _Cut(X)
    return [X, *(cut.aligned(name, data) for name, data in others.items())]


def blocks_of(columns: Sequence[Collection]) -> list[tuple[Delayed, ...]]:
    """Return the tasks for each partition of aligned collections.

    These are tasks for X, y and the weights; or, where that spares reading what they
    have in common twice, one for a tuple of them. See `unpacked`.
    """
    import dask.array as da

    frames = list(map(is_frame, columns))
    if all(frames):
        first, *others = columns
        together = first.map_partitions(
            _as_tuple,
            *others,
            meta=first._meta.index.to_series().astype(object),
            align_dataframes=False,
            enforce_metadata=False,
        )
        return [(task,) for task in _parts(together)]
    if any(frames) or not _have_tasks_in_common(columns):
        return list(zip(*map(_parts, columns), strict=True))
    along = [("rows", f"columns of {k}")[: a.ndim] for k, a in enumerate(columns)]
    together = da.blockwise(
        _as_tuple,
        ("rows",),
        *chain.from_iterable(zip(columns, along, strict=True)),
        dtype=object,
        meta=np.empty(0, object),
        concatenate=True,
        align_arrays=False,
    )
    return [(task,) for task in _parts(together)]


def unpacked(block: Block) -> Block:
    """Return X, y and, where there are any, the weights of a partition."""
    return block[0] if type(block[0]) is tuple else block


def _have_tasks_in_common(arrays: Sequence[Collection]) -> bool:
    """Return whether arrays are made of the same tasks, but for data that are there."""
    return any(
        not hasattr(one[key], "release")
        for one, other in combinations([array.dask for array in arrays], 2)
        for key in one.keys() & other.keys()
    )


def computed_parts(function: Callable[[Any], T], data: Collection) -> tuple[T, ...]:
    """Return what a function makes of each partition."""
    import dask

    task = dask.delayed(function, pure=False)
    parts: tuple[T, ...] = dask.compute(*map(task, _parts(data)))
    return parts


def lengths_of(data: Collection) -> tuple[int, ...]:
    """Return the number of rows of each partition, which are counted if need be."""
    known = _known_lengths(data)
    if not any(map(math.isnan, known)):
        return tuple(map(int, known))
    return computed_parts(_length, data)


def mapped(
    function: Callable[[Any], Any],
    X: Collection,
    n_targets: int | None,
    dtype: np.dtype,
) -> Collection:
    """Return what a function makes of each partition of the features, lazily.

    Parameters
    ----------
    function : callable
        Returns targets for features, in rows of what holds these.
    X : Collection
        Checked features.
    n_targets : int or None
        Number of columns of the targets; None: they are one-dimensional.
    dtype : numpy.dtype
        That of the targets.
    """
    if is_frame(X):
        return X.map_partitions(function, meta=function(X._meta))
    if n_targets is None:
        return X.map_blocks(function, drop_axis=1, dtype=dtype)
    return X.map_blocks(function, chunks=(X.chunks[0], (n_targets,)), dtype=dtype)


class _Cut:
    """Where the partitions of X begin and end."""

    def __init__(self, X: Collection) -> None:
        self._X = X

    def aligned(self, name: str, data: Collection | np.ndarray) -> Collection:
        """Return other data, cut up as X is."""
        import dask.array as da

        if isinstance(data, np.ndarray):
            self._check(name, len(data))
            return da.from_array(data, chunks=(self.lengths, *data.shape[1:]))
        if _may_agree(_known_lengths(self._X), _known_lengths(data)):
            return data
        lengths = lengths_of(data)
        self._check(name, sum(lengths))
        if is_frame(data):
            with _partitions_as_they_are():
                array = data.to_dask_array(lengths=lengths)
        else:
            chunks = lengths, *data.chunks[1:]
            array = da.Array(data.dask, data.name, chunks, data.dtype)
        return array.rechunk({0: self.lengths})

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Number of rows of each partition."""
        return lengths_of(self._X)

    def _check(self, name: str, n_rows: int) -> None:
        if n_rows != sum(self.lengths):
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: X has "
                f"{sum(self.lengths)} rows, and {name} {n_rows}."
            )


def _known_lengths(data: Collection) -> tuple[float, ...]:
    """Return the number of rows of each partition; nan where it is not known."""
    if is_frame(data):
        return (math.nan,) * data.npartitions
    lengths: tuple[float, ...] = data.chunks[0]
    return lengths


def _may_agree(ours: Sequence[float], others: Sequence[float]) -> bool:
    """Return whether partitions may be of the same lengths."""
    return len(ours) == len(others) and all(
        a == b or math.isnan(a) or math.isnan(b)
        for a, b in zip(ours, others, strict=True)
    )


def _length(part: Any) -> int:
    """Return the number of rows of a partition, which may be sparse."""
    return int(part.shape[0])


def _as_tuple(*blocks: Any) -> tuple[Any, ...]:
    """Return the arguments."""
    return blocks


def _parts(data: Collection) -> list[Delayed]:
    """Return a task for each partition of rows."""
    with _partitions_as_they_are():
        parts = data.to_delayed()
    return list(parts if is_frame(data) else parts.ravel())


@contextmanager
def _partitions_as_they_are() -> Iterator[None]:
    """Keep Dask from making one partition of several files.

    There would be fewer of y than of X, the fewer columns are read, and others than
    those that the user knows. The setting is the whole process's: one thread at a time
    changes it, and puts it back.
    """
    import dask

    with _SETTING, dask.config.set({"optimization.tune.active": False}):
        yield


def _checked(name: str, data: Collection) -> Collection:
    """Return an array or a frame, if that is what a collection is."""
    try:
        import_module("dask")
    except ImportError as error:
        raise ImportError(
            f"{name} is a {type_of(data)}, a collection of Dask's, which is not "
            "installed here: pip install 'skgd[dask]'."
        ) from error
    kind = type(data)
    is_array = hasattr(kind, "chunks") and hasattr(kind, "rechunk")
    if not _is_dasks_own(data) or not (is_array or hasattr(kind, "map_partitions")):
        raise ValueError(
            f"{name} is a {type_of(data)}. Pass an array or a frame of Dask's: of "
            "tasks, dask.array.from_delayed or dask.dataframe.from_delayed; of a bag, "
            "bag.to_dataframe(); of xarray's, its .data."
        )
    if not is_array and not (hasattr(kind, "_meta_nonempty") and data.ndim):
        raise ValueError(
            f"{name} is a {type_of(data)}. Pass an array, a frame or a series of "
            "Dask's."
        )
    refuse_dtypes(_dtypes(name, data))
    return data


def _in_memory(name: str, data: ArrayLike) -> np.ndarray:
    """Return an array of what is not a collection."""
    array = readable(name, data)
    if array is None:
        raise ValueError(f"{name} is None. Pass a value for each row of X.")
    refuse_sparse(name, array)
    array = np.asarray(array)
    if array.dtype.kind in "mM":
        refuse_dtypes({name: array.dtype})
    return array


def _dtypes(name: str, data: Collection) -> Mapping[str, Any]:
    """Return the dtype of each column of a frame, or that of the whole, by a label."""
    if not is_frame(data):
        return {name: data.dtype}
    if data.ndim == 1:
        return {f"{name} ({data.name!r})": data.dtype}
    dtypes = zip(data._meta.columns, data._meta.dtypes, strict=True)
    return {f"column {column!r}": dtype for column, dtype in dtypes}


def _is_dasks_own(data: object) -> bool:
    """Return whether the type, or one that it is made of, is one of Dask's."""
    return any(
        kind.__module__.partition(".")[0] == "dask" for kind in type(data).__mro__
    )
