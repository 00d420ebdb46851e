"""What a user passes to the estimator, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import _check_sample_weight, validate_data

from skgd._rows import Rows

# Converted block by block, or not before they are needed.
_INTEGERS = [np.dtype(code) for code in np.typecodes["AllInteger"]]


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
) -> tuple[Rows, np.dtype, bool]:
    """Check training data, but for NaN and infinity in X.

    Looking for these takes a third of the time of multiplying X'X; whoever reads X
    first does it on the way: `dense_scatter`, or `checked_rows`.

    Returns
    -------
    rows : Rows
        NumPy rows. X may still be of integers; weights average one over the rows that
        have any, and float64.
    dtype : numpy.dtype
        The floating dtype that X has, or is to have.
    y_is_1d : bool
        Whether y was one-dimensional.
    """
    X, y = validate_data(
        estimator,
        X,
        y,
        reset=reset,
        dtype=[*kept_dtypes(X), *(_INTEGERS if isinstance(X, np.ndarray) else [])],
        ensure_all_finite=False,
        multi_output=True,
        y_numeric=True,
    )
    dtype = np.dtype(np.float32 if X.dtype == np.float32 else np.float64)
    y = _validated_targets(y, dtype)
    y_is_1d = y.ndim == 1
    weight = None
    if sample_weight is not None:
        sample_weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True
        )
        weight = _averaging_one(sample_weight)
    return Rows(X, y[:, None] if y_is_1d else y, weight), dtype, y_is_1d


def checked_rows(rows: Rows, dtype: np.dtype) -> Rows:
    """Check the values, leave out rows of weight zero, and cast."""
    refuse_nan_and_infinity(rows.X)
    largest = _peaks(rows.y).max()
    if 0 < largest < np.finfo(np.float64).tiny ** 0.5:
        raise ValueError(
            "The squares of the values in y underflow float64: the largest value is "
            f"{largest:.3g}. Rescale y."
        )
    if rows.weight is not None and not rows.weight.all():
        kept = rows.weight > 0
        rows = Rows(rows.X[kept], rows.y[kept], rows.weight[kept])
        if (rows.weight == rows.weight[0]).all():
            rows = rows._replace(weight=None)
    return in_working_dtype(rows, dtype)


def refuse_nan_and_infinity(X: Any) -> None:
    """Raise scikit-learn's error where X holds them."""
    with np.errstate(invalid="ignore"):  # its sum of float32 may overflow both ways
        assert_all_finite(X, estimator_name="skgd", input_name="X")


def in_working_dtype(rows: Rows, dtype: np.dtype) -> Rows:
    """Cast to the dtype, or to float64 where squares leave the range of float32."""
    if dtype == np.float32 and not (_squares_fit(rows.X) and _squares_fit(rows.y)):
        return rows.astype(np.dtype(np.float64))
    return rows.astype(dtype)


def validated_features(estimator: BaseEstimator, X: Any) -> np.ndarray:
    """Check the features of a prediction."""
    return validate_data(estimator, X, reset=False, dtype=kept_dtypes(X))


def validated_start(
    name: str, value: Any, shapes: Sequence[tuple[int, ...]]
) -> np.ndarray:
    """Check a place to start from, which may have one of these shapes."""
    array = check_array(
        np.asarray(value),
        dtype=np.float64,
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
    if converted is not y and not np.isfinite(converted).all():
        raise ValueError(
            f"y holds values too large for {dtype}, the dtype of X: the largest is "
            f"{np.abs(y).max():.3g}. Rescale y, or pass X as float64."
        )
    return converted


def _averaging_one(sample_weight: np.ndarray) -> np.ndarray | None:
    """Make weights average one over the rows that have any; None if all are equal."""
    if (sample_weight == sample_weight[0]).all():
        return None
    weight = sample_weight / sample_weight.max()  # so that the sum does not overflow
    weight *= np.count_nonzero(weight) / weight.sum()
    return weight


def _squares_fit(columns: np.ndarray) -> bool:
    """Whether sums of squares of each column neither overflow nor underflow float32."""
    peaks = _peaks(columns)
    return bool(((peaks == 0) | ((peaks > 1e-15) & (peaks < 1e15))).all())


def _peaks(columns: np.ndarray) -> np.ndarray:
    """Largest absolute value of each column, without a copy of them."""
    return np.maximum(columns.max(axis=0), -columns.min(axis=0))
