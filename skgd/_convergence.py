"""Warnings about descents that ended short of the minimum, with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from scipy.special import chdtrc
from sklearn.exceptions import ConvergenceWarning

from skgd._data.device import in_numpy
from skgd._data.rows import Rows, ones_of, predicted
from skgd._data.tensors import cast, dtype_of, is_tensor
from skgd._data.whitening import MOST_BYTES, bytes_of_matrix
from skgd._descent.loop import Outcome, Result
from skgd._descent.problem import Problem
from skgd._descent.stopping import Stopping, StoppingRule
from skgd._interrupt import SECONDS_TO_PRESS_AGAIN
from skgd._objective.losses import Huber
from skgd._settings import Settings
from skgd._typing import Array, Matrix, NumpyParameters
from skgd._warn import warn

# Correlation with the residual of a feature that has a percent of the variance still to
# explain: noise of batches at a constant rate leaves no more.
_FAR_FROM_CONVERGED = 0.1

# The same of a feature that has a quarter to explain. It is left where validation rows
# differ from those trained on, but hardly where the model overfits.
_VERY_FAR = 0.5

# A score that gains less than this share of what it did before, as the training loss
# falls by as much, is that of a model that overfits.
_STILL_FOLLOWS = 0.1

# A step that gains less than this share of what a single feature would is short.
_SHORT_STEP = 0.1

# Chance that noise correlates as much with the features, beyond which it may be noise.
# In 90 tables of 24 to 240 rows of which features explain 0.3 there was no warning in
# 11 for 0.05, and in 2 for 0.2; of as many of noise it was there in 8, and in 15.
_LEAST_CHANCE_OF_NOISE = 0.1

# Rounding of predictions over the spread of y: its square is a share of the loss.
_MOST_ROUNDING = 1e-3

# A factor of the rows is one of rows that are rounded in float64 to so many units.
_ROUNDINGS_OF_FIT = 4

# Where rows to score are not prepared as those to train on, R^2 is far below 0.
_LEAST_R2 = -0.1

_TO_END_ALL = (
    f"Ctrl-C again within {SECONDS_TO_PRESS_AGAIN:g} seconds raises: it ends a search."
)


class Fitted(NamedTuple):
    """A model in the user's units, and the descent that led to it."""

    parameters: NumpyParameters  # of the dtype of X
    exact: NumpyParameters  # the same in float64
    result: Result
    stopping: Stopping


def warn_unless_converged(fitted: Fitted, problem: Problem, settings: Settings) -> None:
    """Warn where a descent ended short of the minimum, or rounding is in the way."""
    result, stopping = fitted.result, fitted.stopping
    if result.outcome is Outcome.INTERRUPTED:
        warn(_interrupted(result, stopping), ConvergenceWarning)
        return
    ended = _short_end(result, problem, stopping)
    if result.outcome is Outcome.PLATEAU and stopping.held_out is not None:
        ended = _early_stop_too_early(result, problem, settings, stopping)
    if ended:
        ended = (
            f"{ended}; {_advice_when_slow(settings, problem)} With tol=None all epochs "
            "are run, without this warning."
        )
    if not ended and result.outcome is Outcome.CONVERGED:
        ended = _out_of_reach(stopping.rule)
    ended = ended or _worse_than_a_constant(problem, settings, stopping)
    ended = ended or _unresolved(problem)
    ended = ended or _lost_to_rounding(fitted.parameters, fitted.exact, problem)
    if ended:
        warn(ended, ConvergenceWarning)


def _worse_than_a_constant(
    problem: Problem, settings: Settings, stopping: Stopping
) -> str:
    """Return that the user's validation rows are predicted badly; empty if not."""
    if stopping.held_out is None or not (problem.validation and settings.scoring.is_r2):
        return ""
    best = max(stopping.held_out.scores)
    if not best < _LEAST_R2:
        return ""
    return (
        f"The best score on the validation rows is an R^2 of {best:.3g}: a constant "
        "predicts y_val better. Prepare X_val and y_val as X and y (in a pipeline, "
        "X_val passes its steps with transform_input=['X_val']), or pass other rows."
    )


def _interrupted(result: Result, stopping: Stopping) -> str:
    """Return where an interruption ended a descent."""
    ended = f"Gradient descent was interrupted in epoch {result.n_epochs - 1}."
    if stopping.held_out is not None:
        return (
            f"{ended} The model is the best so far on the rows held out. {_TO_END_ALL}"
        )
    if stopping.rule is not None:
        ended = f"{ended} {_reached(stopping.rule, result)}"
    return (
        f"{ended} The model is where the descent stood, or the average so far. "
        f"{_TO_END_ALL} To go on from it, fit with warm_start=True."
    )


