"""The splits of a splitter, of rows that are here or elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils.validation import check_consistent_length

from skgd._data.dask_collections import refuse_collections
from skgd._data.partitions import Partitions
from skgd._data.rows import Rows
from skgd._typing import ArrayLike, SparseLike


def splits_of(
    splitter: BaseCrossValidator,
    rows: Rows | Partitions,
    X: ArrayLike | SparseLike,
    y: ArrayLike,
    groups: ArrayLike | None,
) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Return the splits; of rows that are elsewhere, by their number alone."""
    refuse_collections(groups=groups)
    if isinstance(rows, Partitions):
        n_rows = rows.count()
        check_consistent_length(groups, np.empty((n_rows, 0)))
        elsewhere = _RowsElsewhere(n_rows)
        return splitter.split(elsewhere, elsewhere, groups)
    check_consistent_length(X, y, groups)
    return splitter.split(X, y, groups)


class _RowsElsewhere:
    """What a splitter gets in place of rows that are not here: their number."""

    def __init__(self, n_rows: int) -> None:
        self.shape = (n_rows,)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        raise TypeError(
            "This splitter asks for the values of X or y, which are Dask collections. "
            "Use a splitter that goes by the numbers of the rows, or pass cv as a list "
            "of pairs of arrays of row numbers."
        )
