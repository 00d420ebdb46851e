"""What `partial_fit` carries from one chunk of rows to the next, an epoch each."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from numpy.random import RandomState
from scipy.sparse import issparse

from skgd._data.arrays import Placement, to_numpy
from skgd._data.coordinates import (
    Coordinates,
    Parameters,
    curvature_scale,
    zeroing_constants,
)
from skgd._data.moments import Moments
from skgd._data.rows import Rows, averaging_one, means, root_mean_squares
from skgd._descent.averaging import Average
from skgd._descent.loop import Steps
from skgd._descent.plateau import Plateau
from skgd._descent.schedule import Adaptive, InverseScaling
from skgd._objective.losses import Loss
from skgd._objective.objective import Objective
from skgd._preparation import Prepared
from skgd._settings import steps_of
from skgd.strategies import GradientStrategy

_FLOAT64 = np.dtype(np.float64)


class Stream:
    """The state of a descent that goes on with every chunk.

    Kept in float64 and in the user's units, since means and scales move as rows come
    in, and with them the coordinates of the descent. Parameters of the estimator are
    not kept: what they are at a call is what holds for it.

    Parameters
    ----------
    start : tuple of (ndarray, ndarray or None)
        Coefficients (n_features, n_targets) and intercept (n_targets,) to begin with.
    random_state : RandomState
        Draws the order of the rows of a chunk. The stream's own.
    moments : Moments or None, default=None
        Of the rows before, where they are known.
    """

    def __init__(
        self,
        start: Parameters,
        random_state: RandomState,
        moments: Moments | None = None,
    ) -> None:
        self.parameters = start
        self.random_state = random_state
        self._plateau: Plateau | None = None
        self._n_rows, self._mean_weight = 0, 0.0
        self._X_mean: np.ndarray = np.zeros(())
        self._X_variance: np.ndarray = np.zeros(())
        self._y_mean: np.ndarray = np.zeros(())
        self._n_steps = 0
        self._reduced_to = 1.0  # by an adaptive schedule
        self._least_rate: tuple[Any, float] | None = None  # for a batch_size
        self._average: Average | None = None
        self._X_scale: np.ndarray | None = None
        if moments is not None:
            d, n_samples = moments.n_features, max(round(moments.weight), 1)
            self._n_rows, self._mean_weight = n_samples, moments.weight / n_samples
            self._X_mean, self._y_mean = moments.mean[:d], moments.mean[d:]
            self._X_variance = np.diag(moments.scatter)[:d] / moments.weight

    def take_in(self, rows: Rows) -> Rows:
        """Count a chunk, and measure its weights by the average of all so far."""
        weight, unit = averaging_one(rows.weight)
        rows = rows._replace(weight=weight)
        n_rows = rows.n_with_weight
        self._n_rows += n_rows
        self._mean_weight += (unit - self._mean_weight) * (n_rows / self._n_rows)
        relative = unit / self._mean_weight
        self._merge(rows, share=relative * n_rows / self._n_rows)
        if relative != 1:
            weight = (np.ones(len(rows.y)) if weight is None else weight) * relative
        return rows._replace(weight=weight)

    def coordinates(
        self, rows: Rows, loss: Loss, *, fit_intercept: bool, l2: float
    ) -> Coordinates:
        """Standardize by the mean and the spread of all rows so far.

        The model is kept in the user's units, so that the offset of y matters for where
        the first chunk starts alone. Where outliers count for less than in a mean, it
        is the chunk's own.
        """
        y_offset = np.zeros(rows.n_targets)
        if fit_intercept:
            y_offset = self._y_mean
            if not loss.condenses:
                y_offset = loss.center(rows.y, rows.weight)
        X_offset, spread = self._offset_and_spread(rows, fit_intercept)
        return zeroing_constants(X_offset, spread, y_offset, l2)

    def shrink_where_scales_grew(self, rows: Rows, *, fit_intercept: bool) -> None:
        """Take back coefficients of columns whose scale was too small by far.

        A column that has shown one small number has a coefficient in proportion, which
        an ordinary number would then make far too much of. Where the scale grows by
        more than a factor of two, the coefficient shrinks by the square of the growth,
        as in normalized online learning (Ross, Mineiro & Langford 2013). The scale is
        that of the columns alone: a penalty may change between two chunks.
        """
        X_scale = curvature_scale(*self._offset_and_spread(rows, fit_intercept))
        before, self._X_scale = self._X_scale, X_scale
        if before is None:
            return
        growth = np.ones_like(before)
        np.divide(X_scale, before, out=growth, where=np.isfinite(before))
        if not (growth > 2).any():
            return
        factor = np.where(growth > 2, growth**-2.0, 1.0)[:, None]
        coef, intercept = self.parameters
        self.parameters = coef * factor, intercept
        if self._average is not None and self._average.n_averaged:
            self._average.coef = self._average.coef * factor

    def steps(
        self,
        params: Any,
        ready: Prepared,
        objective: Objective,
        strategy: GradientStrategy,
        placement: Placement,
        plateau: Plateau | None,
    ) -> Steps:
        """Resolve the steps of a chunk, which go on from those of the last.

        So does what the plateau has seen. The automatic rate is the least so far. Its
        schedule is not "adaptive", which would compare the losses of different rows.
        """
        if plateau is not None and self._plateau is not None:
            plateau.go_on_from(self._plateau)
        steps = steps_of(params, ready.batches, objective, strategy)
        pace, average = steps.pace, steps.average
        pace.step = self._n_steps
        steps = steps._replace(last_on_all=False)  # a chunk is not all rows
        if params.learning_rate == "auto":
            batch_size, least = self._least_rate or (params.batch_size, np.inf)
            if batch_size == params.batch_size:
                pace.learning_rate = min(pace.learning_rate, least)
            if params.schedule == "auto":
                pace.schedule = InverseScaling(params.power_t)
        if isinstance(pace.schedule, Adaptive):
            pace.schedule.reduced_to = self._reduced_to
        before = self._average
        if average is not None and before is not None and before.n_averaged:
            if (before.intercept is not None) == params.fit_intercept:
                if params.positive:  # which an earlier call need not have been
                    before.coef = before.coef.clip(min=0)
                average.n_rows, average.n_averaged = before.n_rows, before.n_averaged
                average.coef, average.intercept = (
                    placement.put(p if p is None else p.astype(ready.batches.dtype))
                    for p in ready.coordinates.from_user(before.coef, before.intercept)
                )
        elif average is not None and before is not None:
            average.n_rows = before.n_rows
        return steps

    def keep(
        self,
        params: Any,
        steps: Steps,
        strategy: GradientStrategy,
        coordinates: Coordinates,
        plateau: Plateau | None,
    ) -> None:
        """Keep where a chunk has led to, in the user's units."""
        self.parameters = coordinates.to_user(
            to_numpy(strategy.coef), to_numpy(strategy.intercept), _FLOAT64
        )
        self._n_steps, self._plateau = steps.pace.step, plateau
        if params.learning_rate == "auto":
            self._least_rate = params.batch_size, steps.pace.learning_rate
        if isinstance(steps.pace.schedule, Adaptive):
            self._reduced_to = steps.pace.schedule.reduced_to
        self._average = copy(steps.average)
        if self._average is not None and self._average.n_averaged:
            self._average.coef, self._average.intercept = coordinates.to_user(
                to_numpy(self._average.coef),
                to_numpy(self._average.intercept),
                _FLOAT64,
            )

    def _offset_and_spread(
        self, rows: Rows, fit_intercept: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give the columns' shift, zero where there is none, and spread about it."""
        if fit_intercept and not issparse(rows.X):
            return self._X_mean, np.sqrt(self._X_variance)
        squares = self._X_variance + np.square(self._X_mean)
        return np.zeros(rows.n_features), np.sqrt(squares)

    def _merge(self, rows: Rows, share: float) -> None:
        """Merge mean and variance of the columns (Chan, Golub & LeVeque 1979).

        StandardScaler.partial_fit does so, too, but copies the chunk twice.
        """
        X, y, weight = rows
        X_mean = means(X, weight)
        about = None if issparse(X) else X_mean
        variance = root_mean_squares(X, weight, about) ** 2
        if issparse(X):
            variance = np.maximum(variance - X_mean**2, 0)
        step = X_mean - self._X_mean
        self._X_variance = (
            (1 - share) * self._X_variance
            + share * variance
            + share * (1 - share) * step**2
        )
        self._X_mean = self._X_mean + share * step
        self._y_mean = self._y_mean + share * (means(y, weight) - self._y_mean)
