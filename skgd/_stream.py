"""The two ways of `partial_fit`: a chunk's moments, or an epoch of steps over it.

The estimator is read for what it was fitted to; it is for the caller to change it.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import uuid4

import numpy as np
from numpy.random import RandomState
from scipy.sparse import issparse
from sklearn.base import BaseEstimator

from skgd._convergence import Fitted
from skgd._data.coordinates import (
    RowCoordinates,
    WhiteCoordinates,
    standardized_coordinates,
    user_coordinates,
)
from skgd._data.dask_collections import unpacked
from skgd._data.moments import Moments, moments_of
from skgd._data.partitions import NO_ROWS, Partitions, in_partition
from skgd._data.rows import (
    Rows,
    averaging_one,
    canonical,
    column_sums,
    copied,
    joined,
    ones_of,
    predicted,
    rows_beside,
    squared_norms,
)
from skgd._data.tensors import cast
from skgd._data.user_input import check_values, start_of
from skgd._descent.stable_rate import Smoothness
from skgd._descent.steps import StepsState
from skgd._descent.stopping import Plateau
from skgd._fit import Setup, fit, in_strategy, run, set_up
from skgd._preparation import (
    MOST_COLUMNS,
    check_batches_not_condensed,
    condensed,
    rows_a_batch,
    uncondensed,
    white_coordinates_of,
    whitens_rows,
)
from skgd._seen import Seen, outgrown_columns, outgrown_directions
from skgd._settings import Settings
from skgd._typing import NumpyParameters
from skgd._warn import Note, noting, warn

_FLOAT64 = np.dtype(np.float64)

# Of all rows of a stream; below, float64 has no digits for it.
_LEAST_WEIGHT = float(np.finfo(np.float64).tiny)

# Times as many rows as features; fewer tell too little of how columns correlate.
_ENOUGH_TO_WHITEN = 3

# Coordinates stay as they are for chunks of up to so many rows, up to so many rows
# together, whose squares there are less than this share of those of all rows before
# along a single direction.
_FEW_ROWS, _MOST_ROWS, _LEAST_CHANGE = 16, 64, 0.25


def merges_moments(rows: Rows | Partitions, settings: Settings) -> bool:
    """Return whether a chunk's moments are merged, rather than stepped over."""
    if settings.precompute != "auto":
        return bool(settings.precompute)
    n_columns = rows.n_features + rows.n_targets
    return settings.batch_size is None and n_columns <= MOST_COLUMNS


def merge_and_fit(
    estimator: BaseEstimator,
    rows: Rows | Partitions,
    settings: Settings,
    *,
    going_on: bool,
) -> tuple[Fitted, Moments]:
    """Add a chunk's moments to those of all before, and descend on the whole."""
    if settings.batch_size is not None:
        check_batches_not_condensed(settings)
    if going_on and not hasattr(estimator, "moments_"):
        raise ValueError(
            "partial_fit cannot go on from this model: the moments of the rows "
            "that it was fitted on are not known. Fit in the full batch with "
            "precompute=True, or begin with partial_fit on an unfitted clone; or "
            "set batch_size, to take an epoch of small steps over the new rows "
            "alone."
        )
    if isinstance(rows, Rows):
        weight, unit = averaging_one(rows.weight)
        moments = moments_of(rows._replace(weight=weight))
    else:
        moments, unit = rows.moments, 1.0
    moments = replace(moments, y_is_1d=settings.y_is_1d)
    try:
        moments = moments.times(unit)
        if going_on:
            moments = estimator.moments_ + moments
    except ValueError as error:
        raise ValueError(
            "The sums of sample_weight times the squares of the columns leave the "
            f"range of float64: the weights of these rows average {unit:.3g}. "
            "Rescale the weights of all chunks, or the columns."
        ) from error
    with settings.device.gradients_on():
        # The number of rows is not known any more, only their weight.
        n_samples = max(round(moments.weight), 1)
        problem = condensed(moments, settings, n_samples, None, rows, of_a_stream=True)
    start = start_of(estimator, rows, going_on=going_on)
    return fit(settings, problem, start), moments


