"""The two ways of `partial_fit`: a chunk's moments, or an epoch of steps over it.

`estimator` is read, for its parameters and for what it was fitted to; it is for the
caller to change it.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from skgd._data.moments import Moments
from skgd._data.rows import Rows, averaging_one, canonical
from skgd._data.validation import check_values, parameters_to_start_from
from skgd._fit import Run, Setting, run
from skgd._preparation import (
    MOST_COLUMNS,
    batched,
    condensed,
    moments_of,
    refuse_to_condense_batches,
    rows_a_batch,
)
from skgd._stream import Stream

# Of all rows of a stream; below, float64 has no digits for it.
_LEAST_WEIGHT = float(np.finfo(np.float64).tiny)


def merges_moments(estimator: Any, rows: Rows, setting: Setting) -> bool:
    """Whether a chunk's moments are merged, rather than stepped over."""
    precompute = setting.plan.precompute
    if precompute != "auto":
        return bool(precompute)
    n_columns = rows.n_features + rows.n_targets
    return estimator.batch_size is None and n_columns <= MOST_COLUMNS


def descend_on_all(
    estimator: Any, rows: Rows, setting: Setting, *, going_on: bool
) -> tuple[Run, Moments]:
    """Add a chunk's moments to those of all before, and descend on the whole."""
    plan, _, placement, dtype, y_is_1d = setting
    if estimator.batch_size is not None:
        refuse_to_condense_batches(estimator.batch_size)
    if going_on and not hasattr(estimator, "moments_"):
        raise ValueError(
            "partial_fit cannot go on from this model: the moments of the rows "
            "that it was fitted on are not known. Fit in the full batch with "
            "precompute=True, or begin with partial_fit on an unfitted clone; or "
            "set batch_size, to take an epoch of small steps over the new rows "
            "alone."
        )
    weight, unit = averaging_one(rows.weight)
    moments = moments_of(rows._replace(weight=weight)).times(unit)
    moments = replace(moments, y_is_1d=y_is_1d)
    if going_on:
        moments = estimator.moments_ + moments
    if not np.isfinite(moments.scatter).all() or moments.weight < _LEAST_WEIGHT:
        raise ValueError(
            "The sums of sample_weight times the squares of the columns leave the "
            f"range of float64: the weights of these rows average {unit:.3g}. "
            "Rescale the weights of all chunks, or the columns."
        )
    with placement.gradients_on():
        # The number of rows is not known any more, only their weight.
        n_samples = max(round(moments.weight), 1)
        ready = condensed(moments, dtype, placement, plan, n_samples)
    start = parameters_to_start_from(estimator, rows, going_on=going_on)
    return run(estimator, ready, setting, start), moments


def take_an_epoch(
    estimator: Any, rows: Rows, setting: Setting, *, going_on: bool
) -> tuple[Run, Stream]:
    """Take an epoch of steps over a chunk."""
    check_values(rows)
    rows = canonical(rows)
    plan, _, placement, dtype, _ = setting
    stream = deepcopy(getattr(estimator, "_stream", None))
    if stream is None:
        seed = check_random_state(estimator.random_state).randint(2**31 - 1)
        stream = Stream(
            parameters_to_start_from(estimator, rows, going_on=going_on),
            np.random.RandomState(seed),
            getattr(estimator, "moments_", None),
        )
    rows = stream.take_in(rows)
    coordinates = None
    if plan.standardize:
        stream.shrink_where_scales_grew(rows, fit_intercept=plan.fit_intercept)
        coordinates = stream.coordinates(
            rows, plan.loss, fit_intercept=plan.fit_intercept, l2=plan.l2
        )
    batch_size = rows.n_with_weight
    if estimator.batch_size is not None:
        batch_size = rows_a_batch(
            estimator.batch_size, rows.n_with_weight, of_a_chunk=True
        )
    shuffle = stream.random_state if estimator.shuffle else None
    with placement.gradients_on():
        ready = batched(
            rows,
            dtype,
            placement,
            plan,
            batch_size,
            shuffle,
            coordinates=coordinates,
        )
    return run(estimator, ready, setting, stream.parameters, stream), stream
