"""When a full-batch descent has arrived."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from skgd._data.arrays import to_numpy
from skgd._data.rows import Rows, means, root_mean_squares
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty
from skgd.strategies import GradientStrategy

#: Gradients with respect to coef and intercept, in the strategy's own library.
Gradients = tuple[Any, Any]

# The size of the influence changes slowly; to miss an arrival by so many epochs costs
# less than to measure it at each of them.
_MOST_DENIALS = 10


class Sizes(NamedTuple):
    """What the two rules compare with, target by target, as root mean squares."""

    influence: np.ndarray  # of the rows, those of an L2 penalty among them
    residual: np.ndarray  # inf where it may be that a target met is not the minimum


class StoppingRule:
    """LSQR's two scale-free rules (Paige & Saunders 1982), for each target.

    A target has arrived when no feature correlates with its residual by more than
    `tol`, ``|x_j' r| / (|x_j| |r|) <= tol``, or when it is met, ``|r| <= tol^2 |y|``.
    The square is for those that can be met almost: where the best R^2 is 1 - 1e-9, a
    residual of 1e-4 may still be three times too large. But a residual below ``eps /
    tol`` of y is rounded by more than `tol` of itself, so that the first rule may never
    hold; it counts as met, up to sqrt(eps).

    The intercept counts as a feature of ones, and where there is one, ``|y|`` is the
    spread of y about its mean, lest a large offset of y hide the residual. Neither rule
    depends on the units of X or y, nor on the number of rows.

    For losses other than squared error, the first rule is about the influence of the
    residuals, half the derivative of the loss, in place of r. With an L2 penalty, it is
    about the data with a row more for each feature, ``sqrt(n l2_j) e_j`` with target
    zero, on which squared error is the penalised objective. With any penalty, ``tol^2``
    does not count, since a target that is met is not what is wanted then. Where steps
    are proximal, the gradient mapping takes the place of the gradient.

    For squared error, ``gradient = 2/n X' r`` and ``loss = |r|^2 / n``, so neither
    needs the residuals. The rule remembers the steepest feature that it last saw: as
    long as that one alone says no, the others are not looked at, which makes watching
    it cost a tenth of looking at all of them (10 features). For other losses, whose
    value does not tell the size of the influence, that is measured when the size that
    was measured last no longer says no, or has said so many times in a row.

    Parameters
    ----------
    tol : float
        Tolerance.
    rows : Rows
        The rows of the descent, in NumPy.
    penalty : Penalty
        That of the descent, in NumPy.
    fit_intercept : bool
        Whether there is an intercept.
    measure : callable or None, default=None
        Gives `Sizes` at the current parameters. None: the loss is squared error.
    """

    def __init__(
        self,
        tol: float,
        rows: Rows,
        penalty: Penalty,
        *,
        fit_intercept: bool,
        measure: Callable[[], Sizes] | None = None,
    ) -> None:
        self.tol = tol
        self._measure = measure
        self._penalized = penalty.l2 is not None or penalty.l1 is not None
        eps = np.finfo(rows.y.dtype).eps
        self._met = _size_of_a_met_target(tol, eps, only_rounded=self._penalized)
        feature_norms = root_mean_squares(rows.X, rows.weight)
        if penalty.l2 is not None:
            feature_norms = np.hypot(feature_norms, np.sqrt(penalty.l2[:, 0]))
        # A column of zeros has no slope but that of an L1 penalty, which is to be zero
        # there. The last norm is that of the ones.
        no_slope = np.inf if penalty.l1 is None else 1e-100
        feature_norms[feature_norms == 0] = no_slope
        self._feature_norms = np.append(feature_norms, 1.0)[:, None]
        self._target_norms = root_mean_squares(rows.y, rows.weight)
        if fit_intercept:
            about = means(rows.y, rows.weight)
            spreads = root_mean_squares(rows.y, rows.weight, about)
            has_spread = spreads > 1e3 * np.finfo(rows.y.dtype).eps * self._target_norms
            self._target_norms = np.where(has_spread, spreads, self._target_norms)
        self._steepest = 0, 0  # (feature, target)
        self._measured: Sizes | None = None
        self._n_denied = 0

    def has_arrived(self, losses: Sequence[float], gradients: Gradients) -> bool:
        """Whether every target meets one of the two rules.

        Parameters
        ----------
        losses : list of float
            Objective of each target, but for what has no gradient.
        gradients : tuple of (array, array or None)
            Its gradients, or the gradient mapping.
        """
        if self._denied_by_steepest(losses, gradients):
            return False
        influence, residual = self._sizes(losses)
        slopes = self._slopes(gradients)
        # Said the other way round, a slope that is nan would have arrived.
        steep = ~(slopes <= 2 * self.tol * influence)
        steep &= ~(residual <= self._met * self._target_norms)
        steepest = np.where(steep, slopes, 0).argmax()
        feature, target = np.unravel_index(steepest, slopes.shape)
        self._steepest = int(feature), int(target)
        return not steep.any()

    def achieved(
        self, losses: Sequence[float], gradients: Gradients
    ) -> tuple[float, str]:
        """Give the least `tol` at which every target would have arrived, and its name.

        The name says which of the two rules it is that the last target comes next to.
        Rounding is left out.
        """
        influence, residual = self._sizes(losses)
        with np.errstate(divide="ignore", invalid="ignore"):
            correlations = self._slopes(gradients).max(axis=0) / (2 * influence)
            relative_residuals = np.sqrt(residual / self._target_norms)
        if self._penalized:
            relative_residuals = np.full_like(correlations, np.inf)
        # 0 / 0: a target of zeros that is met exactly.
        reached = np.nan_to_num(np.fmin(correlations, relative_residuals))
        last = reached.argmax()
        what = "largest correlation of a feature with the residual"
        if relative_residuals[last] < correlations[last]:
            what = "square root of the residual's size over the target's"
        return float(reached[last]), what

    def _denied_by_steepest(
        self, losses: Sequence[float], gradients: Gradients
    ) -> bool:
        """Whether the feature and target that were steepest last still say no."""
        feature, target = self._steepest
        if self._measure is None:
            influence = residual = math.sqrt(losses[target])
        else:
            self._n_denied += 1
            if self._measured is None or self._n_denied > _MOST_DENIALS:
                return False
            influence, residual = (size[target] for size in self._measured)
        coef_gradient, intercept_gradient = gradients
        if feature < len(coef_gradient):
            slope = abs(float(coef_gradient[feature, target]))
        else:
            slope = abs(float(intercept_gradient[target]))
        return (
            slope > 2 * self.tol * influence * self._feature_norms[feature, 0]
            and residual > self._met * self._target_norms[target]
        )

    def _sizes(self, losses: Sequence[float]) -> Sizes:
        """Root mean squares of influence and residual, target by target."""
        if self._measure is None:
            size = np.sqrt(losses)
            return Sizes(size, size)
        self._measured, self._n_denied = self._measure(), 0
        return self._measured

    def _slopes(self, gradients: Gradients) -> np.ndarray:
        """``2 |x_j' r| / (n |x_j|)`` of each feature, and the intercept, and target."""
        rows = [to_numpy(g) for g in gradients if g is not None]
        stacked = np.vstack(rows)
        return np.abs(stacked) / self._feature_norms[: len(stacked)]