def step_over_chunk(
    estimator: BaseEstimator, rows: Rows, settings: Settings, *, going_on: bool
) -> tuple[Fitted, Stream]:
    """Run an epoch of steps over a chunk."""
    check_values(rows)
    rows = canonical(rows)
    if hasattr(estimator, "_stream"):
        stream = copy(estimator._stream)  # whose other attributes are only replaced
    else:
        stream = Stream(
            start_of(estimator, rows, going_on=going_on),
            np.random.RandomState(settings.random_state.randint(2**31 - 1)),
            getattr(estimator, "moments_", None),
            averaging_one(rows.weight)[1],
        )
    n_rows = rows_a_batch(settings.batch_size, rows.n_with_weight, of_a_chunk=True)
    shuffle = None
    if settings.shuffle and n_rows < rows.n_with_weight:
        shuffle = stream.random_state = deepcopy(stream.random_state)
    rows, coordinates = stream.take_in(rows, settings)
    if settings.has_auto_rate and settings.schedule == "auto":
        # "adaptive" would compare the losses of different rows.
        settings = replace(settings, schedule=stream.schedule(settings.power_t))
    with settings.device.gradients_on():
        problem = uncondensed(rows, settings, None, n_rows, shuffle, coordinates)
    with in_strategy(settings):
        setup = set_up(settings, problem, stream.parameters, stream.smoothness)
        stream.resume(setup)
        fitted = run(setup, max_iter=1)
        stream.keep(setup)
    return fitted, stream


def step_over_partitions(
    estimator: BaseEstimator, partitions: Partitions, step: Callable[..., BaseEstimator]
) -> BaseEstimator:
    """Return a copy of an estimator to which each partition was a chunk, in order.

    It goes from partition to partition, where these lie. What there is to warn of comes
    back with it.

    Parameters
    ----------
    estimator : BaseEstimator
        The estimator, which does not change.
    partitions : Partitions
        The rows.
    step : callable
        Takes an estimator over X, y and, where there are any, the weights of a chunk,
        and returns it.
    """
    import dask

    go, token = dask.delayed(_step_over_partition, pure=False), uuid4().hex
    stepped = dask.delayed(_Stepped(copy(estimator), (), 0), traverse=False)
    for number, block in enumerate(partitions.blocks):
        name = f"skgd-chunk-{token}-{number}"
        stepped = go(step, stepped, number, *block, dask_key_name=name)
    ((stepped, notes, n_chunks),) = dask.compute(stepped)
    if n_chunks == 0:
        raise ValueError(NO_ROWS)
    for message, category in dict.fromkeys(notes):
        warn(message, category)
    return stepped


class _Stepped(NamedTuple):
    """An estimator on its way from partition to partition."""

    estimator: BaseEstimator
    notes: tuple[Note, ...]  # what to warn of
    n_chunks: int  # but for those without a row that has a weight


def _step_over_partition(
    step: Callable[..., BaseEstimator], stepped: _Stepped, number: int, *block: Any
) -> _Stepped:
    """Return a copy of an estimator that has stepped over a chunk; runs in a task."""
    X, y, *weights = unpacked(block)
    if X.shape[0] == 0 or not all(np.any(weight) for weight in weights):
        return stepped
    try:
        with noting() as notes:
            estimator = step(deepcopy(stepped.estimator), X, y, *weights)
    except ValueError as error:
        raise in_partition(number, error) from None
    return _Stepped(estimator, (*stepped.notes, *notes), stepped.n_chunks + 1)


