"""The two ways of `partial_fit`: a chunk's moments, or an epoch of steps over it.

The estimator is read for what it was fitted to; it is for the caller to change it.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import replace

import numpy as np
from numpy.random import RandomState
from scipy.linalg import eigh
from scipy.sparse import issparse
from sklearn.base import BaseEstimator

from skgd._data.coordinates import (
    Coordinates,
    ScaledCoordinates,
    WhiteCoordinates,
    standardized_coordinates,
)
from skgd._data.moments import ColumnMoments, Moments
from skgd._data.rows import Rows, averaging_one, canonical, means
from skgd._data.user_input import check_values, start_of
from skgd._descent.steps import StepsState
from skgd._descent.stopping import Plateau
from skgd._fit import Setup, fit, in_strategy, run, set_up
from skgd._preparation import (
    MOST_COLUMNS,
    check_batches_not_condensed,
    condensed,
    moments_of,
    rows_a_batch,
    uncondensed,
    white_coordinates_of,
    whitens_rows,
)
from skgd._settings import Settings
from skgd._typing import NumpyParameters
from skgd._verdict import Fitted

_FLOAT64 = np.dtype(np.float64)

# Of all rows of a stream; below, float64 has no digits for it.
_LEAST_WEIGHT = float(np.finfo(np.float64).tiny)


def merges_moments(rows: Rows, settings: Settings) -> bool:
    """Return whether a chunk's moments are merged, rather than stepped over."""
    if settings.precompute != "auto":
        return bool(settings.precompute)
    n_columns = rows.n_features + rows.n_targets
    return settings.batch_size is None and n_columns <= MOST_COLUMNS