def _size_of_a_met_target(tol: float, eps: float, *, only_rounded: bool) -> float:
    """Size of the residual, relative to y's, at which there is nothing to gain."""
    rounded = min(float(eps) / tol if tol > 0 else np.inf, float(eps) ** 0.5)
    return rounded if only_rounded else max(tol**2, rounded)


def sizes_at(
    strategy: GradientStrategy, rows: Rows, objective: Objective
) -> Callable[[], Sizes]:
    """Give a function that measures `Sizes` where the strategy stands.

    All are where the descent takes place.
    """
    X, y, weight = rows
    loss, penalty = objective.loss, objective.penalty

    def mean_square(r: Any) -> Any:
        return (r**2).mean(0) if weight is None else weight @ r**2 / len(y)

    def measure() -> Sizes:
        coef, intercept = strategy.coef, strategy.intercept
        prediction = X @ coef + (0 if intercept is None else intercept)
        residual = mean_square(prediction - y)
        influence = mean_square(loss.value_and_influence(prediction, y)[1])
        if penalty.l2 is not None:
            influence = influence + (penalty.l2 * coef**2).sum(0)
        if loss.curvature is None:
            residual = residual + math.inf
        return Sizes(np.sqrt(to_numpy(influence)), np.sqrt(to_numpy(residual)))

    return measure