class Stream:
    """What `partial_fit` carries from one chunk of rows to the next, an epoch each.

    Kept in float64 and in the user's units, since means and scales move as rows come
    in, and with them the coordinates of the descent: a change of coordinates changes no
    prediction. Settings are not kept: what they are at a call is what holds for it.

    Parameters
    ----------
    start : tuple of ndarrays
        Coefficients and, where there is one, the intercept to begin with.
    random_state : RandomState
        Draws the order of the rows of a chunk. The stream's own.
    moments : Moments or None, default=None
        Of the rows before, where they are known.
    unit : float, default=1.0
        What the weights of these rows average, as far as is known: those of the next.
    """

    def __init__(
        self,
        start: NumpyParameters,
        random_state: RandomState,
        moments: Moments | None = None,
        unit: float = 1.0,
    ) -> None:
        self.parameters = start
        self.random_state = random_state
        self._n_rows, self._mean_weight = 0, 0.0
        self._seen: Seen | None = None
        self._pending: tuple[Rows, ...] = ()  # rows that are to be added to it
        self._basis: _Basis | None = None  # coordinates by what was seen
        self._reference: Seen | None = None  # what growth is measured by
        self._n_rows_of_reference = 0
        self._steps = StepsState()
        self._age = 0.0  # steps so far, those on rows of a smaller scale for less
        self._plateau: Plateau | None = None
        if moments is not None:
            n_rows = moments.weight / unit
            self._n_rows = round(n_rows) if 1 <= n_rows < np.inf else 1
            self._mean_weight = moments.weight / self._n_rows
            self._seen = Seen.of_moments(moments)

    def take_in(self, rows: Rows, settings: Settings) -> tuple[Rows, RowCoordinates]:
        """Return a chunk with weights over the average of all rows so far, and where.

        That is in coordinates in which all rows so far are white, or standardized. Few
        rows that change these but little are put aside, up to so many: of one row, a
        chunk takes half the time.
        """
        weight, unit = averaging_one(rows.weight)
        self._n_rows += rows.n_with_weight
        self._mean_weight += (unit - self._mean_weight) * (
            rows.n_with_weight / self._n_rows
        )
        relative = unit / self._mean_weight
        if not _LEAST_WEIGHT < relative < np.inf:
            raise ValueError(
                f"The weights of these rows average {unit:.3g}, and those of all rows "
                f"so far {self._mean_weight:.3g}: float64 does not hold their ratio. "
                "Pass sample_weight in the same unit for all chunks."
            )
        if relative != 1:
            weight = (ones_of(rows) if weight is None else weight) * relative
        weighted = rows._replace(weight=weight)
        basis = self._basis and self._basis.with_rows(weighted, settings)
        if basis is None:
            pending = [rows_beside(few, rows) for few in self._pending]
            basis = self._new_basis(joined((*pending, rows)), settings)
            self._pending = ()
        else:  # the user may write new rows into the same arrays
            self._pending = (*self._pending, copied(rows))
        self._basis = basis
        return weighted, basis.coordinates

    @property
    def smoothness(self) -> Smoothness:
        """Return that of all rows so far, where it is known."""
        assert self._basis is not None
        return self._basis.smoothness

    def _new_basis(self, rows: Rows, settings: Settings) -> _Basis:
        """Return coordinates by all rows so far, these included."""
        weight, unit = averaging_one(rows.weight)
        rows = rows._replace(weight=weight)
        chunk = Seen.of_chunk(rows, white=whitens_rows(rows, settings, in_batches=True))
        if self._seen is None:
            self._seen = chunk
        else:
            share = unit / self._mean_weight * rows.n_with_weight / self._n_rows
            self._seen = self._seen.merge(chunk, min(share, 1.0))  # but for rounding
        coordinates = self._coordinates(rows, settings)
        if settings.standardize:
            self._adapt(rows, settings, coordinates)
        smoothness = self._smoothness(coordinates, settings)
        n_columns = rows.n_features + settings.fit_intercept
        most = _LEAST_CHANGE * self._n_rows * smoothness.row / n_columns
        return _Basis(
            coordinates, smoothness, _what_it_goes_by(rows, settings), most, _MOST_ROWS
        )

    def _coordinates(self, rows: Rows, settings: Settings) -> RowCoordinates:
        """Return coordinates in which all rows so far are white, or standardized.

        The model is kept in the user's units, so that the offset of y matters for where
        the first chunk starts alone. Where outliers count for less than in a mean, it
        is the chunk's own.
        """
        if not settings.standardize:
            return user_coordinates(rows.n_features, rows.n_targets)
        assert self._seen is not None
        y_offset = np.zeros(rows.n_targets)
        if settings.fit_intercept:
            y_offset = self._seen.y_mean
            if not settings.loss.condenses:
                y_offset = settings.loss.center(rows.y, rows.weight)
        enough = self._n_rows > _ENOUGH_TO_WHITEN * rows.n_features
        if self._seen.moments is not None and enough:
            return white_coordinates_of(
                self._seen.moments, y_offset, settings, rows, of_a_stream=True
            )
        return standardized_coordinates(
            self._seen.X,
            y_offset,
            centered=_centers(rows, settings),
            l2=settings.l2,
        )

    def _smoothness(
        self, coordinates: RowCoordinates, settings: Settings
    ) -> Smoothness:
        """Return that of all rows so far, where it is known."""
        if isinstance(coordinates, WhiteCoordinates):
            return Smoothness(1.0, float(coordinates.rank + settings.fit_intercept))
        assert self._seen is not None
        mean, spread = self._seen.X[1:]
        sizes = np.hypot(mean - coordinates.X_offset, spread)
        sizes = np.divide(sizes, coordinates.coef_scale[:, 0])
        sizes[coordinates.is_zeroed[:, 0]] = 0
        return Smoothness(0.0, float(sizes @ sizes) + settings.fit_intercept)

    def schedule(self, power_t: float) -> Callable[[int], float]:
        """Return "invscaling", by the steps that count."""
        skipped = self._steps.step - self._age
        return lambda step: (step - skipped + 1) ** -power_t

    def resume(self, setup: Setup) -> None:
        """Resume from the state that the descent on the last chunk ended in."""
        (settings, problem, steps, stopping), state = setup, self._steps
        if len(state.average) not in (0, 1 + settings.fit_intercept):
            state = state._replace(n_rows=0, n_averaged=0, average=())
        if state.average:
            coef, *intercept = state.average
            if settings.positive:  # which an earlier call need not have been
                coef = coef.clip(min=0)
            average = problem.coordinates.from_user((coef, *intercept))
            state = state._replace(average=problem.send_parameters(average))
        steps.resume(state)
        if stopping.plateau is not None and self._plateau is not None:
            stopping.plateau.resume(self._plateau.state)

    def keep(self, setup: Setup) -> None:
        """Keep where a chunk has led to, in the user's units."""
        settings, problem, steps, stopping = setup
        self.parameters = problem.in_user_units(settings.strategy.parameters, _FLOAT64)
        state = steps.state()
        self._age += state.step - self._steps.step
        if state.average:
            average = problem.in_user_units(state.average, _FLOAT64)
            state = state._replace(average=average)
        self._steps = state
        self._plateau = stopping.plateau

    def _adapt(
        self, rows: Rows, settings: Settings, coordinates: RowCoordinates
    ) -> None:
        """Give less weight to what was learned from rows that are outgrown.

        A column that has shown one small number has a coefficient in proportion, which
        an ordinary number would then make far too much of. Where a spread has grown by
        a tenth, the coefficient shrinks by the square of the growth, as in normalized
        online learning (Ross, Mineiro & Langford 2013); in white coordinates, that is
        about directions, which may be differences of columns. Predictions at the mean
        of the rows before stay what they are. A target whose loss on the new rows is no
        less for it keeps its coefficients.

        Steps before, and what they add to the average, count for as much less as the
        mean square of all rows has grown.
        """
        outgrown = self._outgrown(rows, settings, coordinates)
        if outgrown is not None:
            growth, shrink = outgrown
            self._steps = self._steps._replace(
                n_averaged=self._steps.n_averaged / growth
            )
            self._age /= growth
            self.parameters = self._shrunk(self.parameters, shrink, rows, settings)
            if self._steps.average:
                average = self._shrunk(self._steps.average, shrink, rows, settings)
                self._steps = self._steps._replace(average=average)
        if outgrown is not None or self._n_rows >= 2 * self._n_rows_of_reference:
            self._reference, self._n_rows_of_reference = self._seen, self._n_rows

    def _outgrown(
        self, rows: Rows, settings: Settings, coordinates: RowCoordinates
    ) -> tuple[float, Callable[[np.ndarray], np.ndarray]] | None:
        """Return the growth of the mean square, and what shrinks coefficients by it.

        None if no spread has grown by a tenth.
        """
        before, now = self._reference, self._seen
        if before is None or now is None:
            return None
        if isinstance(coordinates, WhiteCoordinates) and before.moments is not None:
            return outgrown_directions(
                before, now, coordinates, centered=settings.fit_intercept
            )
        return outgrown_columns(before.X, now.X, centered=_centers(rows, settings))

    def _shrunk(
        self,
        parameters: NumpyParameters,
        shrink: Callable[[np.ndarray], np.ndarray],
        rows: Rows,
        settings: Settings,
    ) -> NumpyParameters:
        """Return parameters with smaller coefficients, if these fit the rows better.

        About the mean of the rows before.
        """
        assert self._reference is not None
        coef, *intercept = parameters
        smaller = shrink(coef)
        shift = self._reference.X.mean @ (coef - smaller)
        shrunk = smaller, *(b + shift for b in intercept)

        def loss(parameters: NumpyParameters) -> np.ndarray:
            value = settings.loss.value(predicted(rows.X, parameters), rows.y)
            if rows.weight is None:
                return column_sums(value)
            return column_sums(value * rows.weight[:, None])

        with np.errstate(over="ignore", invalid="ignore"):
            keeps = loss(parameters) <= loss(shrunk)
        return tuple(
            np.where(keeps, each, other)
            for each, other in zip(parameters, shrunk, strict=True)
        )


