"""The rows that a descent reads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Rows(NamedTuple):
    """Validated rows, as NumPy arrays or as tensors of one device and dtype.

    `X` is (n_rows, n_features); `y` is (n_rows, n_targets), also for one target;
    `weight` is (n_rows,) and averages one, or None where all rows weigh the same.
    """

    X: Any
    y: Any
    weight: Any

    def astype(self, dtype: np.dtype) -> Rows:
        """Cast NumPy rows, without a copy where they have the dtype."""
        return Rows(*(a if a is None else a.astype(dtype, copy=False) for a in self))
