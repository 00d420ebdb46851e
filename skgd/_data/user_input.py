"""What a user passes to the estimator, checked and brought to one form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_array
from sklearn.utils.validation import _check_sample_weight, validate_data

from skgd._data.rows import Rows, peaks
from skgd._typing import ArrayLike, Matrix, NumpyParameters

Estimator = TypeVar("Estimator", bound=BaseEstimator)

# Converted block by block, or not before they are needed.
_INTEGERS = [np.dtype(code) for code in np.typecodes["AllInteger"]]


@contextmanager
def changed_at_once(estimator: Estimator) -> Iterator[Estimator]:
    """Yield a copy to fit, whose attributes are the estimator's when the block ends.

    Whatever the block raises, Ctrl-C at any moment included, the estimator is as it was
    before; and other threads never see it half-fitted.
    """
    changed = object.__new__(type(estimator))
    changed.__dict__.update(estimator.__dict__)
    yield changed
    estimator.__dict__ = changed.__dict__


def validated_rows(
    estimator: BaseEstimator,
    X: Matrix,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    *,
    reset: bool,
) -> tuple[Rows, np.dtype, bool]:
    """Check training data, but for NaN and infinity in X.

    Looking for these takes a third of the time of multiplying X'X; whoever reads X
    first does it on the way: `scatter_of`, or `check_values`.

    Returns
    -------
    rows : Rows
        NumPy rows. X may still be of integers, and CSR or CSC; weights are as they were
        passed, but float64.
    dtype : numpy.dtype
        The floating dtype that X has, or is to have.
    y_is_1d : bool
        Whether y was one-dimensional.
    """
    refuse_torch_layouts(X)
    X, targets = validate_data(
        estimator,
        X,
        y,
        reset=reset,
        accept_sparse=["csr", "csc"],
        dtype=[*_kept_dtypes(X), *(_INTEGERS if isinstance(X, np.ndarray) else [])],
        ensure_all_finite=False,
        multi_output=True,
        y_numeric=True,
    )
    dtype = np.dtype(np.float32 if X.dtype == np.float32 else np.float64)
    targets = _validated_targets(targets, dtype)
    y_is_1d = targets.ndim == 1
    targets = targets[:, None] if y_is_1d else targets
    return Rows(X, targets, checked_weight(sample_weight, X)), dtype, y_is_1d


def validated_validation_rows(
    estimator: BaseEstimator,
    X_val: Matrix | None,
    y_val: ArrayLike | None,
    sample_weight_val: ArrayLike | None,
    *,
    n_targets: int,
    y_is_1d: bool,
) -> Rows | None:
    """Check rows to score in place of rows held out at random; None: there are none.

    Unlike training data they are looked through for NaN at once.
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
    try:
        rows, _, is_1d = validated_rows(
            estimator, X_val, y_val, sample_weight_val, reset=False
        )
        check_values(rows)
    except ValueError as error:
        raise ValueError(f"In {', '.join(names)}: {error}") from error
    if (is_1d, rows.n_targets) != (y_is_1d, n_targets):
        shape, expected = (
            "(n_samples,)" if one else f"(n_samples, {n})"
            for one, n in ((is_1d, rows.n_targets), (y_is_1d, n_targets))
        )
        raise ValueError(
            f"y_val has shape {shape}; it must have the shape of y, {expected}."
        )
    return rows


def checked_weight(sample_weight: ArrayLike | None, X: Matrix) -> np.ndarray | None:
    """Return nonnegative weights in float64, or None."""
    if sample_weight is None:
        return None
    weight: np.ndarray = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    return weight


def check_values(rows: Rows) -> None:
    """Raise where X holds NaN or infinity, or where y cannot be squared."""
    refuse_nan_and_infinity(rows.X)
    largest = peaks(rows.y).max()
    if 0 < largest < np.finfo(np.float64).tiny ** 0.5:
        raise ValueError(
            "The squares of the values in y underflow float64: the largest value is "
            f"{largest:.3g}. Rescale y."
        )


