"""What the end of a descent means to the user: nothing, a warning, or an error."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from scipy.sparse import issparse
from sklearn.exceptions import ConvergenceWarning

from skgd._batches import FullBatch, MiniBatches
from skgd._descent import Descent, Outcome, Steps, Watch
from skgd._exceptions import DivergenceError
from skgd._objective import Objective
from skgd._placement import to_numpy
from skgd._rows import peaks
from skgd._step_size import largest_stable_learning_rate
from skgd.strategies import GradientStrategy

# From warn_unless_arrived to the line that called fit: fit, and the decorator of fit.
_FRAMES_TO_USER = 4

# Largest loss of stable mini-batches over that of the zero model: where y is nothing
# but noise, that of the steps takes them above it, but not far.
_NOISE_OF_BATCHES = 10

# Correlation with the residual of a feature that has a percent of the variance still to
# explain: noise of batches at a constant rate leaves no more.
_FAR_FROM_ARRIVED = 0.1


@contextmanager
def errors_noted(strategy: GradientStrategy) -> Iterator[None]:
    """Let an error inside a strategy of the user's own point to the check of it."""
    try:
        yield
    except Exception as error:
        if not type(strategy).__module__.startswith("skgd."):
            error.add_note(
                f"If this comes from {type(strategy).__name__}: skgd.testing."
                "check_gradient_strategy tells which part of the contract it breaks."
            )
        raise


def raise_if_diverged(
    descent: Descent,
    strategy: GradientStrategy,
    batches: FullBatch | MiniBatches,
    steps: Steps,
) -> None:
    """Raise where the loss overflowed, or ended above where it may."""
    first, last = descent.loss_curve[0], sum(descent.last_losses)
    epoch = descent.n_epochs - 1
    if descent.outcome is Outcome.OVERFLOW:
        start = _loss_at_start(descent, batches)
        if descent.first_step == 0 and not np.isfinite(start):
            _refuse_start(start, batches)
        happened = f"became {last} at epoch {epoch}"
    elif isinstance(batches, FullBatch):
        if last <= first or last <= _acceptable(first, batches, strategy):
            return
        happened = f"rose from {first:.4g} to {last:.4g} by the end of epoch {epoch}"
    else:
        zero_model = _zero_model_loss(batches)
        if last <= _NOISE_OF_BATCHES * zero_model:
            return
        start = _loss_at_start(descent, batches)
        if last <= _NOISE_OF_BATCHES * start:
            return
        happened = f"rose from {start:.4g} to {last:.4g} by the end of epoch {epoch}"

    learning_rate, scheduled = steps.pace.largest, ""
    if learning_rate > 1.001 * steps.pace.learning_rate:
        scheduled = f", which the schedule made of {steps.pace.learning_rate:.6g}"
    constant = steps.momentum if isinstance(steps.momentum, float) else 0.0
    stable = None
    if strategy.plain:
        stable = largest_stable_learning_rate(
            batches.rows,
            fit_intercept=strategy.intercept is not None,
            batch_size=None if batches.whole else batches.batch_size,
            momentum=constant,
        )
    raise DivergenceError(
        f"Gradient descent diverged: the loss {happened}, with learning_rate="
        f"{learning_rate:.6g}{f' and momentum={constant:g}' if constant else ''}"
        f"{scheduled}. {_advice(learning_rate, stable, whole=batches.whole)}",
        epoch=epoch,
        learning_rate=learning_rate,
        largest_stable_learning_rate=stable,
        loss_curve=descent.loss_curve,
    )


def raise_if_too_large(coef: np.ndarray, intercept: np.ndarray | None) -> None:
    """Raise where the data's units put the model out of reach of their dtype."""
    if np.isfinite(coef).all() and (intercept is None or np.isfinite(intercept).all()):
        return
    raise ValueError(
        f"The coefficients or the intercept overflow {coef.dtype}, the dtype of X: the "
        "values in X are too small for those in y. Rescale them"
        f"{', or pass X as float64' if coef.dtype == np.float32 else ''}."
    )


def warn_unless_arrived(
    descent: Descent,
    strategy: GradientStrategy,
    batches: FullBatch | MiniBatches,
    watch: Watch,
    advice: str,
) -> None:
    """Warn where a descent ended short of what it was to arrive at."""
    ended = _short_end(descent, strategy, batches, watch)
    if ended:
        warnings.warn(
            f"{ended}; {advice} With tol=None all epochs are run, without this "
            "warning.",
            ConvergenceWarning,
            stacklevel=_FRAMES_TO_USER,
        )


