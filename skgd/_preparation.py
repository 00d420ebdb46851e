"""From validated rows to a problem: condensed, whitened, or a batch at a time."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import RandomState
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split

from skgd._data.coordinates import (
    Coordinates,
    CoordinatesSideBySide,
    RowCoordinates,
    WhiteCoordinates,
    shared_l2,
    standardized_coordinates,
    user_coordinates,
)
from skgd._data.device import Device
from skgd._data.moments import ColumnMoments, Moments, moments_of
from skgd._data.row_sources import RowsHere, RowsInMemory, RowsOnDemand
from skgd._data.rows import (
    Rows,
    RowsAnywhere,
    averaging_one,
    canonical,
    flatnonzero,
    in_working_dtype,
    laid_out_for_products,
    ones_of,
    without_zero_weights,
)
from skgd._data.tensors import cast, cuts_digits, dtype_of, for_autograd, sent
from skgd._data.user_input import check_sizes, check_values, refuse_nan_and_infinity
from skgd._data.whitening import (
    MOST_BYTES,
    Triangle,
    bytes_of_matrix,
    side_by_side,
    triangle_of,
    triangle_of_moments,
    triangle_of_rows,
    triangles_of,
    triangles_of_moments,
    white_coordinates,
    white_rows,
)
from skgd._descent.batches import FullBatch, MiniBatches
from skgd._descent.problem import Problem
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty, penalty_of
from skgd._settings import Settings
from skgd._typing import Array
from skgd._warn import warn

if TYPE_CHECKING:
    import torch

# Below so many rows an epoch is all overhead; and rows have to be many more than
# columns to be worth the products of each column with each (3000 x 1000: twice the
# time).
_LEAST_ROWS, _LEAST_ROWS_A_COLUMN, MOST_COLUMNS = 1000, 10, 2000

# White coordinates take a matrix of n_features x n_features, by which every batch is
# multiplied: of 64 rows and 300 columns, an epoch takes 2.7 times as long. It ends 2e-5
# above the least loss, where standardized columns that correlate end 4e-3 above.
MOST_COLUMNS_IN_BATCHES, _MOST_COLUMNS_IF_WIDE = 500, 500

# Up to so many elements, float32 rows are descended on in float64, which costs little;
# and however many where columns are so near each other that it takes these digits.
FEW_ELEMENTS, _CONDITION_OF_FLOAT32 = 2**18, 100.0

# Up to so many columns the moments of uncondensed rows are summed up as well.
_FEW_COLUMNS = 100


def problem_of(
    rows: Rows, settings: Settings, validation: Rows | None = None
) -> Problem:
    """Return what to descend on, and what to score to stop early.

    That is the validation rows or, where there are none, rows drawn at random.
    """
    if not settings.early_stopping:
        return _problem_of(rows, settings)
    held_out = validation
    if held_out is None:
        rows, held_out = split(
            rows, settings.validation_fraction, settings.random_state
        )
    if settings.scoring.is_r2:
        _check_spread(rows, held_out)
    if settings.scoring.of_squares:
        weight, _ = averaging_one(held_out.weight)
        problem = _problem_of(rows, settings, held_out._replace(weight=weight))
        return replace(problem, validation=validation is not None)
    held_out = without_zero_weights(canonical(held_out))
    refuse_nan_and_infinity(held_out.X)
    if dtype_of(held_out.X).kind != "f":
        held_out = held_out._replace(X=cast(held_out.X, np.dtype(np.float64)))
    return replace(_problem_of(rows, settings), scored_rows=held_out)


def _problem_of(
    rows: Rows, settings: Settings, held_out: Rows | None = None
) -> Problem:
    """Return what to descend on.

    Rows are centred before they are cast: float32 then spends no digits on the offset.
    Condensed rows are so few that float64 costs no more.
    """
    weight, unit = averaging_one(rows.weight)
    rows = rows._replace(weight=weight)
    n_rows = rows.n_with_weight
    batch_size = rows_a_batch(settings.batch_size, n_rows)
    if batch_size < n_rows:
        check_batches_not_condensed(settings)
        check_values(rows)
        shuffle = settings.random_state if settings.shuffle else None
        return uncondensed(rows, settings, held_out, batch_size, shuffle)
    condenses = pays_to_condense(rows, settings)
    moments = None
    if condenses or _keeps_moments(rows, settings):
        try:
            moments = moments_of(rows)
        except ValueError:  # their squares leave the range of float64
            if settings.precompute is True:
                raise
    if moments is not None and condenses:
        others = None if held_out is None else moments_of(held_out)
        problem = condensed(moments, settings, n_rows, others, rows)
    else:
        check_values(rows)
        problem = uncondensed(rows, settings, held_out)
    if moments is None or settings.early_stopping:
        return problem
    with suppress(ValueError):  # the weights leave the range of float64
        problem = replace(problem, moments=moments.times(unit))  # for a stream
    return problem


def condensed(
    moments: Moments,
    settings: Settings,
    n_samples: int,
    held_out: Moments | None,
    rows: RowsAnywhere,
    *,
    of_a_stream: bool = False,
) -> Problem:
    """Return the problem on a few rows that have these moments.

    In white coordinates, a penalty of squares is part of the data: as many rows more.
    Targets with penalties of their own have coordinates of their own there.
    The rows that the moments are of have more digits, and tell what they do not
    resolve; of a stream, the last ones are there.
    """
    most = most_columns(n_samples, moments.n_features)
    white = whitens(moments.n_features, settings, MOST_COLUMNS if of_a_stream else most)
    columns, y = ColumnMoments.from_moments(moments)
    others, penalty = None, None
    coordinates: Coordinates
    if white and _puts_ridges_among_rows(settings, moments, held_out):
        few, coordinates = _white_with_ridges(
            moments, columns, y.mean, settings, rows, of_a_stream=of_a_stream
        )
        penalty = Penalty()
    else:
        if white:
            coordinates = white_coordinates_of(
                moments, y.mean, settings, rows, of_a_stream=of_a_stream
            )
        else:
            coordinates = coordinates_of(moments, settings)
        few = _condensed_in(coordinates, moments)
    if held_out is not None:
        assert isinstance(coordinates, RowCoordinates)
        others = _condensed_in(coordinates, held_out)
    if not settings.device.has_float64:
        few = in_working_dtype(few, settings.dtype)
        others = others and in_working_dtype(others, settings.dtype)
    problem = _problem(
        FullBatch(few, settings.device, n_samples),
        coordinates,
        settings,
        None if others is None else RowsInMemory(others),
        penalty,
    )
    targets = y._replace(mean=y.mean - coordinates.y_offset)
    return replace(problem, known_targets=targets)


def _puts_ridges_among_rows(
    settings: Settings, moments: Moments, held_out: Moments | None
) -> bool:
    """Return whether penalties of squares are data: for several, if matrices fit.

    Otherwise, and where there are rows held out, which have one place alone, one matrix
    serves all targets, and the objective adds the penalties.
    """
    if not isinstance(settings.l2, np.ndarray):
        return True
    n_bytes = len(np.unique(settings.l2)) * bytes_of_matrix(moments.n_features)
    return held_out is None and n_bytes <= MOST_BYTES


def _white_with_ridges(
    moments: Moments,
    columns: ColumnMoments,
    y_offset: np.ndarray,
    settings: Settings,
    rows: RowsAnywhere,
    *,
    of_a_stream: bool,
) -> tuple[Rows, Coordinates]:
    """Return white rows among which penalties of squares are, and where they lie."""
    centered, l2 = settings.fit_intercept, settings.l2
    if not isinstance(l2, np.ndarray):
        find = triangle_of_moments if of_a_stream else triangle_of
        triangle = find(moments, rows, centered=centered, l2=l2)
        white = _white(triangle, columns, y_offset, settings)
        return white_rows(triangle, centered=centered), white
    l2s, chosen = np.unique(l2, return_inverse=True)
    find_all = triangles_of_moments if of_a_stream else triangles_of
    triangles = find_all(moments, rows, centered=centered, l2s=l2s)
    parts = [_white(triangle, columns, y_offset, settings) for triangle in triangles]
    few = white_rows(side_by_side(triangles, chosen), centered=centered)
    return few, CoordinatesSideBySide(
        [parts[k].of_target(target) for target, k in enumerate(chosen)]
    )


def _condensed_in(coordinates: RowCoordinates, moments: Moments) -> Rows:
    """Return a few rows that have the moments, in these coordinates."""
    return Rows(*replace(coordinates.moments(moments), y_is_1d=False).condense())


def uncondensed(
    rows: Rows,
    settings: Settings,
    held_out: Rows | None = None,
    batch_size: int | None = None,
    shuffle: RandomState | None = None,
    coordinates: RowCoordinates | None = None,
) -> Problem:
    """Return the problem on the rows themselves: all at once, or a batch at a time."""
    if rows.are_tensors:  # they are descended on where they lie
        settings = replace(settings, device=Device(rows.X.device))
        rows = Rows(*(a if a is None else for_autograd(a) for a in rows))
    rows, device = canonical(rows), settings.device
    if coordinates is None:
        coordinates = coordinates_of(rows, settings, in_batches=batch_size is not None)
    if not settings.standardize:
        check_sizes(rows.X)
    n_elements = rows.X.nnz if issparse(rows.X) else math.prod(rows.X.shape)
    dtype = dtype_of_rows(n_elements, coordinates, settings)
    if dtype == np.float32 and device.torch_device is not None:
        _warn_of_cut_digits(device.torch_device)
    others: RowsHere | None = None
    if batch_size is not None:
        if held_out is not None:
            others = RowsOnDemand(canonical(held_out), coordinates, dtype)
        source = RowsOnDemand(rows, coordinates, dtype)
        batches = MiniBatches(source, device, batch_size, shuffle)
        return _problem(batches, coordinates, settings, others)
    rows = in_working_dtype(without_zero_weights(rows), dtype)
    if settings.standardize and device.torch_device is None:  # else X is not copied
        rows = laid_out_for_products(rows)
    if held_out is not None:
        held_out = in_working_dtype(without_zero_weights(canonical(held_out)), dtype)
        others = RowsInMemory(in_working_dtype(coordinates.rows(held_out), dtype))
    rows = in_working_dtype(coordinates.rows(rows), dtype)
    return _problem(FullBatch(rows, device), coordinates, settings, others)


def _warn_of_cut_digits(device: torch.device) -> None:
    """Warn where torch has been allowed to multiply float32 with fewer digits."""
    if cuts_digits(device):
        warn(
            "torch is allowed TensorFloat-32 here: the products of float32 columns, "
            "and so the gradients, have three digits. Set torch.backends.cuda.matmul."
            "fp32_precision = 'ieee', or pass X as float64.",
            UserWarning,
        )


def dtype_of_rows(
    n_elements: int, coordinates: Coordinates, settings: Settings
) -> np.dtype:
    """Return the dtype to descend in: float64 where float32 would save nothing.

    Or where it has no digits left for the differences of columns.
    """
    if settings.device.has_float64:
        few = n_elements <= FEW_ELEMENTS
        if few or coordinates.condition > _CONDITION_OF_FLOAT32:
            return np.dtype(np.float64)
    return settings.dtype


def _problem(
    batches: FullBatch | MiniBatches,
    coordinates: Coordinates,
    settings: Settings,
    held_out: RowsHere | None,
    penalty: Penalty | None = None,
) -> Problem:
    """Return the problem; its penalty is that of the coordinates, if no other."""
    if penalty is None:
        penalty = penalty_in(coordinates, settings, batches.dtype)
    return Problem(
        batches,
        Objective(settings.loss, penalty),
        coordinates,
        settings.device,
        settings.fit_intercept,
        held_out,
    )


def rescaled(problem: Problem, coordinates: Coordinates) -> Problem:
    """Return the problem of condensed rows in coordinates of other scales."""
    factors = problem.coordinates.coef_scale / coordinates.coef_scale
    rows, n_samples = problem.full_rows, problem.batches.n_samples
    rows = rows._replace(X=rows.X * factors[:, 0])
    batches = FullBatch(rows, problem.device, n_samples)
    return replace(problem, batches=batches, coordinates=coordinates)


def penalized(problem: Problem, settings: Settings) -> Problem:
    """Return a problem with the penalty that settings of the same coordinates have."""
    penalty = penalty_in(problem.coordinates, settings, problem.batches.dtype)
    return replace(problem, objective=Objective(settings.loss, penalty))


def penalty_in(
    coordinates: Coordinates, settings: Settings, dtype: np.dtype
) -> Penalty:
    """Return the penalty in these coordinates, checked."""
    with np.errstate(over="ignore"):
        penalty = penalty_of(
            settings.alpha,
            settings.l1_ratio,
            settings.positive,
            coordinates.coef_scale,
        )
    weights = [w.max() for w in penalty[:2] if w is not None]
    if weights and not max(weights) < np.finfo(dtype).max / 4:
        raise ValueError(
            f"{settings.penalty} overflows {dtype} in the units of the descent. Use a "
            "smaller alpha"
            f"{', or pass X as float64' if dtype == np.float32 else ''}."
        )
    return penalty


def coordinates_of(
    data: Rows | Moments, settings: Settings, *, in_batches: bool = False
) -> RowCoordinates:
    """Return white coordinates, standardized ones, or the user's own.

    Sparse rows of the full batch are centred as well: where their entries are positive,
    their mean is the direction of by far the largest eigenvalue (20,000 x 100,000 at
    density 1e-3: of 77 in place of 11), and a fit takes 42 epochs in place of 173.
    """
    centered = settings.fit_intercept
    if isinstance(data, Rows) and whitens_rows(data, settings, in_batches=in_batches):
        y_offset = settings.loss.center(data.y, data.weight)
        try:
            return white_coordinates_of(moments_of(data), y_offset, settings, data)
        except ValueError:  # their squares leave the range of float64
            columns = ColumnMoments.from_columns(data.X, data.weight)
            return white_coordinates_of_rows(data, columns, y_offset, settings)
    if not settings.standardize:
        return user_coordinates(data.n_features, data.n_targets)
    y_offset = np.zeros(data.n_targets)
    if isinstance(data, Moments):
        columns, y = ColumnMoments.from_moments(data)
        if centered:
            y_offset = y.mean
    else:
        columns = ColumnMoments.from_columns(data.X, data.weight)
        if centered:
            y_offset = settings.loss.center(data.y, data.weight)
        centered = centered and not (in_batches and issparse(data.X))
    return standardized_coordinates(
        columns, y_offset, centered=centered, l2=settings.l2
    )


def white_coordinates_of(
    moments: Moments,
    y_offset: np.ndarray,
    settings: Settings,
    rows: RowsAnywhere,
    *,
    of_a_stream: bool = False,
) -> WhiteCoordinates:
    """Return the coordinates in which rows of these moments are white.

    The objective is to add a penalty of squares.
    """
    find = triangle_of_moments if of_a_stream else triangle_of
    columns, _ = ColumnMoments.from_moments(moments)
    l2 = shared_l2(settings.l2, columns, centered=settings.fit_intercept)
    triangle = find(moments, rows, centered=settings.fit_intercept, l2=l2)
    return _white(triangle, columns, y_offset, settings, l2=l2)


def white_coordinates_of_rows(
    rows: RowsAnywhere,
    columns: ColumnMoments,
    y_offset: np.ndarray,
    settings: Settings,
) -> WhiteCoordinates:
    """Return the coordinates in which rows are white, of which there are no moments."""
    centered = settings.fit_intercept
    l2 = shared_l2(settings.l2, columns, centered=centered)
    triangle = triangle_of_rows(rows, centered=centered, l2=l2)
    return _white(triangle, columns, y_offset, settings, l2=l2)


def _white(
    triangle: Triangle,
    columns: ColumnMoments,
    y_offset: np.ndarray,
    settings: Settings,
    l2: float = 0.0,
) -> WhiteCoordinates:
    """Return the white coordinates of a triangle, which is about 0 or the mean."""
    X_offset, sizes = columns.mean, np.hypot(columns.mean, columns.spread)
    if not settings.fit_intercept:
        X_offset, y_offset = np.zeros_like(X_offset), np.zeros_like(y_offset)
    return white_coordinates(triangle, X_offset, y_offset, sizes[:, None], l2=l2)


def whitens(n_features: int, settings: Settings, most: int = MOST_COLUMNS) -> bool:
    """Decide on `whiten`; "auto": up to so many columns."""
    if settings.whiten == "auto":
        return n_features <= most
    n_bytes = bytes_of_matrix(n_features)
    if settings.whiten and n_bytes > MOST_BYTES:
        raise ValueError(
            "whiten=True takes a matrix of n_features x n_features, for n_features="
            f"{n_features} {n_bytes / 1e9:.1f} GB, and at most {MOST_BYTES / 1e9:.1f} "
            "are allowed. Leave whiten at 'auto', which standardizes where there are "
            f"more than {MOST_COLUMNS} columns, or reduce the columns."
        )
    return settings.whiten


def most_columns(n_rows: int, n_features: int) -> int:
    """Return up to how many columns to whiten; of wide tables the matrix is mostly 0.

    Of 200 x 1900 values, a fit takes ten times as long with it.
    """
    return MOST_COLUMNS if n_rows > n_features else _MOST_COLUMNS_IF_WIDE


def whitens_rows(rows: Rows, settings: Settings, *, in_batches: bool) -> bool:
    """Decide on `whiten` where the rows are read; it makes sparse ones dense."""
    most = most_columns(len(rows.y), rows.n_features)
    if in_batches:
        most = MOST_COLUMNS_IN_BATCHES
    if issparse(rows.X) and math.prod(rows.X.shape) > FEW_ELEMENTS:
        most = 0
    return whitens(rows.n_features, settings, most)


def rows_a_batch(
    batch_size: float | None, n_rows: int, *, of_a_chunk: bool = False
) -> int:
    """Return the number of rows a batch; that of all rows is the full batch.

    A chunk of fewer rows is one short batch.
    """
    if batch_size is None:
        return n_rows
    if not isinstance(batch_size, Integral):
        return max(round(batch_size * n_rows), 1)
    if of_a_chunk:
        return int(batch_size)
    if batch_size > n_rows:
        warn(
            f"batch_size={batch_size} is larger than the number of rows to train on, "
            f"n_samples={n_rows}. It is clipped to that, the full batch.",
            UserWarning,
        )
    return min(int(batch_size), n_rows)


def check_batches_not_condensed(settings: Settings) -> None:
    """Raise where rows are to be condensed, and read in batches."""
    if settings.precompute is not True:
        return
    raise ValueError(
        "precompute=True condenses all rows to a few, which leaves no batches of "
        f"batch_size={settings.batch_size}. Leave precompute at 'auto', or batch_size "
        "at None: on condensed data, an epoch of the full batch costs microseconds."
    )


def pays_to_condense(rows: Rows, settings: Settings) -> bool:
    """Decide on `precompute`."""
    if settings.precompute != "auto":
        return bool(settings.precompute)
    n_columns = rows.n_features + rows.n_targets
    if n_columns > MOST_COLUMNS:
        return False
    most = most_columns(rows.n_with_weight, rows.n_features)
    if whitens(rows.n_features, settings, most):
        return True
    if issparse(rows.X):
        if settings.has_auto_rate:
            return True  # so that it is centred, too
        if rows.X.nnz < n_columns**2:
            return False  # an epoch on the rows costs no more
    enough = max(_LEAST_ROWS, _LEAST_ROWS_A_COLUMN * n_columns)
    return rows.n_with_weight > enough


def _keeps_moments(rows: Rows, settings: Settings) -> bool:
    """Decide whether to sum up rows that are not condensed, too, for a stream.

    With few columns that costs next to nothing.
    """
    few_columns = rows.n_features + rows.n_targets <= _FEW_COLUMNS
    return settings.precompute == "auto" and not settings.early_stopping and few_columns


def split(
    rows: Rows, validation_fraction: float, random_state: RandomState
) -> tuple[Rows, Rows]:
    """Draw which rows to train on, and which to hold out: others get no weight.

    Rows of weight zero are in neither. At least two rows are held out: R^2 compares
    with the spread of y.
    """
    weight, n = rows.weight, rows.n_with_weight
    n_held_out = max(math.ceil(validation_fraction * n), 2)
    if n_held_out >= n:
        raise ValueError(
            f"early_stopping=True with validation_fraction={validation_fraction:g} "
            f"would hold {n_held_out} rows out of n_samples={n}"
            f"{'' if weight is None else ' with a weight'}, and leave none to train on "
            "(at least two are held out). Pass more rows, a smaller "
            "validation_fraction, or early_stopping=False."
        )
    chosen = train_test_split(
        np.arange(n), test_size=n_held_out, random_state=random_state
    )
    if rows.are_tensors:  # which torch looks up as it does a list otherwise
        chosen = [sent(index, rows.X.device) for index in chosen]
    if weight is not None:
        candidates = flatnonzero(weight)
        chosen = [candidates[index] for index in chosen]
    training, held_out = (_restricted(rows, index) for index in chosen)
    return training, held_out


def _check_spread(training: Rows, held_out: Rows) -> None:
    """Raise or warn where R^2 has no spread of the targets to compare with."""
    n = held_out.n_with_weight
    if n < 2:
        raise ValueError(
            "X_val has one row with a weight, and R^2 compares the errors with the "
            "spread of y_val. Pass more rows, or score by another measure, such as "
            "scoring='neg_mean_squared_error'."
        )
    if _targets_vary(training) and not _targets_vary(held_out):
        warn(
            f"The targets of the {n} rows held out do not vary. R^2 compares the "
            "errors with their spread, and is the same for all models: early_stopping "
            "keeps that of the first epoch. Score by another measure, such as "
            "scoring='neg_mean_squared_error', or hold out other rows (X_val and "
            "y_val), or more (validation_fraction).",
            UserWarning,
        )


def _targets_vary(rows: Rows) -> bool:
    """Return whether any target does, among the rows that have a weight."""
    y = rows.y if rows.weight is None else rows.y[rows.weight > 0]
    return bool((y != y[0]).any())


def _restricted(rows: Rows, index: Array) -> Rows:
    """Return the rows of which only some have a weight."""
    ones = ones_of(rows)
    weight = 0 * ones
    weight[index] = (ones if rows.weight is None else rows.weight)[index]
    return rows._replace(weight=weight)
