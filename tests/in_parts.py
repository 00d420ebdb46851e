"""Tables cut into Dask collections, in the ways that Dask's users cut them."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from scipy.sparse import csr_array

Collection = da.Array | dd.DataFrame | dd.Series | np.ndarray


class Parts(NamedTuple):
    """What a fit is asked for: collections, or some of them in memory."""

    X: Collection
    y: Collection
    weight: Collection | None

    @property
    def n_partitions(self) -> int:
        """How many there are of X, over the rows."""
        return self.X.npartitions if is_frame(self.X) else self.X.numblocks[0]


def is_frame(collection: Collection) -> bool:
    return isinstance(collection, dd.DataFrame | dd.Series)


def sizes_of(rng, n_rows: int, n_parts: int, *, empty: bool = False) -> tuple[int, ...]:
    """Return unequal numbers of rows; of no rows only if they may be empty."""
    least = 0 if empty else 1
    n_parts = min(n_parts, n_rows)
    free = n_rows - least * n_parts
    ends = np.sort(rng.integers(0, free + 1, n_parts - 1))
    return tuple(int(n) + least for n in np.diff([0, *ends, free]))


def arrays(X, y, weight, sizes, *, columns=None) -> Parts:
    """Cut arrays into chunks of known lengths."""
    X = da.from_array(X, chunks=(sizes, columns or X.shape[1]))
    return Parts(X, array(y, sizes), array(weight, sizes))


def array(a, sizes):
    """Cut an array of one or two dimensions at the same rows, or nothing."""
    return None if a is None else da.from_array(a, chunks=(sizes, *a.shape[1:]))


def frame_of(X, prefix="x") -> pd.DataFrame:
    columns = [f"{prefix}{j}" for j in range(X.shape[1])]
    return pd.DataFrame(X, columns=columns, index=7 + np.arange(len(X)))


def frames(X, y, weight, sizes) -> Parts:
    """Cut frames whose divisions Dask does not know."""
    targets = frame_of(y, "y") if y.ndim == 2 else frame_of(y[:, None], "y")["y0"]
    if weight is not None:
        weight = partitions_of(pd.Series(weight, targets.index, name="weight"), sizes)
    return Parts(
        partitions_of(frame_of(X), sizes), partitions_of(targets, sizes), weight
    )


def partitions_of(data, sizes):
    """Return a collection whose partitions are the rows of data, so many in each."""
    ends = np.cumsum([0, *sizes])
    pieces = [data.iloc[a:b] for a, b in pairwise(ends)]
    return dd.from_map(lambda k: pieces[k], range(len(pieces)), meta=data.iloc[:0])


def _array(rng, X, y, weight, n_parts):
    return arrays(X, y, weight, sizes_of(rng, len(y), n_parts))


def _array_with_empty_chunks(rng, X, y, weight, n_parts):
    return arrays(X, y, weight, sizes_of(rng, len(y), n_parts, empty=True))


def _column_chunks(rng, X, y, weight, n_parts):
    columns = sizes_of(rng, X.shape[1], 3)
    return arrays(X, y, weight, sizes_of(rng, len(y), n_parts), columns=columns)


def _other_chunks(rng, X, y, weight, n_parts):
    """Cut X, y and the weights at different rows."""
    sizes = [sizes_of(rng, len(y), n_parts) for _ in range(3)]
    return Parts(
        arrays(X, y, None, sizes[0]).X, array(y, sizes[1]), array(weight, sizes[2])
    )


def _rest_in_memory(rng, X, y, weight, n_parts):
    return Parts(_array(rng, X, y, None, n_parts).X, y, weight)


def _unknown_chunks(rng, X, y, weight, n_parts):
    """Leave rows out by a mask, so that Dask knows no lengths; maybe all of a chunk."""
    n_more = int(rng.integers(1, 20))
    kept = np.ones(len(y) + n_more, dtype=bool)
    kept[rng.choice(len(kept), n_more, replace=False)] = False
    if rng.random() < 0.5:  # those left out follow each other
        kept = np.roll(np.arange(len(kept)) >= n_more, rng.integers(len(kept)))

    def among_others(a):
        if a is None:
            return None
        more = np.full((len(kept), *a.shape[1:]), 1e9, a.dtype)
        more[kept] = a
        return more

    sizes = sizes_of(rng, len(kept), n_parts)
    parts = arrays(among_others(X), among_others(y), among_others(weight), sizes)
    mask = array(kept, sizes)
    return Parts(*(part if part is None else part[mask] for part in parts))


def _unknown_chunks_rest_in_memory(rng, X, y, weight, n_parts):
    return Parts(_unknown_chunks(rng, X, y, None, n_parts).X, y, weight)


def _frame(rng, X, y, weight, n_parts):
    return frames(X, y, weight, sizes_of(rng, len(y), n_parts, empty=True))


def _frame_with_divisions(rng, X, y, weight, n_parts):
    """Let Dask know which index is where."""
    table = frame_of(X)
    index = table.index
    y = pd.DataFrame(y, index) if y.ndim == 2 else pd.Series(y, index)
    both = [table, y] if weight is None else [table, y, pd.Series(weight, index)]
    cut = [dd.from_pandas(each, npartitions=n_parts) for each in both]
    return Parts(*cut, *([None] if weight is None else []))


def _frame_and_arrays(rng, X, y, weight, n_parts):
    """Take the values of series, whose lengths Dask does not know."""
    X, y, weight = _frame(rng, X, y, weight, n_parts)
    return Parts(X, y.values, None if weight is None else weight.values)


def _frame_rest_in_memory(rng, X, y, weight, n_parts):
    return Parts(_frame(rng, X, y, None, n_parts).X, y, weight)


def _values_of_a_frame(rng, X, y, weight, n_parts):
    parts = _frame(rng, X, y, weight, n_parts)
    return Parts(*(part if part is None else part.values for part in parts))


def _sparse(rng, X, y, weight, n_parts):
    """Keep each chunk of X as a sparse array."""
    X, y, weight = _array(rng, X, y, weight, n_parts)
    return Parts(X.map_blocks(csr_array, dtype=X.dtype), y, weight)


#: By name: of a generator, X, y, weights (or None) and a number of partitions.
CUTS: dict[str, Callable[..., Parts]] = {
    cut.__name__.strip("_").replace("_", " "): cut
    for cut in (
        _array,
        _array_with_empty_chunks,
        _column_chunks,
        _other_chunks,
        _rest_in_memory,
        _unknown_chunks,
        _unknown_chunks_rest_in_memory,
        _frame,
        _frame_with_divisions,
        _frame_and_arrays,
        _frame_rest_in_memory,
        _values_of_a_frame,
        _sparse,
    )
}
