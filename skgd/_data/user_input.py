"""What a user passes to the estimator, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.exceptions import DTypePromotionError
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_array, check_X_y
from sklearn.utils.validation import _check_sample_weight, validate_data

from skgd._data.array_api import Origin, follow
from skgd._data.columns import (
    dates_as_numbers,
    lost_digits,
    missing_dates,
    not_finite,
    not_numbers,
)
from skgd._data.containers import are_floats, dtype_names, readable
from skgd._data.device import plain_arithmetic, to_numpy
from skgd._data.rows import Rows, RowsAnywhere, memory_aligned, peaks
from skgd._data.tensors import blocks, cast, dtype_of, is_tensor, widest_dtype
from skgd._typing import Array, ArrayLike, Matrix, NumpyParameters
from skgd._warn import warn

Estimator = TypeVar("Estimator", bound=BaseEstimator)

# Converted block by block, or not before they are needed.
_INTEGERS = [np.dtype(code) for code in np.typecodes["AllInteger"]]

# So few values are looked through at once.
_FEW = 1000

# As NumPy, pandas, polars and pyarrow call it.
_FLOAT32_NAMES = {"float32", "float[pyarrow]"}


@contextmanager
def fitting(estimator: Estimator, X: Matrix) -> Iterator[Estimator]:
    """Yield a copy to fit, whose attributes are the estimator's when the block ends.

    Whatever the block raises, Ctrl-C at any moment included, the estimator is as it was
    before; and other threads never see it half-fitted. Errors name columns of X.
    NumPy's own warnings are off: what leaves the range of a dtype is checked for, and
    named, where it matters. So is torch's autocast, under which products have three
    digits.
    """
    changed = object.__new__(type(estimator))
    changed.__dict__.update(estimator.__dict__)
    with naming_columns(X), plain_arithmetic():
        yield changed
    estimator.__dict__ = changed.__dict__


def validated_rows(
    estimator: BaseEstimator,
    X: Matrix,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    reset: bool,
    beside: Rows | None = None,
) -> tuple[Rows, np.dtype, bool]:
    """Check training data, but for NaN and infinity in X.

    Looking for these takes a third of the time of multiplying X'X; whoever reads X
    first does it on the way: `scatter_of`, or `check_values`.

    Parameters
    ----------
    estimator : BaseEstimator
        Knows the features, or is to remember them (`reset`).
    X, y, sample_weight : array-like
        The data.
    reset : bool
        Whether to remember the features.
    beside : Rows or None, default=None
        Others, in whose library and on whose device these are to be.

    Returns
    -------
    rows : Rows
        NumPy rows, or tensors where X lies on another device. X may still be of
        integers, and CSR or CSC; weights are as they were passed, but float64.
    dtype : numpy.dtype
        The floating dtype that X has, or is to have.
    y_is_1d : bool
        Whether y was one-dimensional.
    """
    if not reset and _need_no_check(estimator, X, y):
        numbers, targets = X, np.asarray(y)
    else:
        X_read, y_read = readable("X", X), readable("y", y)
        if beside is not None and (beside.are_tensors or is_tensor(X_read)):
            _refuse_missing_dates("X", X_read)
            X_read = follow(beside.X, X_read)
        check = partial(validate_data, estimator, reset=reset)
        numbers, targets = _checked(check, X_read, y_read)
    float32 = np.dtype(np.float32)
    dtype = float32 if dtype_of(numbers) == float32 else np.dtype(np.float64)
    targets = _validated_targets(targets, dtype)
    y_is_1d = targets.ndim == 1
    targets = targets[:, None] if y_is_1d else targets
    weight = _checked_weight(sample_weight, numbers)
    return Rows(numbers, targets, weight), dtype, y_is_1d


def _need_no_check(estimator: BaseEstimator, X: Matrix, y: ArrayLike) -> bool:
    """Return whether X and y are float64 arrays that fit each other and the estimator.

    scikit-learn's checks, which would find and change nothing then, are a quarter of a
    `partial_fit` of one row.
    """
    return (
        type(X) is type(y) is np.ndarray
        and X.dtype == y.dtype == np.float64
        and X.ndim == 2
        and y.ndim in (1, 2)
        and y.size >= len(y) == len(X) > 0
        and X.shape[1] == estimator.n_features_in_
        and not hasattr(estimator, "feature_names_in_")
        and bool(np.isfinite(y).all())
    )


def validated_validation_rows(
    estimator: BaseEstimator,
    X_val: Matrix | None,
    y_val: ArrayLike | None,
    sample_weight_val: ArrayLike | None,
    *,
    rows: RowsAnywhere,
    y_is_1d: bool,
) -> Rows | None:
    """Check rows to score in place of rows held out at random; None: there are none.

    They are brought to where the rows to train on are, and unlike these looked through
    for NaN at once.
    """
    given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
    names = [name for name, value in given.items() if value is not None]
    if not names:
        return None
    if X_val is None or y_val is None:
        missing = " and ".join(name for name in ("X_val", "y_val") if name not in names)
        raise ValueError(
            f"{' and '.join(names)} passed to fit without {missing}: rows to score are "
            f"features and targets. Pass {missing} as well, or leave out "
            f"{' and '.join(names)} to hold out rows at random."
        )
    if not estimator.early_stopping:
        raise ValueError(
            f"{' and '.join(names)} passed to fit with early_stopping=False, which "
            "scores no rows. Set early_stopping=True, or leave them out."
        )
    n_targets = rows.n_targets
    try:
        held_out, _, is_1d = validated_rows(
            estimator,
            X_val,
            y_val,
            sample_weight_val,
            reset=False,
            beside=rows if isinstance(rows, Rows) else None,
        )
        with naming_columns(X_val):
            check_values(held_out)
    except ValueError as error:
        raise ValueError(f"In {', '.join(names)}: {error}") from error
    if (is_1d, held_out.n_targets) != (y_is_1d, n_targets):
        shape, expected = (
            "(n_samples,)" if one else f"(n_samples, {n})"
            for one, n in ((is_1d, held_out.n_targets), (y_is_1d, n_targets))
        )
        raise ValueError(
            f"y_val has shape {shape}; it must have the shape of y, {expected}."
        )
    return held_out


def warn_user(message: str) -> None:
    """Warn of what may not be what the user has in mind."""
    warn(message, UserWarning)


def rows_of_moments(
    X: Matrix,
    y: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    tell: Callable[[str], None] = warn_user,
) -> tuple[Rows, bool]:
    """Check data of which there is no estimator, but for NaN and infinity in X.

    What is no error is told: where the data are those of a user, as a warning.
    """
    X, y = readable("X", X), readable("y", y)
    numbers, targets = _checked(check_X_y, X, y, tell)
    y_is_1d = targets.ndim == 1
    targets = targets[:, None] if y_is_1d else targets
    weight = _checked_weight(sample_weight, numbers)
    return Rows(numbers, targets, weight), y_is_1d


@contextmanager
def naming_columns(X: Matrix) -> Iterator[None]:
    """Say in which columns of X, as the user passed it, NaN or infinity is."""
    try:
        yield
    except NotFiniteError as error:
        blame = not_finite("X", readable("X", X))
        raise ValueError(f"{error}\n{blame}") from None


class NotFiniteError(ValueError):
    """Raised where X holds NaN or infinity, of which only `naming_columns` knows."""


def _checked(
    check: Callable[..., tuple[Matrix, np.ndarray]],
    X: Matrix,
    y: ArrayLike,
    tell: Callable[[str], None] = warn_user,
) -> tuple[Matrix, np.ndarray]:
    """Return X and y where X lies, by scikit-learn's check.

    X may hold NaN and infinity.
    """
    with _explaining(X=X, y=y):
        numbers, targets = check(
            X,
            y if y is None else follow(X, y),
            accept_sparse=["csr", "csc"],
            dtype=[*_kept_dtypes(X), *(_INTEGERS if isinstance(X, np.ndarray) else [])],
            ensure_all_finite=False,
            multi_output=True,
            y_numeric=True,
        )
        refuse_sparse("y", targets)
        kind = dtype_of(targets).kind
        if kind not in "fiubc" or targets.dtype == np.longdouble:
            targets = targets.astype(np.float64)
        assert_all_finite(targets, input_name="y")  # None among objects is NaN now
    for name, data, found in ("X", X, numbers), ("y", y, targets):
        if not are_floats(data):
            _refuse_missing_dates(name, data)
            for find in dates_as_numbers, lost_digits:
                blame = find(name, data, found)
                if blame:
                    tell(blame)
    return memory_aligned(numbers), memory_aligned(targets)


@contextmanager
def _explaining(**named: Matrix | ArrayLike) -> Iterator[None]:
    """Say which columns hold no numbers, or NaN in y, where a check has failed.

    scikit-learn checks X first.
    """
    try:
        yield
    except (ValueError, TypeError, OverflowError) as error:
        blames = (
            find(name, data)
            for name, data in named.items()
            for find in ((not_numbers, not_finite) if name == "y" else (not_numbers,))
        )
        blame = next(filter(None, blames), "")
        if not blame:
            raise
        words = str(error)
        if isinstance(error, DTypePromotionError):
            words = "The columns have no common dtype."
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{words}\n{blame}") from error


def _refuse_missing_dates(name: str, data: Matrix | ArrayLike) -> None:
    """Raise where a date is missing, which scikit-learn casts to a number."""
    blame = missing_dates(name, data)
    if blame:
        raise ValueError(f"Input {name} contains NaN.\n{blame}")


def _checked_weight(sample_weight: ArrayLike | None, X: Matrix) -> np.ndarray | None:
    """Return nonnegative weights in float64, or None."""
    if sample_weight is None:
        return None
    weight = readable("sample_weight", sample_weight)
    if not isinstance(weight, Real):
        with _explaining(sample_weight=weight):
            weight = follow(X, weight)
        if is_tensor(weight):
            _refuse_complex("sample_weight", weight)
    weight = _check_sample_weight(
        weight,
        X,
        dtype=np.float64,
        ensure_non_negative=True,
    )
    return memory_aligned(weight)


def _refuse_complex(name: str, data: Array) -> None:
    """Raise where data are complex: of tensors, scikit-learn drops imaginary parts."""
    if dtype_of(data).kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {data.dtype}.")


def check_values(rows: Rows) -> None:
    """Raise where X holds NaN or infinity, or where y cannot be squared."""
    refuse_nan_and_infinity(rows.X)
    check_targets_sizes(peaks(rows.y))


def check_targets_sizes(sizes: np.ndarray) -> None:
    """Raise where the sizes of all targets are such that these cannot be squared."""
    largest = sizes.max()
    if 0 < largest < np.finfo(np.float64).tiny ** 0.5:
        raise ValueError(
            "The squares of the values in y underflow float64: the largest value is "
            f"{largest:.3g}. Rescale y."
        )


def check_sizes(X: Matrix) -> None:
    """Raise where a column is too small to be descended on in the user's units."""
    least = np.finfo(np.float64).tiny ** 0.5
    if not issparse(X) and (peaks(X[:1000]) >= least).all():  # as nearly always
        return
    sizes = peaks(X)
    for j in np.flatnonzero((sizes > 0) & (sizes < least)):
        raise ValueError(
            f"The squares of the values in column {j} of X underflow float64: the "
            f"largest value is {sizes[j]:.3g}. Rescale the column, or pass "
            "standardize=True to GDLinearRegressor."
        )