def refuse_nan_and_infinity(X: Matrix) -> None:
    """Raise scikit-learn's error where X holds them."""
    with np.errstate(invalid="ignore"):  # its sum of float32 may overflow both ways
        assert_all_finite(X, estimator_name="GDLinearRegressor", input_name="X")


def validated_features(estimator: BaseEstimator, X: Matrix) -> Matrix:
    """Check the features of a prediction."""
    refuse_torch_layouts(X)
    return validate_data(
        estimator, X, reset=False, accept_sparse="csr", dtype=_kept_dtypes(X)
    )


def start_of(
    estimator: BaseEstimator,
    rows: Rows,
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
        coef_name, coef_init = "coef_ of the last fit", estimator.coef_
    if going_on and intercept_init is None and estimator.fit_intercept:
        intercept_name = "intercept_ of the last fit"
        intercept_init = estimator.intercept_
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
    parameters: NumpyParameters, y_is_1d: bool
) -> tuple[np.ndarray, float | np.ndarray]:
    """Return `coef_` and `intercept_` of a model in the user's units."""
    coef, *intercept = parameters
    if y_is_1d:
        return coef[:, 0].copy(), intercept[0][0] if intercept else 0.0
    return coef.T.copy(), intercept[0] if intercept else 0.0


def check_targets(estimator: BaseEstimator, rows: Rows, y_is_1d: bool) -> None:
    """Raise where y has not the shape of the y that the estimator was fitted to."""
    expected = () if estimator.coef_.ndim == 1 else (len(estimator.coef_),)
    shape = () if y_is_1d else (rows.n_targets,)
    if shape != expected:
        raise ValueError(
            f"y has shape {(len(rows.y), *shape)}; to go on from the model so far, "
            f"it must have shape {('n_samples', *expected)}."
        )


def _kept_dtypes(X: Matrix) -> list[type]:
    """Return the dtypes that X may keep; others become the first.

    check_array reads NumPy's and pandas' dtypes; polars' and torch's are read here.
    """
    dtypes = X.dtypes if hasattr(X, "columns") else [getattr(X, "dtype", None)]
    names = [str(d.newbyteorder("=") if isinstance(d, np.dtype) else d) for d in dtypes]
    if all(name.lower().endswith("float32") for name in names):
        return [np.float32]
    return [np.float64, np.float32]


def _validated_start(
    name: str, value: ArrayLike, shapes: Sequence[tuple[int, ...]]
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


def _validated_targets(y: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return checked targets: float64, or float32 as X. Casts come with X's own."""
    refuse_sparse_targets(y)
    if np.iscomplexobj(y):
        raise ValueError(f"Complex data not supported: y has dtype {y.dtype}.")
    targets = y if y.dtype == dtype else y.astype(np.float64)
    largest = np.finfo(dtype).max
    if targets.dtype != dtype and not (np.abs(targets) <= largest).all():
        raise ValueError(
            f"y holds values too large for {dtype}, the dtype of X: the largest is "
            f"{np.abs(y).max():.3g}. Rescale y, or pass X as float64."
        )
    return targets


def refuse_sparse_targets(y: Matrix) -> None:
    """Raise where y is sparse, of which scikit-learn's checks do not complain."""
    if issparse(y):
        raise ValueError("y is a sparse matrix. Pass y.toarray() instead.")


def refuse_torch_layouts(X: Matrix) -> None:
    """Refuse sparse tensors, of which NumPy makes a matrix of objects, or nothing."""
    layout = str(getattr(X, "layout", "torch.strided"))
    if layout != "torch.strided":
        raise ValueError(
            f"X is a torch tensor of layout {layout}. Pass a SciPy sparse array "
            "instead: scipy.sparse.csr_array((values, col_indices, crow_indices))."
        )