def _short_end(
    descent: Descent,
    strategy: GradientStrategy,
    batches: FullBatch | MiniBatches,
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
        reached, what = stopping.achieved(descent.last_losses, strategy.gradients)
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
        correlation = _largest_correlation(descent, batches)
        if correlation > _FAR_FROM_ARRIVED:
            state = (
                f"A feature's correlation with the residual is {correlation:.2g} still"
            )
            remedy = "Increase n_iter_no_change, or learning_rate"
            return f"{ended} {state}. {remedy}"
        return ""
    what = "loss" if validation is None else "validation score"
    return f"{ended} The {what} still improves by more than tol now and then. {remedy}"


def _largest_correlation(descent: Descent, batches: FullBatch | MiniBatches) -> float:
    """Largest correlation of a feature with the residual of a target.

    About their means where there is an intercept, lest an offset hide it; and 0 where
    the target is met but for a hundredth of it.
    """
    coef, intercept = to_numpy(descent.coef), to_numpy(descent.intercept)
    sums: list[np.ndarray] = []
    for X, y, weight in batches.rows:
        residual = X @ coef - y + (0 if intercept is None else intercept)
        w = np.ones((len(y), 1)) if weight is None else weight[:, None]
        terms = [
            X.T @ (w * residual),
            X.T @ w,
            (X.power(2) if issparse(X) else X**2).T @ w,
            (w * residual).sum(axis=0),
            (w * residual**2).sum(axis=0),
            (w * y**2).sum(axis=0),
        ]
        sums = [s + t for s, t in zip(sums, terms, strict=True)] if sums else terms
    slopes, X_sum, X_squares, residual_sum, squares, y_squares = sums
    if intercept is not None:
        mean = X_sum / len(batches.rows)
        slopes = slopes - mean * residual_sum
        X_squares = np.maximum(X_squares - mean * X_sum, 0)
    scale = np.sqrt(X_squares * squares)
    counts = (scale > 0) & (squares > 1e-4 * y_squares)
    correlations = np.divide(abs(slopes), scale, out=np.zeros_like(scale), where=counts)
    return float(correlations.max())


def _advice(learning_rate: float, stable: float | None, *, whole: bool) -> str:
    """Say what to do about a divergence."""
    if stable is None:
        return "Use a smaller one, a tenth of it to begin with."
    if learning_rate < 0.999 * stable:
        return (
            f"The largest stable learning rate for this data is {stable:.6g}, so the "
            "learning rate is not the cause: the strategy's gradient is wrong (see "
            "skgd.testing.check_gradient_strategy), or the data are too large or too "
            "ill-conditioned for their dtype (pass X as float64, or scaled)."
        )
    if not whole:
        return (
            "Batches of this size of this data are stable below a learning rate of "
            f"{stable:.6g}. Use learning_rate='auto' with its own schedule, or a float "
            "below that, a quarter of it for instance, or a larger batch_size; on "
            "features of very different units, standardize=True as well."
        )
    return (
        f"The largest stable learning rate for this data is {stable:.6g}. Use "
        "learning_rate='auto', or a float below that, half of it for instance; on "
        "features of very different units even that takes very many epochs."
    )


def _refuse_start(first: float, batches: FullBatch | MiniBatches) -> None:
    """Raise: there is nothing to descend from."""
    raise ValueError(
        f"The loss at the start is {first}: X or y hold NaN, or the squares of the "
        f"values in X, y, coef_init or intercept_init overflow {batches.dtype}. "
        "Rescale the data"
        f"{', or pass X as float64' if batches.dtype == np.float32 else ''}."
    )


def _acceptable(first: float, batches: FullBatch, strategy: GradientStrategy) -> float:
    """Give the largest loss at which a full-batch run that began at `first` may end.

    Plain steps of a stable length only descend, but for rounding: a residual is rounded
    to eps times the sizes of what it is the sum of, however small it is itself. Other
    optimizers may climb from near the minimum, but not above the loss of the zero
    model.
    """
    if not strategy.plain:
        return max(first, _zero_model_loss(batches))
    (rows,) = batches.rows
    eps = float(np.finfo(batches.dtype).eps)
    terms = peaks(rows.X) @ np.abs(to_numpy(strategy.coef))
    rounding = 32 * eps * max(float(peaks(rows.y).max()), float(terms.max()))
    return (np.sqrt(first * (1 + np.sqrt(eps))) + rounding) ** 2


def _zero_model_loss(batches: FullBatch | MiniBatches) -> float:
    """Loss of the model that predicts zero, in the coordinates of the descent."""
    y, weight = batches.rows.targets()
    return float(np.average(y**2, axis=0, weights=weight).sum())


def _loss_at_start(descent: Descent, batches: FullBatch | MiniBatches) -> float:
    """Loss of all rows at the parameters that mini-batches began with."""
    if batches.whole:
        return descent.loss_curve[0]
    coef, intercept = map(to_numpy, descent.start)
    total = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for X, y, weight in batches.rows:
            prediction = X @ coef + (0 if intercept is None else intercept)
            value = Objective().loss.value(prediction, y)
            total += float((value if weight is None else value * weight[:, None]).sum())
    return total / len(batches.rows)
