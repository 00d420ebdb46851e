"""When a full-batch descent has arrived."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from skgd._placement import to_numpy
from skgd._rows import Rows, means, root_mean_squares

#: Gradients with respect to coef and intercept, in the strategy's own library.
Gradients = tuple[Any, Any]


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

    For squared error, ``gradient = 2/n X' r`` and ``loss = |r|^2 / n``, so neither
    needs the residuals. The rule remembers the steepest feature that it last saw: as
    long as that one alone says no, the others are not looked at, which makes watching
    it cost a tenth of looking at all of them (10 features).

    Parameters
    ----------
    tol : float
        Tolerance.
    rows : Rows
        The rows of the descent, in NumPy.
    fit_intercept : bool
        Whether there is an intercept.
    """

    def __init__(self, tol: float, rows: Rows, *, fit_intercept: bool) -> None:
        self.tol = tol
        self._met = _size_of_a_met_target(tol, np.finfo(rows.y.dtype).eps)
        feature_norms = root_mean_squares(rows.X, rows.weight)
        # A column of zeros has no slope; the last norm is that of the ones.
        feature_norms[feature_norms == 0] = np.inf
        self._feature_norms = np.append(feature_norms, 1.0)[:, None]
        self._target_norms = root_mean_squares(rows.y, rows.weight)
        if fit_intercept:
            about = means(rows.y, rows.weight)
            spreads = root_mean_squares(rows.y, rows.weight, about)
            has_spread = spreads > 1e3 * np.finfo(rows.y.dtype).eps * self._target_norms
            self._target_norms = np.where(has_spread, spreads, self._target_norms)
        self._steepest = 0, 0  # (feature, target)

    def has_arrived(self, losses: Sequence[float], gradients: Gradients) -> bool:
        """Whether every target meets one of the two rules."""
        if self._denied_by_steepest(losses, gradients):
            return False
        residual_norms = np.sqrt(losses)
        slopes = self._slopes(gradients)
        # Said the other way round, a slope that is nan would have arrived.
        steep = ~(slopes <= 2 * self.tol * residual_norms)
        steep &= residual_norms > self._met * self._target_norms
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
        residual_norms = np.sqrt(losses)
        with np.errstate(divide="ignore", invalid="ignore"):
            correlations = self._slopes(gradients).max(axis=0) / (2 * residual_norms)
            relative_residuals = np.sqrt(residual_norms / self._target_norms)
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
        coef_gradient, intercept_gradient = gradients
        if feature < len(coef_gradient):
            slope = abs(float(coef_gradient[feature, target]))
        else:
            slope = abs(float(intercept_gradient[target]))
        residual_norm = math.sqrt(losses[target])
        return (
            slope > 2 * self.tol * residual_norm * self._feature_norms[feature, 0]
            and residual_norm > self._met * self._target_norms[target]
        )

    def _slopes(self, gradients: Gradients) -> np.ndarray:
        """``2 |x_j' r| / (n |x_j|)`` of each feature, and the intercept, and target."""
        rows = [to_numpy(g) for g in gradients if g is not None]
        stacked = np.vstack(rows)
        return np.abs(stacked) / self._feature_norms[: len(stacked)]


def _size_of_a_met_target(tol: float, eps: float) -> float:
    """Size of the residual, relative to y's, at which there is nothing to gain."""
    rounded = float(eps) / tol if tol > 0 else np.inf
    return max(tol**2, min(rounded, float(eps) ** 0.5))
