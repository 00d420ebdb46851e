"""The way of rows to the descent: condensed, standardized, or a batch at a time."""

from __future__ import annotations

import warnings
from dataclasses import replace
from numbers import Integral
from typing import NamedTuple

import numpy as np
from numpy.random import RandomState
from scipy.sparse import issparse
from sklearn.utils import gen_batches

from skgd._data.arrays import Placement
from skgd._data.batches import FullBatch, LazyRows, MiniBatches, ReadyRows
from skgd._data.coordinates import (
    Coordinates,
    standardized_coordinates,
    users_coordinates,
)
from skgd._data.moments import Moments
from skgd._data.rows import (
    Rows,
    averaging_one,
    canonical,
    in_working_dtype,
    without_unit_weights,
    without_zero_weights,
)
from skgd._data.scatter import dense_scatter, sparse_scatter
from skgd._data.validation import check_values
from skgd._descent.held_out import Validation, split
from skgd._objective.losses import Loss

# Selected rows are gathered so many elements at a time.
_GATHERED_ELEMENTS = 2**20

# Below so many rows an epoch is all overhead; and rows have to be many more than
# columns to be worth the products of each column with each (3000 x 1000: twice the
# time).
_LEAST_ROWS, _LEAST_ROWS_A_COLUMN, MOST_COLUMNS = 1000, 10, 2000

# Up to so many columns the moments of uncondensed rows are summed up as well.
_FEW_COLUMNS = 100

# From rows_a_batch to the line that called fit: prepared, fit, and its decorator.
_FRAMES_TO_USER = 5


class Plan(NamedTuple):
    """What is to be done with the rows."""

    fit_intercept: bool
    standardize: bool
    precompute: bool | str
    loss: Loss
    l2: float  # weight of the squares of the coefficients, in the user's units
    batch_size: float | None
    shuffle: bool
    validation_fraction: float | None  # None: nothing is held out


class Prepared(NamedTuple):
    """Rows ready for a descent."""

    batches: FullBatch | MiniBatches
    coordinates: Coordinates
    validation: Validation | None = None
    moments: Moments | None = None  # of all rows, in the user's units, where known


def prepared(
    rows: Rows,
    dtype: np.dtype,
    placement: Placement,
    plan: Plan,
    random_state: RandomState,
) -> Prepared:
    """Prepare validated rows as planned.

    They are cast last: shifted to the origin, float32 has all its digits for the rest.
    Condensed, they are so few that float64 costs no more.
    """
    weight, unit = averaging_one(rows.weight)
    rows, held_out = rows._replace(weight=weight), None
    if plan.validation_fraction is not None:
        chosen = split(weight, len(rows.y), plan.validation_fraction, random_state)
        rows, held_out = (_restricted(rows, index) for index in chosen)
    n_rows = rows.n_with_weight
    batch_size = rows_a_batch(plan.batch_size, n_rows)
    if batch_size < n_rows:
        if plan.precompute is True:
            refuse_to_condense_batches(plan.batch_size)
        check_values(rows)
        shuffle = random_state if plan.shuffle else None
        return batched(rows, dtype, placement, plan, batch_size, shuffle, held_out)
    if _pays_to_condense(rows, plan.precompute):
        moments = moments_of(rows)
        others = None if held_out is None else moments_of(held_out)
        ready = condensed(moments, dtype, placement, plan, n_rows, others)
        if held_out is None:
            ready = ready._replace(moments=moments.times(unit))
        return ready
    check_values(rows)
    ready = _as_they_are(rows, dtype, placement, plan, held_out)
    return ready._replace(moments=_kept_moments(rows, plan, unit))


def rows_a_batch(
    batch_size: float | None, n_rows: int, *, of_a_chunk: bool = False
) -> int:
    """Resolve `batch_size`; as many as there are rows are the full batch.

    A chunk of fewer rows is one short batch.
    """
    if batch_size is None:
        return n_rows
    if not isinstance(batch_size, Integral):
        return max(round(batch_size * n_rows), 1)
    if of_a_chunk:
        return int(batch_size)
    if batch_size > n_rows:
        warnings.warn(
            f"batch_size={batch_size} is larger than the number of rows to train on, "
            f"n_samples={n_rows}. It is clipped to that, the full batch.",
            UserWarning,
            stacklevel=_FRAMES_TO_USER,
        )
    return min(int(batch_size), n_rows)


def _pays_to_condense(rows: Rows, precompute: bool | str) -> bool:
    """Decide on `precompute`."""
    if precompute != "auto":
        return bool(precompute)
    n_columns = rows.n_features + rows.n_targets
    if issparse(rows.X) and rows.X.nnz < n_columns**2:
        return False  # an epoch on the rows costs no more
    enough = max(_LEAST_ROWS, _LEAST_ROWS_A_COLUMN * n_columns)
    return rows.n_with_weight > enough and n_columns <= MOST_COLUMNS