def _reached(rule: StoppingRule, result: Result) -> str:
    """Return how far a descent has come."""
    reached, what = rule.achieved(result.smooth_losses, result.gradients)
    return f"The {what} is {reached:.2g}, and tol={rule.tol:g}."


def _out_of_reach(rule: StoppingRule | None) -> str:
    """Return that `tol` is less than what the dtype resolves; empty if it is not.

    A `tol` of zero asks for what can be reached.
    """
    if rule is None or rule.resolved is None or rule.tol == 0:
        return ""
    remedy = "Use a larger tol, or 0 for as much as can be had"
    if rule.dtype == np.float32:
        remedy = "Pass X as float64, or use a larger tol"
    return (
        f"tol={rule.tol:g} is out of reach: of these data, {rule.dtype} resolves no "
        f"correlation with the residual below {rule.resolved:.2g}, where gradient "
        f"descent ended. {remedy}."
    )


def _lost_to_rounding(
    parameters: NumpyParameters, exact: NumpyParameters, problem: Problem
) -> str:
    """Return how much of y the rounding of the model costs; empty if little.

    A prediction is a sum of terms of the size of a coefficient times its column. Where
    columns nearly repeat each other, or lie far from zero, terms are far larger than
    their sum.
    """
    sizes = problem.coordinates.column_sizes
    _, mean, spread = problem.target_moments
    if not problem.fit_intercept:
        spread = np.hypot(mean, spread)
    coef, *intercept = parameters
    dtype = coef.dtype
    eps, least = np.finfo(dtype).eps / 2, float(np.finfo(dtype).smallest_subnormal)
    with np.errstate(over="ignore", invalid="ignore"):
        terms = np.linalg.norm(sizes * exact[0], axis=0)
        of_coef = eps * terms + _ROUNDINGS_OF_FIT * np.finfo(np.float64).eps * terms
        of_coef = np.hypot(of_coef, np.linalg.norm(sizes * (coef - exact[0]), axis=0))
        of_coef *= 2  # terms may err to the same side
        of_intercept = sum(
            (eps * np.abs(b.astype(np.float64)) + least for b in intercept),
            start=np.zeros_like(of_coef),
        )
    shares = [
        float(np.divide(each, spread, out=np.zeros_like(each), where=spread > 0).max())
        for each in (of_coef, of_intercept)
    ]
    if not max(shares) > _MOST_ROUNDING:
        return ""
    as_float64 = "pass X and y as float64, or " if dtype == np.float32 else ""
    share = min(max(shares), np.finfo(np.float64).max)  # they may overflow
    spoils = f"rounding changes predictions by {share:.1g} of the spread of y"
    if not shares[0] > _MOST_ROUNDING:
        return (
            f"The intercept is too large for {dtype}: {spoils}. y lies far from zero; "
            f"{as_float64}subtract a constant from it."
        )
    return (
        f"The coefficients are too large for {dtype}: {spoils}. Columns of X nearly "
        f"repeat each other, or lie far from zero; {as_float64}center columns before "
        "their powers and products are taken, and of two that nearly repeat each "
        "other, keep one, and their difference if it matters."
    )


def _unresolved(problem: Problem) -> str:
    """Return that moments do not tell columns of a stream apart; empty if they do."""
    if problem.coordinates.resolved:
        return ""
    return (
        "Columns of X nearly repeat each other, or lie far from zero, and the moments "
        "of a stream tell them apart poorly or not at all. Center columns before their "
        "powers and products are taken; of two that nearly repeat each other, keep one "
        "and their difference; or use fit, which has the rows and tells them apart."
    )


def _short_end(result: Result, problem: Problem, stopping: Stopping) -> str:
    """Return how a descent ended short; empty if it did not."""
    rule, plateau, held_out = stopping
    ended = f"Gradient descent used up max_iter={result.n_epochs} epochs."
    remedy = "Increase max_iter"
    if result.outcome is Outcome.PLATEAU:
        if held_out is not None:
            return ""
        ended = f"Gradient descent stopped at a plateau after {result.n_epochs} epochs."
        remedy = "Use schedule='constant', or another learning_rate"
    elif result.outcome is not Outcome.OUT_OF_EPOCHS:
        return ""
    if rule is not None and held_out is None:
        return f"{ended} {_reached(rule, result)} {remedy}"
    if plateau is None or not plateau.ends_descent:
        return ""
    if result.outcome is Outcome.PLATEAU:
        first, *_, last = result.loss_curve
        best = min(result.loss_curve)
        if last > max(2 * best, 0.01 * first):
            state = f"The loss is {last / best:.2g} times that of the best"
            return f"{ended} {state}. {remedy}"
        correlations, _ = _correlations(in_numpy(result.parameters), problem)
        correlation = correlations[:-1].max()
        if correlation > _FAR_FROM_CONVERGED:
            state = (
                f"A feature's correlation with the residual is {correlation:.2g} still"
            )
            remedy = "Increase n_iter_no_change, or learning_rate"
            return f"{ended} {state}. {remedy}"
        return ""
    what = "loss" if held_out is None else "validation score"
    return f"{ended} The {what} still improves by more than tol now and then. {remedy}"