def merge_and_fit(
    estimator: BaseEstimator, rows: Rows, settings: Settings, *, going_on: bool
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
    weight, unit = averaging_one(rows.weight)
    moments = moments_of(rows._replace(weight=weight)).times(unit)
    moments = replace(moments, y_is_1d=settings.y_is_1d)
    if going_on:
        moments = estimator.moments_ + moments
    if not np.isfinite(moments.scatter).all() or moments.weight < _LEAST_WEIGHT:
        raise ValueError(
            "The sums of sample_weight times the squares of the columns leave the "
            f"range of float64: the weights of these rows average {unit:.3g}. "
            "Rescale the weights of all chunks, or the columns."
        )
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
        stream.random_state = deepcopy(stream.random_state)
    else:
        stream = Stream(
            start_of(estimator, rows, going_on=going_on),
            np.random.RandomState(settings.random_state.randint(2**31 - 1)),
            getattr(estimator, "moments_", None),
        )
    if settings.learning_rate == "auto" and settings.schedule == "auto":
        # "adaptive" would compare the losses of different rows.
        settings = replace(settings, schedule="invscaling")
    rows = stream.count(rows, white=whitens_rows(rows, settings, in_batches=True))
    coordinates = stream.coordinates(rows, settings) if settings.standardize else None
    if isinstance(coordinates, ScaledCoordinates):
        stream.shrink_where_scales_grew(rows, settings)
    elif isinstance(coordinates, WhiteCoordinates):
        stream.shrink_where_spreads_grew(coordinates, centered=settings.fit_intercept)
    n_rows = rows_a_batch(settings.batch_size, rows.n_with_weight, of_a_chunk=True)
    shuffle = stream.random_state if settings.shuffle else None
    with settings.device.gradients_on():
        problem = uncondensed(rows, settings, None, n_rows, shuffle, coordinates)
    with in_strategy(settings):
        setup = set_up(settings, problem, stream.parameters, of_a_chunk=True)
        stream.resume(setup)
        fitted = run(setup, max_iter=1)
        stream.keep(setup)
    return fitted, stream


class Stream:
    """What `partial_fit` carries from one chunk of rows to the next, an epoch each.

    Kept in float64 and in the user's units, since means and scales move as rows come
    in, and with them the coordinates of the descent. Settings are not kept: what they
    are at a call is what holds for it.

    Parameters
    ----------
    start : tuple of ndarrays
        Coefficients and, where there is one, the intercept to begin with.
    random_state : RandomState
        Draws the order of the rows of a chunk. The stream's own.
    moments : Moments or None, default=None
        Of the rows before, where they are known.
    """

    def __init__(
        self,
        start: NumpyParameters,
        random_state: RandomState,
        moments: Moments | None = None,
    ) -> None:
        self.parameters = start
        self.random_state = random_state
        self._n_rows, self._mean_weight = 0, 0.0
        self._X: ColumnMoments | None = None
        self._mean_before: np.ndarray = np.zeros(())  # the chunk
        self._moments = moments  # where rows are whitened
        self._before = moments  # the chunk
        self._y_mean: np.ndarray = np.zeros(())
        self._X_scale: np.ndarray | None = None
        self._steps = StepsState()
        self._least_rate_for: tuple[float | None, float] = None, np.inf
        self._plateau: Plateau | None = None
        if moments is not None:
            self._n_rows = max(round(moments.weight), 1)
            self._mean_weight = moments.weight / self._n_rows
            self._moments = self._before = moments.times(1 / moments.weight)
            self._X, y = ColumnMoments.from_moments(moments)
            self._y_mean = y.mean

    def count(self, rows: Rows, *, white: bool) -> Rows:
        """Count a chunk, and return it with weights over the average of all so far.

        To whiten rows takes the moments of all so far.
        """
        weight, unit = averaging_one(rows.weight)
        n_rows = rows.n_with_weight
        self._n_rows += n_rows
        self._mean_weight += (unit - self._mean_weight) * (n_rows / self._n_rows)
        relative = unit / self._mean_weight
        share = min(relative * n_rows / self._n_rows, 1.0)  # but for rounding
        columns = ColumnMoments.from_columns(rows.X, weight)
        self._mean_before = columns.mean
        if self._X is not None:
            self._mean_before = self._X.mean
            before = self._X._replace(weight=1 - share)
            columns = before.merge(columns._replace(weight=share))
        self._X = columns
        self._y_mean = self._y_mean + share * (means(rows.y, weight) - self._y_mean)
        self._moments = self._merged(rows._replace(weight=weight), share, white=white)
        if relative != 1:
            weight = (np.ones(len(rows.y)) if weight is None else weight) * relative
        return rows._replace(weight=weight)

    def coordinates(self, rows: Rows, settings: Settings) -> Coordinates:
        """Return coordinates in which all rows so far are white, or standardized.

        The model is kept in the user's units, so that the offset of y matters for where
        the first chunk starts alone. Where outliers count for less than in a mean, it
        is the chunk's own.
        """
        y_offset = np.zeros(rows.n_targets)
        if settings.fit_intercept:
            y_offset = self._y_mean
            if not settings.loss.condenses:
                y_offset = settings.loss.center(rows.y, rows.weight)
        if self._moments is not None:
            return white_coordinates_of(
                self._moments, y_offset, settings, rows, of_a_stream=True
            )
        return self._standardized(rows, settings, y_offset, settings.l2)

    def resume(self, setup: Setup) -> None:
        """Resume from the state that the descent on the last chunk ended in.

        The automatic learning rate is the least so far.
        """
        (settings, problem, steps, stopping), state = setup, self._steps
        if len(state.average) not in (0, 1 + settings.fit_intercept):
            state = state._replace(n_rows=0, n_averaged=0, average=())
        if state.average:
            coef, *intercept = state.average
            if settings.positive:  # which an earlier call need not have been
                coef = coef.clip(min=0)
            average = problem.coordinates.from_user((coef, *intercept))
            state = state._replace(average=problem.send_parameters(average))
        batch_size, least_rate = self._least_rate_for
        if settings.learning_rate != "auto" or batch_size != settings.batch_size:
            least_rate = np.inf
        steps.resume(state, rate_limit=least_rate)
        if stopping.plateau is not None and self._plateau is not None:
            stopping.plateau.resume(self._plateau.state)

    def keep(self, setup: Setup) -> None:
        """Keep where a chunk has led to, in the user's units."""
        settings, problem, steps, stopping = setup
        self.parameters = problem.in_user_units(settings.strategy.parameters, _FLOAT64)
        state = steps.state()
        if state.average:
            average = problem.in_user_units(state.average, _FLOAT64)
            state = state._replace(average=average)
        self._steps = state
        if settings.learning_rate == "auto":
            self._least_rate_for = settings.batch_size, float(steps.learning_rate)
        self._plateau = stopping.plateau

    def shrink_where_scales_grew(self, rows: Rows, settings: Settings) -> None:
        """Shrink coefficients of columns whose scale was too small by far.

        A column that has shown one small number has a coefficient in proportion, which
        an ordinary number would then make far too much of. Where the scale grows by
        more than a factor of two, the coefficient shrinks by the square of the growth,
        as in normalized online learning (Ross, Mineiro & Langford 2013). Predictions at
        the mean of the rows before stay what they are. The scale is that of the columns
        alone: a penalty may change between two chunks.
        """
        unpenalized = self._standardized(rows, settings, np.zeros(rows.n_targets), 0.0)
        X_scale = unpenalized.X_scale
        before, self._X_scale = self._X_scale, X_scale
        if before is None:
            return
        growth = np.ones_like(before)
        np.divide(X_scale, before, out=growth, where=np.isfinite(before))
        if not (growth > 2).any():
            return
        factor = np.where(growth > 2, growth**-2.0, 1.0)[:, None]
        self._take_off(lambda coef: (1 - factor) * coef)

    def shrink_where_spreads_grew(
        self, coordinates: WhiteCoordinates, *, centered: bool
    ) -> None:
        """Do the same along directions, which may be differences of columns."""
        if self._before is None:
            return
        d, matrix = len(coordinates.matrix), coordinates.matrix
        covariance = self._before.scatter[:d, :d] / self._before.weight
        if not centered:
            covariance = covariance + np.outer(self._mean_before, self._mean_before)
        shares, along = eigh(matrix.T @ covariance @ matrix)
        shrinks = shares < 0.25  # of the variance now; in white coordinates that is 1
        if not shrinks.any():
            return
        along, kept = along[:, shrinks], np.maximum(shares[shrinks], 0)[:, None]

        def too_much(coef: np.ndarray) -> np.ndarray:
            white = along.T @ coordinates.coef_from_user(coef)
            return matrix @ (along @ ((1 - kept) * white))

        self._take_off(too_much)

    def _take_off(self, part: Callable[[np.ndarray], np.ndarray]) -> None:
        """Take a part off the coefficients, about the mean of the rows before."""

        def changed(parameters: NumpyParameters) -> NumpyParameters:
            coef, *intercept = parameters
            less = part(coef)
            return coef - less, *(b + self._mean_before @ less for b in intercept)

        self.parameters = changed(self.parameters)
        if self._steps.average:
            average = changed(self._steps.average)
            self._steps = self._steps._replace(average=average)

    def _merged(self, rows: Rows, share: float, *, white: bool) -> Moments | None:
        """Return the moments of all rows so far, of weight 1; None: not known."""
        before = self._before = self._moments
        if not white:
            return None
        try:
            moments = moments_of(rows)
        except ValueError:  # their squares leave the range of float64
            return None
        moments = moments.times(share / moments.weight)
        if before is None or share == 1:
            return moments
        return before.times(1 - share) + moments

    def _standardized(
        self, rows: Rows, settings: Settings, y_offset: np.ndarray, l2: float
    ) -> ScaledCoordinates:
        """Return coordinates in which all rows so far are standardized."""
        assert self._X is not None
        centered = settings.fit_intercept and not issparse(rows.X)
        return standardized_coordinates(self._X, y_offset, centered=centered, l2=l2)
