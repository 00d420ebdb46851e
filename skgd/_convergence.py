"""The warning of a descent that ended short of what it was to arrive at."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning

from skgd._data.arrays import to_numpy
from skgd._data.batches import FullBatch, MiniBatches
from skgd._descent.loop import Descent, Outcome, Watch
from skgd._objective.objective import Objective
from skgd.strategies import GradientStrategy

# From warn_unless_arrived to the line that called fit: Run, fit, and its decorator.
_FRAMES_TO_USER = 5

# Correlation with the residual of a feature that has a percent of the variance still to
# explain: noise of batches at a constant rate leaves no more.
_FAR_FROM_ARRIVED = 0.1


def warn_unless_arrived(
    descent: Descent,
    batches: FullBatch | MiniBatches,
    objective: Objective,
    watch: Watch,
    advice: str,
) -> None:
    """Warn where a descent ended short of what it was to arrive at."""
    ended = _short_end(descent, batches, objective, watch)
    if ended:
        warnings.warn(
            f"{ended}; {advice} With tol=None all epochs are run, without this "
            "warning.",
            ConvergenceWarning,
            stacklevel=_FRAMES_TO_USER,
        )


def advice_when_slow(params: Any, strategy: GradientStrategy) -> str:
    """Say what takes fewer epochs than these parameters."""
    if not isinstance(params.loss, str):
        return (
            "or try another learning_rate, or standardize=True. A loss that has kinks "
            "may never meet tol: a schedule='invscaling' brings it closer."
        )
    if not strategy.plain:
        return "or try another learning_rate."
    if params.learning_rate != "auto":
        return "or use learning_rate='auto', which takes fewer epochs."
    if params.batch_size is not None:
        return "or use batch_size=None: the full batch has momentum='auto'."
    if params.momentum != "auto":
        return "or use momentum='auto', which takes fewer epochs."
    if not params.standardize:
        return "or use standardize=True, which takes fewer epochs."
    if params.loss == "huber":
        return (
            f"or use a larger epsilon than {params.epsilon:g}. It is in the units of "
            "y; far below the size of most residuals, the minimum is many epochs away."
        )
    if params.alpha:
        return "or, where columns are nearly collinear, a larger alpha."
    return (
        "or, where columns are nearly collinear, use a direct solver such as "
        "sklearn.linear_model.LinearRegression."
    )


def _short_end(
    descent: Descent,
    batches: FullBatch | MiniBatches,
    objective: Objective,
    watch: Watch,
) -> str:
    """Say how a descent ended short; empty if it did not."""
    stopping, plateau, validation, _ = watch
    ended = f"Gradient descent used up max_iter={descent.n_epochs} epochs."
    remedy = "Increase max_iter"
    if descent.outcome is Outcome.PLATEAU:
        if validation is not None:
            return ""
        ended = (
            f"Gradient descent stopped at a plateau after {descent.n_epochs} epochs."
        )
        remedy = "Use schedule='constant', or another learning_rate"
    elif descent.outcome is not Outcome.OUT_OF_EPOCHS:
        return ""
    if stopping is not None and validation is None:
        reached, what = stopping.achieved(descent.smooth_losses, descent.gradients)
        return (
            f"{ended} The {what} is {reached:.2g}, and tol={stopping.tol:g}. {remedy}"
        )
    if plateau is None or not plateau.ends_descent:
        return ""
    if descent.outcome is Outcome.PLATEAU:
        first, *_, last = descent.loss_curve
        best = min(descent.loss_curve)
        if last > max(2 * best, 0.01 * first):
            state = f"The loss is {last / best:.2g} times that of the best"
            return f"{ended} {state}. {remedy}"
        correlation = _largest_correlation(descent, batches, objective)
        if correlation > _FAR_FROM_ARRIVED:
            state = (
                f"A feature's correlation with the residual is {correlation:.2g} still"
            )
            remedy = "Increase n_iter_no_change, or learning_rate"
            return f"{ended} {state}. {remedy}"
        return ""
    what = "loss" if validation is None else "validation score"
    return f"{ended} The {what} still improves by more than tol now and then. {remedy}"


def _largest_correlation(
    descent: Descent, batches: FullBatch | MiniBatches, objective: Objective
) -> float:
    """Largest correlation of a feature with the residual of a target.

    As in `StoppingRule`, but about their means where there is an intercept, lest an
    offset hide it; and 0 where the target is met but for a hundredth of it.
    """
    coef, intercept = to_numpy(descent.coef), to_numpy(descent.intercept)
    loss, penalty = objective.loss, objective.penalty
    sums: list[np.ndarray] = []
    for X, y, weight in batches.rows:
        prediction = X @ coef + (0 if intercept is None else intercept)
        w = np.ones((len(y), 1)) if weight is None else weight[:, None]
        squares = (w * (prediction - y) ** 2).sum(axis=0)
        _, influence = loss.value_and_influence(prediction, y)
        terms = [
            X.T @ (w * influence),
            X.T @ w,
            (X.power(2) if issparse(X) else X**2).T @ w,
            (w * influence).sum(axis=0),
            (w * influence**2).sum(axis=0),
            squares,
            (w * y**2).sum(axis=0),
        ]
        sums = [s + t for s, t in zip(sums, terms, strict=True)] if sums else terms
    n = len(batches.rows)
    slopes, X_sum, X_squares, influence_sum, influence_squares, squares, y_squares = (
        s / n for s in sums
    )
    if intercept is not None:
        slopes = slopes - X_sum * influence_sum
        X_squares = np.maximum(X_squares - X_sum**2, 0)
    if penalty.l2 is not None:
        slopes, X_squares = slopes + penalty.l2 * coef, X_squares + penalty.l2
        influence_squares = influence_squares + (penalty.l2 * coef**2).sum(axis=0)
    if penalty.has_prox:
        # Along a coefficient, the curvature of the loss is at most twice its square.
        step = np.divide(
            0.5, X_squares, out=np.ones_like(X_squares), where=X_squares > 0
        )
        slopes = penalty.gradient_mapping(coef, 2 * slopes, step) / 2
    scale = np.sqrt(X_squares * influence_squares)
    counts = scale > 0
    if loss.condenses and penalty.l2 is None:
        counts = counts & (squares > 1e-4 * y_squares)
    correlations = np.divide(abs(slopes), scale, out=np.zeros_like(scale), where=counts)
    return float(correlations.max())