def _early_stop_too_early(
    result: Result, problem: Problem, settings: Settings, stopping: Stopping
) -> str:
    """Return that a score ended a descent that had got nowhere; empty if it had not.

    A score that no longer improves is what early stopping is for. But it improves by
    less than `tol` an epoch as well where steps are too short to get anywhere.
    """
    assert stopping.held_out is not None
    if stopping.rule is not None:  # it has the gradient, which leaves little to do
        found = stopping.rule.correlations(result.smooth_losses, result.gradients)
    else:
        found = _correlations(in_numpy(result.parameters), problem)
    correlations, shares = found
    to_gain = float((correlations * np.sqrt(shares)).max())
    if to_gain <= _FAR_FROM_CONVERGED:
        return ""
    scores, losses = stopping.held_out.scores, result.loss_curve
    n = settings.n_iter_no_change
    largest = float(correlations.max())
    short = losses[0] - losses[1] <= _SHORT_STEP * largest**2 * losses[1]
    if not (
        (short and scores[0] == max(scores))
        or to_gain > _VERY_FAR
        or _score_follows(scores, losses, n, problem.batches.dtype)
    ) or _may_be_noise(correlations, problem.batches.n_samples):
        return ""
    feature, _ = np.unravel_index(correlations.argmax(), correlations.shape)
    what = "a feature" if feature < problem.rows.n_features else "the intercept"
    return (
        f"Gradient descent stopped after {result.n_epochs} epochs, as {n} in a row had "
        f"not improved the validation score by tol={settings.tol:g}, but far from the "
        f"minimum of the training loss: the correlation of {what} with the residual is "
        f"{largest:.2g}. Use a larger learning_rate or n_iter_no_change, or a smaller "
        "tol, which is in the units of the score"
    )


def _score_follows(
    scores: Sequence[float],
    loss_curve: Sequence[float],
    n_last: int,
    dtype: np.dtype,
) -> bool:
    """Return whether at the end the score still improves as the training loss falls.

    Compared is by how much it did so for the same fall in all epochs. It does not where
    the model begins to overfit. Where nothing has moved, or the training loss no longer
    falls, the score is no reason to stop.
    """
    gains, losses = np.array(scores[:-1]), np.array(loss_curve[1:])
    if len(losses) < 2:
        return True
    gain, fall = gains[-1] - gains[0], losses[0] - losses[-1]
    if abs(fall) <= np.sqrt(np.finfo(dtype).eps) * abs(losses[0]):
        return True
    since = max(len(losses) - 1 - n_last, 0)
    last_gain, last_fall = gains[-1] - gains[since], losses[since] - losses[-1]
    if last_fall <= 0:
        return True
    return bool(gain >= 0 and last_gain * fall >= _STILL_FOLLOWS * gain * last_fall)


def _may_be_noise(correlations: np.ndarray, n_rows: int) -> bool:
    """Return whether the features of no target tell it from noise.

    Noise has squared correlations that follow chi-squared distributions: n_rows times
    the square of each with one degree of freedom, and times their sum with as many as
    there are features, where these do not correlate.
    """
    squares = n_rows * correlations**2
    by_one = chdtrc(1, squares.max()) * squares.size
    by_all = chdtrc(len(squares), squares.sum(axis=0).max()) * squares.shape[1]
    return bool(min(by_one, by_all) > _LEAST_CHANCE_OF_NOISE)