def moments_of(rows: Rows) -> Moments:
    """Sum rows up; where some weigh nothing, the others are gathered, few at a time."""
    if rows.weight is None or rows.weight.all():
        scatter_of = sparse_scatter if issparse(rows.X) else dense_scatter
        return Moments(*scatter_of(*rows), n_features=rows.n_features)
    index = np.flatnonzero(rows.weight)
    rows = without_unit_weights(rows)
    n_gathered = max(_GATHERED_ELEMENTS // rows.n_features, 1000)
    few, *others = gen_batches(len(index), n_gathered)
    moments = moments_of(rows.at(index[few]))
    for few in others:
        moments += moments_of(rows.at(index[few]))
    return moments


def condensed(
    moments: Moments,
    dtype: np.dtype,
    placement: Placement,
    plan: Plan,
    n_samples: int,
    held_out: Moments | None = None,
) -> Prepared:
    """Turn the moments of so many rows into rows again, few of them."""
    coordinates = _coordinates(moments, plan)

    def ready(moments: Moments) -> Rows:
        moments = replace(coordinates.moments(moments), y_is_1d=False)
        rows = Rows(*moments.condense(), weight=None)
        return rows if placement.has_float64 else in_working_dtype(rows, dtype)

    validation = None
    if held_out is not None:
        validation = Validation(ReadyRows(ready(held_out)), placement)
    batches = FullBatch(ready(moments), placement, n_samples)
    return Prepared(batches, coordinates, validation)


def batched(
    rows: Rows,
    dtype: np.dtype,
    placement: Placement,
    plan: Plan,
    batch_size: int,
    shuffle: RandomState | None,
    held_out: Rows | None = None,
    coordinates: Coordinates | None = None,
) -> Prepared:
    """Leave the rows where they are, to be read a batch at a time."""
    rows = canonical(rows)
    if coordinates is None:
        coordinates = _coordinates(rows, plan)
    validation = None
    if held_out is not None:
        held_out = canonical(held_out)
        validation = Validation(LazyRows(held_out, coordinates, dtype), placement)
    batches = MiniBatches(
        LazyRows(rows, coordinates, dtype), placement, batch_size, shuffle
    )
    return Prepared(batches, coordinates, validation)


def _as_they_are(
    rows: Rows,
    dtype: np.dtype,
    placement: Placement,
    plan: Plan,
    held_out: Rows | None,
) -> Prepared:
    """Bring a copy of the rows to the coordinates, where these are not the user's."""
    rows = in_working_dtype(without_zero_weights(canonical(rows)), dtype)
    coordinates = _coordinates(rows, plan)

    def ready(rows: Rows) -> Rows:
        return in_working_dtype(coordinates.rows(rows), dtype)

    validation = None
    if held_out is not None:
        held_out = in_working_dtype(without_zero_weights(canonical(held_out)), dtype)
        validation = Validation(ReadyRows(ready(held_out)), placement)
    return Prepared(FullBatch(ready(rows), placement), coordinates, validation)


def _kept_moments(rows: Rows, plan: Plan, unit: float) -> Moments | None:
    """Sum up rows that are not condensed, too, where that costs next to nothing.

    A stream can then go on from them.
    """
    few_columns = rows.n_features + rows.n_targets <= _FEW_COLUMNS
    if plan.precompute != "auto" or plan.validation_fraction or not few_columns:
        return None
    try:
        return moments_of(rows).times(unit)
    except ValueError:  # their squares leave the range of float64
        return None


def _coordinates(data: Rows | Moments, plan: Plan) -> Coordinates:
    """Choose the coordinates of the descent."""
    if plan.standardize:
        return standardized_coordinates(
            data, plan.loss, fit_intercept=plan.fit_intercept, l2=plan.l2
        )
    return users_coordinates(data)


def _restricted(rows: Rows, index: np.ndarray) -> Rows:
    """Let only some rows have a weight."""
    weight = np.zeros(len(rows.y))
    weight[index] = 1 if rows.weight is None else rows.weight[index]
    return rows._replace(weight=averaging_one(weight)[0])


def refuse_to_condense_batches(batch_size: float | None) -> None:
    """Raise: batches are not condensed."""
    raise ValueError(
        "precompute=True condenses all rows to a few, which leaves no batches of "
        f"batch_size={batch_size}. Leave precompute at 'auto', or batch_size at None: "
        "on condensed data, an epoch of the full batch costs microseconds."
    )