def refuse_nan_and_infinity(X: Matrix) -> None:
    """Raise where X holds them, in scikit-learn's words."""
    if isinstance(X, np.ndarray) and X.size <= _FEW and np.isfinite(X).all():
        return  # in a tenth of the time
    parts = [X[rows] for rows in blocks(X)] if is_tensor(X) else [X]
    try:
        with np.errstate(invalid="ignore"):  # its sum of float32 may overflow both ways
            for part in parts:
                assert_all_finite(part, input_name="X")
    except ValueError as error:
        raise NotFiniteError(*error.args) from None


def validated_features(estimator: BaseEstimator, X: Matrix) -> Matrix:
    """Check the features of a prediction."""
    X = readable("X", X)
    with naming_columns(X), _explaining(X=X):
        numbers = validate_data(
            estimator,
            X,
            reset=False,
            accept_sparse="csr",
            dtype=_kept_dtypes(X),
            ensure_all_finite=False,
        )
        refuse_nan_and_infinity(numbers)
    _refuse_missing_dates("X", X)
    return numbers


def start_of(
    estimator: BaseEstimator,
    rows: RowsAnywhere,
    coef_init: ArrayLike | None = None,
    intercept_init: ArrayLike | None = None,
    *,
    going_on: bool,
) -> NumpyParameters:
    """Return the coefficients and the intercept to start from, in the user's units.

    There is no intercept where there is none to fit, or none to start from.
    """
    n_features, n_targets = rows.n_features, rows.n_targets
    coef = np.zeros((n_features, n_targets))
    coef_name, intercept_name = "coef_init", "intercept_init"
    if going_on and coef_init is None:
        coef_name, coef_init = "coef_ of the last fit", to_numpy(estimator.coef_)
    if going_on and intercept_init is None and estimator.fit_intercept:
        intercept_name = "intercept_ of the last fit"
        intercept_init = to_numpy(estimator.intercept_)
    if coef_init is not None:
        shapes: list[tuple[int, ...]]
        shapes = [(n_features,)] if n_targets == 1 else []
        shapes.append((n_targets, n_features))
        values = _validated_start(coef_name, coef_init, shapes)
        coef = values.reshape(n_targets, n_features).T
    if intercept_init is None:
        return (coef,)
    values = _validated_start(intercept_name, intercept_init, [(), (n_targets,)])
    if estimator.fit_intercept:
        return coef, np.broadcast_to(values, n_targets)
    if values.any():
        raise ValueError(
            f"intercept_init={intercept_init!r} has no effect with "
            "fit_intercept=False. Leave it out, or set fit_intercept=True."
        )
    return (coef,)


