"""What `partial_fit` carries from one chunk of rows to the next, an epoch each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import RandomState
from scipy.sparse import issparse
from sklearn.preprocessing import StandardScaler

from skgd._averaging import Average
from skgd._coordinates import Coordinates, Parameters, zeroing_constants
from skgd._defaults import steps_of
from skgd._descent import Steps
from skgd._placement import Placement, to_numpy
from skgd._plateau import Plateau
from skgd._preparation import Prepared
from skgd._rows import Rows
from skgd._schedule import InverseScaling, Pace
from skgd._validation import averaging_one
from skgd.strategies import GradientStrategy

_FLOAT64 = np.dtype(np.float64)


class Stream:
    """The state of a descent that goes on with every chunk.

    Kept in float64 and in the user's units, since means and scales move as rows come
    in, and with them the coordinates of the descent.

    Parameters
    ----------
    start : tuple of (ndarray, ndarray or None)
        Coefficients (n_features, n_targets) and intercept (n_targets,) to begin with.
    random_state : RandomState
        Draws the order of the rows of a chunk.
    plateau : Plateau
        Watches the loss from call to call.
    """

    def __init__(
        self, start: Parameters, random_state: RandomState, plateau: Plateau
    ) -> None:
        self.parameters = start
        self.random_state = random_state
        self.plateau = plateau
        self._pace: Pace | None = None
        self._average: Average | None = None
        self._X_scaler = StandardScaler(with_mean=False)
        self._y_scaler = StandardScaler(with_std=False)
        self._weight_seen, self._n_rows_seen = 0.0, 0

    def weigh(self, rows: Rows) -> Rows:
        """Measure weights by the average of all that were seen."""
        weight, unit = averaging_one(rows.weight)
        n_rows = rows._replace(weight=weight).n_weighty
        self._weight_seen += unit * n_rows
        self._n_rows_seen += n_rows
        relative = unit / (self._weight_seen / self._n_rows_seen)
        if relative != 1:
            weight = (np.ones(len(rows.y)) if weight is None else weight) * relative
        return rows._replace(weight=weight)

    def coordinates(self, rows: Rows, *, fit_intercept: bool) -> Coordinates:
        """Standardize by the mean and the spread of all rows so far."""
        X, y, weight = rows
        self._X_scaler.partial_fit(X, sample_weight=weight)
        self._y_scaler.partial_fit(y, sample_weight=weight)
        mean, variance = self._X_scaler.mean_, self._X_scaler.var_
        X_offset, y_offset = np.zeros_like(mean), np.zeros(rows.n_targets)
        if fit_intercept:
            y_offset = self._y_scaler.mean_
        if fit_intercept and not issparse(X):
            X_offset = mean
        else:
            variance = variance + mean**2
        return zeroing_constants(X_offset, np.sqrt(variance), y_offset)

    def steps(
        self,
        params: Any,
        ready: Prepared,
        strategy: GradientStrategy,
        placement: Placement,
    ) -> Steps:
        """Resolve the steps of a chunk, and go on from those of the last.

        The automatic rate is the least so far. Its schedule is not "adaptive", which
        would compare the losses of different rows.
        """
        steps = steps_of(params, ready.batches, strategy)
        rate = steps.pace.learning_rate
        auto = params.learning_rate == "auto"
        if self._pace is None:
            self._pace = steps.pace
            if auto and params.schedule == "auto":
                self._pace = Pace(rate, InverseScaling(params.power_t))
        self._pace.learning_rate = min(rate, self._pace.learning_rate) if auto else rate
        average = steps.average
        if average is not None and self._average is not None:
            average, self._average = self._average, None
            if average.n_averaged:
                parameters = average.coef, average.intercept
                average.coef, average.intercept = (
                    placement.put(p if p is None else p.astype(ready.batches.dtype))
                    for p in ready.coordinates.from_user(*parameters)
                )
        return steps._replace(pace=self._pace, average=average)

    def put(
        self,
        strategy: GradientStrategy,
        average: Average | None,
        coordinates: Coordinates,
    ) -> None:
        """Keep where a chunk has led to, in the user's units."""
        self.parameters = coordinates.to_user(
            to_numpy(strategy.coef), to_numpy(strategy.intercept), _FLOAT64
        )
        self._average = average
        if average is not None and average.n_averaged:
            average.coef, average.intercept = coordinates.to_user(
                to_numpy(average.coef), to_numpy(average.intercept), _FLOAT64
            )