def _advice_when_slow(settings: Settings, problem: Problem) -> str:
    """Return what takes fewer epochs than these settings."""
    if settings.loss.curvature is None:
        return (
            "or try another learning_rate, or standardize=True. A loss that has kinks "
            "may never meet tol: a schedule='invscaling' brings it closer."
        )
    if not settings.strategy.plain:
        return "or try another learning_rate."
    if not settings.has_auto_rate:
        return "or use learning_rate='auto', which takes fewer epochs."
    may_whiten = not (
        problem.coordinates.is_white
        or settings.has_prox
        or settings.early_stopping
        or bytes_of_matrix(problem.rows.n_features) > MOST_BYTES
    )
    if not problem.batches.whole:
        whitened = "whiten=True, or " if may_whiten and settings.standardize else ""
        return f"or use {whitened}batch_size=None: the full batch takes fewer epochs."
    if settings.momentum != "auto":
        return "or use momentum='auto', which takes fewer epochs."
    if not settings.standardize:
        return "or use standardize=True, which takes fewer epochs."
    if may_whiten:
        return (
            "or use whiten=True, which removes the correlation between columns (with a "
            "dense matrix of n_features x n_features, and dense rows)."
        )
    if isinstance(settings.loss, Huber):
        return (
            f"or use a larger epsilon than {settings.loss.epsilon:g}. It is in the "
            "units of y; far below the size of most residuals, the minimum is many "
            "epochs away."
        )
    low, high = settings.l2_range
    if low != high and (not problem.is_white or problem.objective.penalty.has_l2):
        return (
            "or fit targets whose alpha differ by much one by one: together they share "
            "a scale of the columns."
        )
    if settings.has_prox and np.any(settings.penalizes):
        return "or, where columns are nearly collinear, a larger alpha."
    return "or leave out columns that nearly repeat others."


class _Sums(NamedTuple):
    """Sums over rows, of each feature (and target)."""

    X_residual: np.ndarray  # x_j times the pseudo-residual
    X: np.ndarray
    X_squares: np.ndarray
    residual: np.ndarray  # pseudo-residual
    residual_squares: np.ndarray
    error_squares: np.ndarray


def _squares(X: Matrix, w: Array) -> Array:
    """Return the weighted sum of the squares of each column."""
    if issparse(X):
        return X.power(2).T @ w
    if is_tensor(X):
        return X.square().T @ w
    return np.einsum("ij,ij,ik->jk", X, X, w)


def _correlations(
    parameters: NumpyParameters, problem: Problem
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `StoppingRule.correlations` does, of rows read anew.

    But features are about their means where there is an intercept, lest an offset hide
    a correlation; and it is 0 where the residual is below a hundredth of the target.
    """
    loss, penalty = problem.objective.loss, problem.objective.penalty

    def terms(rows: Rows) -> _Sums:
        X, y, weight = rows
        w = (ones_of(rows) if weight is None else weight)[:, None]
        if rows.are_tensors:  # of which torch multiplies those of one dtype alone
            w = cast(w, dtype_of(y))
        prediction = predicted(X, parameters)
        errors = (prediction - y) ** 2
        _, residual = loss.value_and_residual(prediction, y)
        return _Sums(
            X.T @ (w * residual),
            X.T @ w,
            _squares(X, w),
            (w * residual).sum(axis=0),
            (w * residual**2).sum(axis=0),
            (w * errors).sum(axis=0),
        )

    mean = _Sums(*(total / len(problem.rows) for total in problem.rows.sum(terms)))
    slopes, curvatures, sizes = mean.X_residual, mean.X_squares, mean.residual_squares
    coef, *intercept = parameters
    _, *y_moments = problem.target_moments
    target_sizes, slope_of_ones = np.hypot(*y_moments), np.zeros_like(sizes)
    if intercept:
        target_sizes, slope_of_ones = y_moments[1], mean.residual
        slopes = slopes - mean.X * mean.residual
        curvatures = np.maximum(curvatures - mean.X**2, 0)
    if penalty.l2 is not None:
        slopes, curvatures = slopes + penalty.l2 * coef, curvatures + penalty.l2
        sizes = sizes + penalty.l2_value(coef)
    if penalty.has_prox:
        # Along a coefficient, the curvature of the loss is at most twice its square.
        step = np.divide(
            0.5, curvatures, out=np.ones_like(curvatures), where=curvatures > 0
        )
        slopes = penalty.gradient_mapping(coef, 2 * slopes, step) / 2
    slopes = np.vstack([slopes, slope_of_ones])
    curvatures = np.vstack([curvatures, np.ones_like(curvatures[:1])])
    scale = np.sqrt(curvatures * sizes)
    counts = scale > 0
    if loss.condenses and penalty.l2 is None:
        counts = counts & (mean.error_squares > 1e-4 * target_sizes**2)
    correlations = np.divide(abs(slopes), scale, out=np.zeros_like(scale), where=counts)
    shares = np.ones_like(sizes)
    if loss.curvature is not None:
        np.divide(
            mean.error_squares, target_sizes**2, out=shares, where=target_sizes > 0
        )
    return correlations, shares