def shaped_as_targets(
    parameters: NumpyParameters, y_is_1d: bool, origin: Origin | None = None
) -> tuple[Array, float | Array]:
    """Return `coef_` and `intercept_` of a model in the user's units.

    In NumPy, or in the library of X and on its device.
    """
    coef, *intercepts = parameters
    coef = coef[:, 0].copy() if y_is_1d else coef.T.copy()
    intercept: float | np.ndarray = 0.0
    for of_targets in intercepts:
        intercept = of_targets[0] if y_is_1d else of_targets
    if origin is None:
        return coef, intercept
    return origin.back(coef), origin.back(intercept) if intercepts else intercept


def check_targets(estimator: BaseEstimator, rows: RowsAnywhere, y_is_1d: bool) -> None:
    """Raise where y has not the shape of the y that the estimator was fitted to."""
    expected = () if estimator.coef_.ndim == 1 else (len(estimator.coef_),)
    shape = () if y_is_1d else (rows.n_targets,)
    if shape != expected:
        raise ValueError(
            f"y has shape {('n_samples', *shape)}; to go on from the model so far, "
            f"it must have shape {('n_samples', *expected)}."
        )


def _kept_dtypes(X: Matrix) -> list[Any]:
    """Return the dtypes that X may keep; others become the first.

    check_array reads NumPy's and pandas' dtypes; those of other frames are read here.
    """
    if is_tensor(X):
        _refuse_complex("X", X)
        return [X.dtype] if X.is_floating_point() else [widest_dtype(X)]
    float32 = is_float32(X)
    return [np.float32] if float32 else [np.float64, np.float32]


