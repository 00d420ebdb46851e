"""What ends a descent before its epochs are used up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from skgd._data.coordinates import varies
from skgd._data.device import to_numpy
from skgd._data.moments import ColumnMoments
from skgd._data.row_sources import RowSource
from skgd._data.rows import Rows, predicted
from skgd._descent.batches import WholeBatch
from skgd._descent.held_out import HeldOutScore
from skgd._objective.losses import Loss
from skgd._objective.objective import Objective
from skgd._objective.penalties import Penalty
from skgd._typing import Array, Parameters
from skgd.strategies import GradientStrategy

# Not all is looked at while what said no last says so still, but for so many epochs.
_MOST_DENIALS, _MOST_DENIALS_MEASURED = 100, 10

# Terms of a residual are rounded to so many units in their last place, and a residual
# of so many roundings is as good as none.
_ROUNDINGS, _MET = 4, 100


class Stopping(NamedTuple):
    """What may end a descent before its epochs are used up."""

    rule: StoppingRule | None = None  # of a full batch
    plateau: Plateau | None = None  # of the score on held-out rows, or of the losses
    held_out: HeldOutScore | None = None

    def score(self, parameters: Parameters) -> None:
        """Score a model on the rows held out, if there are any."""
        if self.held_out is not None:
            self.held_out.score(parameters)


class StoppingRule:
    """LSQR's two scale-free rules (Paige & Saunders 1982), for each target.

    A target has converged when no feature correlates with its residual by more than
    `tol`, ``|x_j' r| / (|x_j| |r|) <= tol``, or when it is met, ``|r| <= tol^2 |y|``.
    The square is for those that can be met almost: where the best R^2 is 1 - 1e-9, a
    residual of 1e-4 may still be three times too large.

    Where columns are white, the first rule is about all features together: ``|X' r| /
    (sqrt(n) |r|)`` is the multiple correlation of the residual with them, whose square
    is the share of the loss that is still to be explained.

    The intercept counts as a feature of ones. Where there is one, ``x_j`` and ``y`` are
    about their means, lest a large offset hide what correlates, or the residual.
    Neither rule depends on the units of X or y, nor on the number of rows.

    A residual is a sum of terms, and cannot be told from zero below their rounding, nor
    its slope along a feature. A slope of that size counts as none, whatever `tol` is:
    `resolved` then is the correlation that the dtype resolves, unless the target is met
    but for rounding.

    For losses other than squared error, the first rule is about the pseudo-residuals,
    half the derivative of the loss, in place of r. With an L2 penalty, it is about the
    data with a row more for each feature, ``sqrt(n l2_j) e_j`` with target zero, on
    which squared error is the penalised objective (in white coordinates they may
    be among the rows). With any penalty beside the rows, ``tol^2`` does not count,
    since a target that is met is not what is wanted then. Where steps are proximal,
    the gradient mapping takes the place of the gradient.

    For squared error, ``gradient = 2/n X' r`` and ``loss = |r|^2 / n``, so neither
    needs the residuals. The rule remembers the steepest feature that it last saw: as
    long as that one alone says no, the others are not looked at, which makes the rule
    cost a tenth of looking at all of them (10 features). For other losses, whose value
    does not tell the size of the pseudo-residuals, that is measured when the size that
    was measured last no longer says no, or has said so many times in a row.

    Parameters
    ----------
    tol : float or ndarray of shape (n_targets,)
        Tolerance; of `TargetRules` one for each target.
    rows : RowSource
        The rows of the descent.
    penalty : Penalty
        That of the descent, in NumPy.
    fit_intercept : bool
        Whether there is an intercept.
    white : bool, default=False
        Whether the columns do not correlate, and have the variance one, that of rows
        of the penalty included.
    condition : float, default=1.0
        About how many units white columns are rounded by.
    targets : ColumnMoments or None, default=None
        Means and spreads of the targets, where they are known.
    measure : callable or None, default=None
        Returns `Sizes` at the current parameters. None: the loss is squared error.
    largest_pseudo_residual : float, default=inf
        Largest pseudo-residual that a row may have.

    Attributes
    ----------
    resolved : float or None
        The least correlation that rounding resolves, where that ended the descent.
    """

    def __init__(
        self,
        tol: float | Array,
        rows: RowSource,
        penalty: Penalty,
        *,
        fit_intercept: bool,
        white: bool = False,
        condition: float = 1.0,
        targets: ColumnMoments | None = None,
        measure: Callable[[], Sizes] | None = None,
        largest_pseudo_residual: float = np.inf,
    ) -> None:
        self.tol = tol
        self.dtype = rows.dtype
        self.resolved: float | None = None
        self._white = white
        self._measure = measure
        self._proximal = penalty.has_prox
        self._penalized = penalty.l2 is not None or penalty.has_prox
        self._met = 0.0 if self._penalized else tol * tol
        d = rows.n_features
        mean, spread = np.zeros(d), np.ones(d)
        if penalty.l2 is not None or not white:
            _, mean, spread = rows.feature_moments()
        self._sizes_of_features = np.hypot(mean, spread)[:, None]
        if white or not fit_intercept:
            mean, spread = np.zeros(d), self._sizes_of_features[:, 0]
        self._means = mean[:, None]
        norms = np.where(varies(mean, spread), spread, 0.0)[:, None]
        if penalty.l2 is not None:
            if white:  # what a target without a penalty has there may be rounding
                eps = float(np.finfo(self.dtype).eps)
                norms[norms <= min(_MET * eps * condition, eps**0.5)] = 0
            norms = np.hypot(norms, np.sqrt(penalty.l2))
        # A column that does not vary has no slope but that of an L1 penalty, which is
        # to be zero there. The last norm is that of the ones.
        norms[norms == 0] = np.inf if penalty.l1 is None else 1e-100
        self._feature_norms = np.vstack([norms, np.ones_like(norms[:1])])
        if targets is None:
            targets = rows.target_moments()
        self._target_sizes = np.hypot(targets.mean, targets.spread)
        self._target_norms = targets.spread if fit_intercept else self._target_sizes
        self._largest_pseudo_residual = largest_pseudo_residual
        # A row whose target is larger than its prediction by more has the largest
        # pseudo-residual, which is not rounded: outliers do not count.
        self._largest_terms = np.minimum(self._target_sizes, largest_pseudo_residual)
        zeros = np.zeros((d, len(self._target_sizes)))
        self._remember(0, 0, float(self._rounding((zeros,))[0]))
        self._measured: Sizes | None = None
        self._n_denied = 0
        self._most_denials = _MOST_DENIALS_MEASURED if measure else _MOST_DENIALS

    def is_met(
        self, losses: Sequence[float], gradients: Parameters, parameters: Parameters
    ) -> bool:
        """Return whether every target meets one of the two rules.

        Parameters
        ----------
        losses : list of float
            Objective of each target, but for what has no gradient.
        gradients : tuple of arrays
            Its gradients, or the gradient mapping.
        parameters : tuple of arrays
            Where these are.
        """
        if self._denied_by_steepest(losses, gradients):
            return False
        self._n_denied = 0
        slopes, steep, rounding = self._judged(losses, gradients, parameters)
        steepest = np.where(steep, slopes, 0).argmax()
        feature, target = np.unravel_index(steepest, slopes.shape)
        self._remember(int(feature), int(target), float(rounding[target]))
        if steep.any():
            return False
        pseudo_residual, residual = self._sizes_there
        unresolved = self._combined(slopes) > 2 * self.tol * pseudo_residual
        unresolved &= residual > self._met * self._target_norms
        unresolved &= np.minimum(residual, pseudo_residual) > _MET * rounding
        if unresolved.any():
            self.resolved = float((rounding / pseudo_residual)[unresolved].max())
        return True

    def _judged(
        self,
        losses: Sequence[float] | np.ndarray,
        gradients: Parameters,
        parameters: Parameters,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return slopes, which targets meet neither rule, and the rounding of each."""
        self._sizes_there = pseudo_residual, residual = self._sizes(losses)
        slopes = self._slopes(gradients)
        rounding = self._rounding(parameters)
        # Above that, all pseudo-residuals may be rounding, and tell nothing.
        tells = rounding < self._largest_pseudo_residual
        limits = 2 * np.maximum(self.tol * pseudo_residual, tells * rounding)
        # Negated comparisons, so that a slope of nan counts as steep.
        steep = ~(self._combined(slopes) <= limits)
        steep &= ~(residual <= self._met * self._target_norms)
        return slopes, steep, rounding

    def achieved(
        self, losses: Sequence[float], gradients: Parameters
    ) -> tuple[float, str]:
        """Return the least `tol` that every target would have met, and its name.

        The name says which of the two rules it is that the last target comes next to.
        Rounding is left out.
        """
        pseudo_residual, residual = self._sizes(losses)
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = self._combined(self._slopes(gradients))
            correlations = slopes / (2 * pseudo_residual)
            relative_residuals = np.sqrt(residual / self._target_norms)
        if self._penalized:
            relative_residuals = np.full_like(correlations, np.inf)
        # 0 / 0: a target of zeros that is met exactly.
        reached = np.nan_to_num(np.fmin(correlations, relative_residuals))
        last = reached.argmax()
        what = "largest correlation of a feature with the residual"
        if self._white:
            what = "multiple correlation of the features with the residual"
        if relative_residuals[last] < correlations[last]:
            what = "square root of the residual's size over the target's"
        return float(reached[last]), what

    def correlations(
        self, losses: Sequence[float], gradients: Parameters
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return how much there may be to gain, after an evaluation.

        Returns
        -------
        correlations : ndarray of shape (n_features + 1, n_targets)
            Of each feature, and of the ones of an intercept, with the residual, without
            their sign; one row less where there is no intercept.
        shares : ndarray of shape (n_targets,)
            Of the squares of the target in those of the residual: about its mean where
            there is an intercept. 1 where the loss need not go by residuals.
        """
        pseudo_residual, residual = self._sizes(losses)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = self._slopes(gradients) / (2 * pseudo_residual)
            shares = (residual / self._target_norms) ** 2
        shares[np.isinf(residual)] = 1
        # 0 / 0: a target that is met exactly.
        return np.nan_to_num(found, posinf=0), np.nan_to_num(shares, posinf=1)

    def _denied_by_steepest(
        self, losses: Sequence[float], gradients: Parameters
    ) -> bool:
        """Return whether the feature and target steepest last still say no."""
        feature, target = self._steepest
        self._n_denied += 1
        if self._n_denied > self._most_denials:
            return False
        if self._measure is None:
            pseudo_residual = residual = math.sqrt(losses[target])
        elif self._measured is None:
            return False
        else:
            pseudo_residual, residual = (size[target] for size in self._measured)
        coef_gradient = gradients[0]
        if feature < len(coef_gradient):
            slope = float(coef_gradient[feature, target])
            if self._mean_of_steepest and (slope or not self._proximal):
                slope -= self._mean_of_steepest * float(gradients[1][target])
        else:
            slope = float(gradients[1][target])
        return (
            abs(slope) > max(self._slope_limit * pseudo_residual, self._rounding_limit)
            and residual > self._size_limit
        )

    def _remember(self, feature: int, target: int, rounding: float) -> None:
        """Keep the feature and target that are steepest, and their limits."""
        self._steepest = feature, target
        n_targets, norms = len(self._target_norms), self._feature_norms[feature]
        norm = float(np.broadcast_to(norms, n_targets)[target])
        self._slope_limit = 2 * self.tol * norm
        # They may have grown since.
        self._rounding_limit = 2 * _MET * rounding * norm
        self._size_limit = self._met * float(self._target_norms[target])
        self._mean_of_steepest = 0.0
        if feature < len(self._means):
            self._mean_of_steepest = float(self._means[feature, 0])

    def _sizes(self, losses: Sequence[float] | np.ndarray) -> Sizes:
        """Return root mean squares of pseudo-residual and residual of each target."""
        if self._measure is None:
            size = np.sqrt(losses)
            return Sizes(size, size)
        self._measured = self._measure()
        return self._measured

    def _slopes(self, gradients: Parameters) -> np.ndarray:
        """Return ``2 |x_j' r| / (n |x_j|)`` of each feature, the ones, and target."""
        coef_gradient, *intercept_gradient = map(to_numpy, gradients)
        for gradient in intercept_gradient:
            if self._means.any():
                centered = coef_gradient - self._means * gradient
                if self._proximal:  # a coefficient that is to be zero has no slope
                    centered[coef_gradient == 0] = 0
                coef_gradient = centered
        stacked = np.vstack([coef_gradient, *intercept_gradient])
        return np.abs(stacked) / self._feature_norms[: len(stacked)]

    def _combined(self, slopes: np.ndarray) -> np.ndarray:
        """Return the slope of each target along the features that count."""
        if self._white:
            return np.linalg.norm(slopes, axis=0)
        return slopes.max(axis=0)

    def _rounding(self, parameters: Parameters) -> np.ndarray:
        """Return what the residual's terms are rounded by, of each target."""
        coef, *intercept = (np.abs(to_numpy(each)) for each in parameters)
        terms = self._largest_terms + (self._sizes_of_features * coef).sum(axis=0)
        eps = float(np.finfo(self.dtype).eps)
        return _ROUNDINGS * eps * sum(intercept, start=terms)


class TargetRules(StoppingRule):
    """The same rules for squared error, with a tolerance and an answer for each target.

    Parameters are those of `StoppingRule`, but that `tol` is (n_targets,).
    """

    _steepest_of_each: _SteepestOfEach | None = None

    def met(
        self,
        losses: np.ndarray,
        gradients: Parameters,
        parameters: Parameters,
        asked: np.ndarray,
    ) -> np.ndarray | None:
        """Return which targets meet one of the two rules.

        Parameters
        ----------
        losses, gradients, parameters
            As for `is_met`.
        asked : ndarray of int
            The targets whose answer counts.

        Returns
        -------
        met : ndarray of bool of shape (n_targets,) or None
            None: none of those asked for.
        """
        if self._all_denied(losses, gradients, asked):
            return None
        self._n_denied = 0
        slopes, steep, rounding = self._judged(losses, gradients, parameters)
        features, targets = slopes.argmax(axis=0), np.arange(len(losses))
        shape = len(self._feature_norms), len(losses)
        norms = np.broadcast_to(self._feature_norms, shape)[features, targets]
        is_ones = features == len(self._means)
        features[is_ones] = 0
        self._steepest_of_each = _SteepestOfEach(
            place=(features, targets),
            is_ones=is_ones if is_ones.any() else None,
            means=self._means[features, 0] if self._means.any() else None,
            slope_limits=2 * self.tol * norms,
            rounding_limits=2 * _MET * rounding * norms,
            size_limits=self._met * self._target_norms,
        )
        return ~steep

    def _remember(self, feature: int, target: int, rounding: float) -> None:
        """Keep nothing: `met` keeps the steepest feature of each target."""

    def _all_denied(
        self, losses: np.ndarray, gradients: Parameters, asked: np.ndarray
    ) -> bool:
        """Return whether the feature steepest last still says no, for every target."""
        last, self._n_denied = self._steepest_of_each, self._n_denied + 1
        if last is None or self._n_denied > self._most_denials:
            return False
        slopes = to_numpy(gradients[0])[last.place]
        if last.means is not None and len(gradients) > 1:
            shift = last.means * to_numpy(gradients[1])
            if self._proximal:  # a coefficient that is to be zero has no slope
                shift[slopes == 0] = 0
            slopes -= shift
        if last.is_ones is not None:
            slopes = np.where(last.is_ones, to_numpy(gradients[1]), slopes)
        sizes = np.sqrt(losses)
        limits = np.maximum(last.slope_limits * sizes, last.rounding_limits)
        denied = (np.abs(slopes) > limits) & (sizes > last.size_limits)
        return bool(denied[asked].all())


class _SteepestOfEach(NamedTuple):
    """The steepest feature that was last seen of each target, and its limits."""

    place: tuple[np.ndarray, np.ndarray]  # feature and target
    is_ones: np.ndarray | None  # where it is the intercept's; None: nowhere
    means: np.ndarray | None  # of the features; None: zeros
    slope_limits: np.ndarray
    rounding_limits: np.ndarray
    size_limits: np.ndarray


class Sizes(NamedTuple):
    """What the two rules compare with, target by target, as root mean squares."""

    pseudo_residual: np.ndarray  # with the rows of an L2 penalty among them
    residual: np.ndarray  # inf where a residual of zero need not be the minimum


def sizes_at(
    strategy: GradientStrategy, batch: WholeBatch, objective: Objective
) -> Callable[[], Sizes]:
    """Return a function that measures `Sizes` where the strategy stands.

    The objective is where the descent takes place.
    """
    loss, penalty = objective.loss, objective.penalty
    squares = partial(_squares, loss)

    def measure() -> Sizes:
        pseudo_residual, residual = (
            total / len(batch.rows) for total in batch.sum(squares, strategy.parameters)
        )
        if penalty.l2 is not None:
            coef = strategy.parameters[0]
            pseudo_residual = pseudo_residual + to_numpy(penalty.l2_value(coef))
        if loss.curvature is None:
            residual = residual + math.inf
        return Sizes(np.sqrt(pseudo_residual), np.sqrt(residual))

    return measure


def _squares(loss: Loss, rows: Rows, parameters: Parameters) -> tuple[Array, Array]:
    """Return the sums of the squares of pseudo-residuals and residuals."""
    weight = 1.0 if rows.weight is None else rows.weight[:, None]
    prediction = predicted(rows.X, parameters)
    residual = (weight * (prediction - rows.y) ** 2).sum(0)
    _, pseudo_residual = loss.value_and_residual(prediction, rows.y)  # overwrites
    return (weight * pseudo_residual**2).sum(0), residual


class Plateau:
    """Tells when so many epochs in a row have failed to improve on the best by `tol`.

    Losses, one a target, improve where any of them does, relative to its best, so that
    no target waits for another in larger units; scores improve by `tol` itself.

    Parameters
    ----------
    tol : float or None
        Least improvement. None: any, and a plateau is no reason to stop.
    patience : int
        How many epochs.
    relative : bool
        Whether `tol` is a share of the best.

    Attributes
    ----------
    gained : bool
        Whether, at this plateau, the best is better than at the one before by `tol`.
    """

    def __init__(self, tol: float | None, patience: int, *, relative: bool) -> None:
        self.ends_descent = tol is not None
        self._tol = tol or 0.0
        self._patience = patience
        self._relative = relative
        self._best: Sequence[float] | None = None
        self._best_at_last: Sequence[float] | None = None
        self._n_without = 0
        self.gained = True

    def reached(self, values: Sequence[float]) -> bool:
        """Count one more epoch with these values, of which less is better."""
        improved = self._improve(values, self._best)
        self._n_without = 0 if improved else self._n_without + 1
        best = self._best or values
        self._best = [min(pair) for pair in zip(values, best, strict=True)]
        if self._n_without < self._patience:
            return False
        self._n_without = 0
        self.gained = self._improve(self._best, self._best_at_last)
        self._best_at_last = self._best
        return True

    @property
    def state(self) -> tuple[Sequence[float] | None, Sequence[float] | None, int]:
        """What `resume` goes on from."""
        return self._best, self._best_at_last, self._n_without

    def resume(
        self, state: tuple[Sequence[float] | None, Sequence[float] | None, int]
    ) -> None:
        """Go on from where another plateau's count ended."""
        self._best, self._best_at_last, self._n_without = state

    def _improve(self, values: Sequence[float], best: Sequence[float] | None) -> bool:
        """Return whether any value is better than the best by `tol`."""
        if best is None:
            return True
        return any(
            value < least - self._tol * (abs(least) if self._relative else 1)
            for value, least in zip(values, best, strict=True)
        )
