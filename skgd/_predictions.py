"""Predictions of rows here, and predictions and scores on collections of Dask's."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils.validation import check_is_fitted, validate_data

from skgd._data import tensors
from skgd._data.array_api import check_library_of_fit, origin_of
from skgd._data.dask_collections import Collection, checked_features, mapped, sample_of
from skgd._data.device import plain_arithmetic, to_numpy
from skgd._data.partitions import validated_partitions
from skgd._data.squared_errors import squared_errors
from skgd._data.tensors import dtype_of, is_tensor
from skgd._data.user_input import is_float32, validated_features
from skgd._descent.held_out import SCORES_OF_SQUARES
from skgd._typing import Array, ArrayLike, Matrix
from skgd._warn import warn


def predict_here(estimator: BaseEstimator, X: Matrix) -> Array:
    """Return predictions of rows that are in memory, in the library of X."""
    origin = origin_of(X)
    check_library_of_fit(estimator, X, "predict")
    X = validated_features(estimator, X)
    coef, intercept = to_numpy(estimator.coef_), estimator.intercept_
    if not isinstance(intercept, float):  # which 0.0 is, and has no dtype
        intercept = to_numpy(intercept)
    with plain_arithmetic():
        if is_tensor(X):
            prediction = tensors.predictions(X, coef.T, intercept)
        else:
            prediction = X @ coef.T + intercept
    n_overflow = int((~(abs(prediction) < np.inf)).sum())
    if n_overflow:
        warn(
            f"{n_overflow} of {math.prod(prediction.shape)} predictions overflow "
            f"{dtype_of(prediction)}: the values in X are too large.",
            UserWarning,
        )
    if origin is not None:
        return origin.back(prediction)
    return np.asarray(prediction)


def predict_lazily(estimator: BaseEstimator, X: Collection) -> Collection:
    """Return predictions as a collection, of which nothing is computed yet.

    The tasks get the model, without what else `fit` has left.
    """
    check_is_fitted(estimator)
    X = checked_features("X", X)
    sample = sample_of(X)
    validate_data(estimator, sample, reset=False, skip_check_array=True)
    model = type(estimator)(**estimator.get_params(deep=False))
    model.coef_ = to_numpy(estimator.coef_)
    model.intercept_ = to_numpy(estimator.intercept_)
    # Partitions have the names of the whole, of which the user has been told.
    validate_data(model, sample, reset=True, skip_check_array=True)
    dtype = model.coef_.dtype if is_float32(sample) else np.dtype(np.float64)
    n_targets = None if model.coef_.ndim == 1 else len(model.coef_)
    return mapped(partial(_predicted, model, dtype), X, n_targets, dtype)


def score_where_it_lies(
    estimator: BaseEstimator,
    X: Collection,
    y: Collection | ArrayLike,
    sample_weight: Collection | ArrayLike | None,
    *,
    metric: str = "r2",
) -> float:
    """Return a score that is a function of the mean squared error, in one pass.

    Warns
    -----
    UndefinedMetricWarning
        If there are fewer than two rows, of which R^2 is nan.
    """
    check_is_fitted(estimator)
    partitions, _, _ = validated_partitions(estimator, X, y, sample_weight, reset=False)
    coef = np.atleast_2d(to_numpy(estimator.coef_))
    if partitions.n_targets != len(coef):
        raise ValueError(
            f"y has n_targets={partitions.n_targets}, and the model {len(coef)}."
        )
    intercept = np.broadcast_to(to_numpy(estimator.intercept_), len(coef))
    errors = squared_errors(partitions, coef[None], intercept[None])
    few = errors.n_rows < 2 and partitions.count() < 2  # some may have no weight
    if metric == "r2" and few:
        warn("R^2 of fewer than two rows is not defined.", UndefinedMetricWarning)
        return math.nan
    scores = SCORES_OF_SQUARES[metric](errors.mean, errors.variance)
    return float(scores.mean())


def _predicted(model: BaseEstimator, dtype: np.dtype, X: Any) -> Any:
    """Return the predictions for a partition, which may be empty; runs in a task."""
    prediction = np.empty((0, *model.coef_.shape[:-1]), dtype)
    if X.shape[0]:
        prediction = predict_here(model, X)
    if not hasattr(X, "iloc"):
        return prediction
    columns = np.atleast_2d(prediction.T)
    frame = X.iloc[:, :0].assign(**{f"y{t}": y for t, y in enumerate(columns)})
    if prediction.ndim == 1:
        return frame["y0"].rename(None)
    return frame