class _Basis(NamedTuple):
    """Coordinates by all rows of a stream, until others have changed them enough."""

    coordinates: RowCoordinates
    smoothness: Smoothness
    goes_by: tuple[object, ...]  # what they are for
    most: float  # sum of squares of rows that are not enough
    most_rows: int  # and their number

    def with_rows(self, rows: Rows, settings: Settings) -> _Basis | None:
        """Return the same for more rows; None: they are enough."""
        few = len(rows.y) <= min(_FEW_ROWS, self.most_rows) and not issparse(rows.X)
        if not few or self.goes_by != _what_it_goes_by(rows, settings):
            return None
        features = self.coordinates.features(cast(rows.X, np.dtype(np.float64)))
        weight = ones_of(rows) if rows.weight is None else rows.weight
        squares = float(weight @ (squared_norms(features) + 1))
        if not squares < self.most:
            return None
        return self._replace(
            most=self.most - squares, most_rows=self.most_rows - len(rows.y)
        )


def _what_it_goes_by(rows: Rows, settings: Settings) -> tuple[object, ...]:
    """Return what coordinates depend on beside the rows seen."""
    sparse, s = issparse(rows.X), settings
    return (
        sparse,
        s.fit_intercept,
        s.standardize,
        s.whiten,
        s.l2_range,
        s.loss.condenses,
    )


def _centers(rows: Rows, settings: Settings) -> bool:
    """Return whether batches of these rows are centred."""
    return settings.fit_intercept and not issparse(rows.X)
