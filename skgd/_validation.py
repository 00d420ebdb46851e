"""What a user passes to the estimator, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import check_array
from sklearn.utils.validation import _check_sample_weight, validate_data

from skgd._rows import Rows


@contextmanager
def unchanged_on_error(estimator: BaseEstimator) -> Iterator[None]:
    """Leave the estimator as it was if the block raises."""
    before = dict(estimator.__dict__)
    try:
        yield
    except BaseException:
        estimator.__dict__ = before
        raise


def validated_rows(
    estimator: BaseEstimator, X: Any, y: Any, sample_weight: Any, *, reset: bool
) -> tuple[Rows, bool]:
    """Check training data; give NumPy rows, and whether y was one-dimensional."""
    X, y = validate_data(
        estimator,
        X,
        y,
        reset=reset,
        dtype=kept_dtypes(X),
        multi_output=True,
        y_numeric=True,
    )
    y = _validated_targets(y, X.dtype)
    one_dimensional = y.ndim == 1
    rows = Rows(X, y[:, None] if one_dimensional else y, weight=None)
    if sample_weight is not None:
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        rows = _weighted(rows, sample_weight)
    return rows, one_dimensional


def validated_features(estimator: BaseEstimator, X: Any) -> np.ndarray:
    """Check the features of a prediction."""
    return validate_data(estimator, X, reset=False, dtype=kept_dtypes(X))


def validated_start(
    name: str, value: Any, shapes: Sequence[tuple[int, ...]], dtype: np.dtype
) -> np.ndarray:
    """Check a place to start from, which may have one of these shapes."""
    array = check_array(
        np.asarray(value),
        dtype=dtype,
        ensure_2d=False,
        ensure_min_samples=0,
        input_name=name,
    )
    if array.shape not in shapes:
        allowed = " or ".join(str(shape) for shape in dict.fromkeys(shapes))
        raise ValueError(
            f"{name} has shape {array.shape}; for this X and y it must have shape "
            f"{allowed}."
        )
    return array


def kept_dtypes(X: Any) -> list[type]:
    """Give the dtypes that X may keep; others become the first.

    check_array reads NumPy's and pandas' dtypes; polars' and torch's are read here.
    """
    dtypes = X.dtypes if hasattr(X, "columns") else [getattr(X, "dtype", None)]
    names = [str(d.newbyteorder("=") if isinstance(d, np.dtype) else d) for d in dtypes]
    if all(name.lower().endswith("float32") for name in names):
        return [np.float32]
    return [np.float64, np.float32]


def _validated_targets(y: Any, dtype: np.dtype) -> np.ndarray:
    """Bring checked targets to the dtype of X."""
    if issparse(y):
        raise ValueError("y is a sparse matrix. Pass y.toarray() instead.")
    if np.iscomplexobj(y):
        raise ValueError(f"Complex data not supported: y has dtype {y.dtype}.")
    with np.errstate(over="ignore"):
        converted = y.astype(dtype, copy=False)
    if not np.isfinite(converted).all():
        raise ValueError(
            f"y holds values too large for {dtype}, the dtype of X: the largest is "
            f"{np.abs(y).max():.3g}. Rescale y, or pass X as float64."
        )
    largest = float(np.abs(y.astype(np.float64, copy=False)).max())
    if 0 < largest < np.finfo(dtype).tiny ** 0.5:
        raise ValueError(
            f"The squares of the values in y underflow {dtype}, the dtype of X: the "
            f"largest value is {largest:.3g}. Rescale y"
            f"{', or pass X as float64' if dtype == np.float32 else ''}."
        )
    return converted


def _weighted(rows: Rows, sample_weight: np.ndarray) -> Rows:
    """Leave out rows of weight zero, and make the others' weights average one."""
    kept = sample_weight > 0
    if not kept.all():
        rows = Rows(rows.X[kept], rows.y[kept], weight=None)
        sample_weight = sample_weight[kept]
    if (sample_weight == sample_weight[0]).all():
        return rows
    weight = sample_weight / sample_weight.max()  # so that the sum does not overflow
    weight *= len(weight) / weight.sum()
    return rows._replace(weight=weight.astype(rows.X.dtype))
