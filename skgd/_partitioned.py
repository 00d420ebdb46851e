"""From rows in partitions of Dask's to a problem: condensed, or evaluated in parts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.base import clone

from skgd._data.coordinates import (
    RowCoordinates,
    standardized_coordinates,
    user_coordinates,
)
from skgd._data.moments import Moments
from skgd._data.partitions import Census, Partitions
from skgd._data.row_sources import RowsInPartitions
from skgd._data.rows import (
    Rows,
    canonical,
    laid_out_for_products,
    without_zero_weights,
)
from skgd._data.user_input import check_sizes, check_targets_sizes
from skgd._descent.batches import Batches
from skgd._descent.partitioned import (
    Evaluation,
    PartitionedBatch,
    PartitionedMiniBatches,
)
from skgd._descent.problem import Problem
from skgd._objective.objective import Objective
from skgd._preparation import (
    FEW_ELEMENTS,
    MOST_COLUMNS,
    MOST_COLUMNS_IN_BATCHES,
    check_batches_not_condensed,
    condensed,
    dtype_of_rows,
    most_columns,
    penalty_in,
    problem_of,
    rows_a_batch,
    white_coordinates_of,
    white_coordinates_of_rows,
    whitens,
)
from skgd._settings import Settings

# Root mean squares of float32 columns, all of whose squares float32 can hold.
_LEAST_SIZE, _MOST_SIZE = 1e-12, 1e12


def problem_of_data(
    rows: Rows | Partitions, settings: Settings, validation: Rows | None = None
) -> Problem:
    """Return what to descend on, wherever the rows are.

    Its batches are to be closed at the end.
    """
    if isinstance(rows, Rows):
        return problem_of(rows, settings, validation)
    return _problem_of(rows, settings)


def _problem_of(partitions: Partitions, settings: Settings) -> Problem:
    """Return the problem of all partitions."""
    census = _census(partitions, settings)
    check_targets_sizes(np.hypot(census.targets.mean, census.targets.spread))
    n_rows = census.n_with_weight
    batch_size = rows_a_batch(settings.batch_size, n_rows)
    if batch_size >= n_rows:
        moments = _moments_to_condense(partitions, settings)
        if moments is not None:
            problem = condensed(moments, settings, n_rows, None, partitions)
            return replace(problem, moments=moments)
        return _in_parts(partitions, census, settings)
    check_batches_not_condensed(settings)
    return _in_parts(partitions, census, settings, batch_size)


def _condenses(partitions: Partitions, settings: Settings) -> bool:
    """Decide on `precompute`: rows that are elsewhere are summed up if they can be."""
    if settings.precompute != "auto":
        return bool(settings.precompute)
    return partitions.n_features + partitions.n_targets <= MOST_COLUMNS


def _moments_to_condense(partitions: Partitions, settings: Settings) -> Moments | None:
    """Return the moments to descend on; None: rows are to be descended on in parts."""
    if not _condenses(partitions, settings):
        return None
    if settings.precompute is True:
        return partitions.moments
    return partitions.census(moments=True).moments


def _census(partitions: Partitions, settings: Settings) -> Census:
    """Return what there is to know of the rows before they are descended on."""
    most, condenses = MOST_COLUMNS_IN_BATCHES, False
    if settings.batch_size is None:
        most, condenses = MOST_COLUMNS, _condenses(partitions, settings)
    return partitions.census(
        moments=condenses or whitens(partitions.n_features, settings, most),
        center=settings.loss.center,
    )


def _in_parts(
    partitions: Partitions,
    census: Census,
    settings: Settings,
    batch_size: int | None = None,
) -> Problem:
    """Return the problem whose rows stay where they lie, prepared."""
    coordinates = _coordinates(
        partitions, census, settings, in_batches=batch_size is not None
    )
    dtype = _dtype(partitions, census, coordinates, settings)
    penalty = penalty_in(coordinates, settings, dtype)
    objective, n_rows = Objective(settings.loss, penalty), census.n_with_weight
    d, n_targets = partitions.n_features, partitions.n_targets
    evaluation = Evaluation(
        clone(settings.strategy),
        objective,
        settings.device,
        dtype,
        ((d, n_targets), (n_targets,))[: 1 + settings.fit_intercept],
        n_rows,
    )
    in_columns = batch_size is None and settings.device.torch_device is None
    prepare = partial(
        _prepared,
        unit=census.unit,
        coordinates=coordinates,
        dtype=dtype,
        in_columns=in_columns and settings.standardize,
    )
    rows = RowsInPartitions(partitions.kept(prepare), n_rows, dtype)
    batches: Batches = PartitionedBatch(rows, evaluation)
    if batch_size is not None:
        shuffle = settings.random_state if settings.shuffle else None
        batches = PartitionedMiniBatches(rows, evaluation, batch_size, shuffle)
    targets = census.targets
    return Problem(
        batches,
        objective,
        coordinates,
        settings.device,
        settings.fit_intercept,
        known_targets=targets._replace(mean=targets.mean - coordinates.y_offset),
    )


def _coordinates(
    partitions: Partitions, census: Census, settings: Settings, *, in_batches: bool
) -> RowCoordinates:
    """Return white coordinates, standardized ones, or the user's own."""
    d, n_targets, n_rows = partitions.n_features, partitions.n_targets, census.n_rows
    y_offset = np.zeros(n_targets)
    if settings.fit_intercept:
        centers, counts = map(np.array, zip(*census.centers, strict=True))
        y_offset = settings.loss.center(centers, counts)
    most = MOST_COLUMNS_IN_BATCHES if in_batches else most_columns(n_rows, d)
    if census.is_sparse and n_rows * d > FEW_ELEMENTS:
        most = 0
    if whitens(d, settings, most):
        moments = partitions.census(moments=True).moments
        if moments is None:
            return white_coordinates_of_rows(
                partitions, census.features, y_offset, settings
            )
        return white_coordinates_of(moments, y_offset, settings, partitions)
    if not settings.standardize:
        _, mean, spread = census.features
        check_sizes(np.hypot(mean, spread)[None])
        return user_coordinates(d, n_targets)
    centered = settings.fit_intercept and not (in_batches and census.is_sparse)
    return standardized_coordinates(
        census.features, y_offset, centered=centered, l2=settings.l2
    )


def _dtype(
    partitions: Partitions,
    census: Census,
    coordinates: RowCoordinates,
    settings: Settings,
) -> np.dtype:
    """Return the dtype to descend in, which holds the squares of all columns."""
    n_elements = census.n_rows * partitions.n_features
    dtype = dtype_of_rows(n_elements, coordinates, settings)
    for _, mean, spread in (census.features, census.targets):
        sizes = np.hypot(mean, spread)
        if not ((sizes == 0) | ((sizes > _LEAST_SIZE) & (sizes < _MOST_SIZE))).all():
            dtype = np.dtype(np.float64)
    return dtype


def _prepared(
    rows: Rows,
    *,
    unit: float,
    coordinates: RowCoordinates,
    dtype: np.dtype,
    in_columns: bool,
) -> Rows:
    """Return rows in the coordinates of the descent; runs in a task."""
    if rows.weight is not None:
        weight = rows.weight / unit
        rows = rows._replace(weight=None if (weight == 1).all() else weight)
    rows = without_zero_weights(canonical(rows)).astype(dtype)
    if in_columns:
        rows = laid_out_for_products(rows)
    return coordinates.rows(rows).astype(dtype)