def is_float32(X: Matrix) -> bool:
    """Return whether all columns are float32 by their dtypes."""
    return all(name in _FLOAT32_NAMES for name in dtype_names(X))


def _validated_start(
    name: str, value: ArrayLike, shapes: Sequence[tuple[int, ...]]
) -> np.ndarray:
    """Check a place to start from, which may have one of these shapes."""
    array = to_numpy(readable(name, value))
    if array.dtype != np.float64 or not np.isfinite(array).all():
        array = check_array(
            array,
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


def _validated_targets(y: Array, dtype: np.dtype) -> Array:
    """Return checked targets: float64, or float32 as X. Casts come with X's own."""
    _refuse_complex("y", y)
    targets = y if dtype_of(y) == dtype else cast(y, np.dtype(np.float64))
    if dtype_of(targets) == dtype:
        return targets
    limits, largest = np.finfo(dtype), float(abs(targets).max())
    if not largest <= limits.max or 0 < largest < limits.tiny:
        how = "large" if largest > 1 else "small"
        raise ValueError(
            f"y holds values too {how} for {dtype}, the dtype of X: the largest is "
            f"{largest:.3g}. Rescale y, or pass X as float64."
        )
    return targets


def refuse_sparse(name: str, data: object) -> None:
    """Raise where data are sparse, of which scikit-learn's checks do not complain."""
    if issparse(data):
        raise ValueError(f"{name} is a sparse matrix. Pass {name}.toarray() instead.")
