"""The error of a descent that moved away from the minimum, or out of range."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgd._data.arrays import to_numpy
from skgd._data.batches import FullBatch, MiniBatches
from skgd._data.rows import peaks
from skgd._descent.loop import Descent, Outcome, Steps
from skgd._descent.step_size import largest_stable_learning_rate
from skgd._exceptions import DivergenceError
from skgd._objective.losses import CustomLoss
from skgd._objective.objective import Objective
from skgd.strategies import GradientStrategy

# Largest loss of stable mini-batches over that of the zero model: where y is nothing
# but noise, that of the steps takes them above it, but not far. Where a loss of the
# user's own is below zero, it is as many of its sizes above it.
_NOISE_OF_BATCHES = 10


def raise_if_diverged(
    descent: Descent,
    strategy: GradientStrategy,
    batches: FullBatch | MiniBatches,
    objective: Objective,
    steps: Steps,
) -> None:
    """Raise where the loss overflowed, or ended above where it may."""
    happened = _what_happened(descent, strategy, batches, objective)
    if not happened:
        return
    # An overflow of what a stream goes on from is found before the first step.
    learning_rate, scheduled = steps.pace.to_measure_by(), ""
    if learning_rate > 1.001 * steps.pace.learning_rate:
        scheduled = f", which the schedule made of {steps.pace.learning_rate:.6g}"
    constant = steps.momentum if isinstance(steps.momentum, float) else 0.0
    stable = None
    if strategy.plain and objective.loss.curvature is not None:
        stable = largest_stable_learning_rate(
            batches.rows,
            objective,
            fit_intercept=strategy.intercept is not None,
            batch_size=None if batches.whole else batches.batch_size,
            momentum=constant,
        )
    where = map(to_numpy, (strategy.coef, strategy.intercept))
    blame = _blame_on_loss(batches, objective, *where)
    raise DivergenceError(
        f"Gradient descent diverged: the loss {happened}, with learning_rate="
        f"{learning_rate:.6g}{f' and momentum={constant:g}' if constant else ''}"
        f"{scheduled}. {_advice(learning_rate, stable, whole=batches.whole)}{blame}",
        epoch=descent.n_epochs - 1,
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


def _what_happened(
    descent: Descent,
    strategy: GradientStrategy,
    batches: FullBatch | MiniBatches,
    objective: Objective,
) -> str:
    """Say what the loss did that it may not do; empty if it did nothing."""
    last, epoch = sum(descent.last_losses), descent.n_epochs - 1
    if descent.outcome is Outcome.OVERFLOW:
        start = _loss_at_start(descent, batches, objective)
        if descent.first_step == 0 and not np.isfinite(start):
            _refuse_start(start, descent, batches, objective)
        return f"became {last} at epoch {epoch}"
    if isinstance(batches, FullBatch):
        first = descent.loss_curve[0]
        if last <= first or last <= _acceptable(first, batches, objective, strategy):
            return ""
    else:
        if last <= _with_noise(_zero_model_loss(batches, objective)):
            return ""
        first = _loss_at_start(descent, batches, objective)
        if last <= _with_noise(first):
            return ""
    return f"rose from {first:.4g} to {last:.4g} by the end of epoch {epoch}"


def _loss_at_start(
    descent: Descent, batches: FullBatch | MiniBatches, objective: Objective
) -> float:
    """Loss of all rows at the parameters that mini-batches began with."""
    if batches.whole:
        return descent.loss_curve[0]
    coef, intercept = map(to_numpy, descent.start)
    total = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for X, y, weight in batches.rows:
            value = objective.loss.value(_predicted(X, coef, intercept), y)
            total += float((value if weight is None else value * weight[:, None]).sum())
        total /= len(batches.rows)
        return total + float(np.sum(objective.penalty.value(coef)))


def _refuse_start(
    first: float,
    descent: Descent,
    batches: FullBatch | MiniBatches,
    objective: Objective,
) -> None:
    """Raise: there is nothing to descend from."""
    where = descent.start if not batches.whole else (descent.coef, descent.intercept)
    blame = _blame_on_loss(batches, objective, *map(to_numpy, where))
    if blame:
        raise ValueError(f"The loss at the start is {first}.{blame}")
    raise ValueError(
        f"The loss at the start is {first}: X or y hold NaN, or the squares of the "
        f"values in X, y, coef_init or intercept_init overflow {batches.dtype}. "
        "Rescale the data"
        f"{', or pass X as float64' if batches.dtype == np.float32 else ''}."
    )


def _acceptable(
    first: float,
    batches: FullBatch,
    objective: Objective,
    strategy: GradientStrategy,
) -> float:
    """Give the largest loss at which a full-batch run that began at `first` may end.

    Plain steps of a stable length only descend, but for rounding: a residual is rounded
    to eps times the sizes of what it is the sum of, however small it is itself (and the
    root of squared error, as that of Huber's loss, grows no faster than the residual).
    Other optimizers may climb from near the minimum, and so may steps on a loss that
    has kinks, but not above the loss of the zero model.
    """
    if not strategy.plain or objective.loss.curvature is None:
        return max(first, _zero_model_loss(batches, objective))
    (rows,) = batches.rows
    eps = float(np.finfo(batches.dtype).eps)
    terms = peaks(rows.X) @ np.abs(to_numpy(strategy.coef))
    rounding = 32 * eps * max(float(peaks(rows.y).max()), float(terms.max()))
    return (np.sqrt(first * (1 + np.sqrt(eps))) + rounding) ** 2


def _with_noise(loss: float) -> float:
    """Give the largest loss of mini-batches that are stable, from that of a model."""
    return loss + (_NOISE_OF_BATCHES - 1) * abs(loss)


def _zero_model_loss(batches: FullBatch | MiniBatches, objective: Objective) -> float:
    """Loss of the model that predicts zero, in the coordinates of the descent."""
    y, weight = batches.rows.targets()
    value = objective.loss.value(np.zeros_like(y), y)
    return float(np.average(value, axis=0, weights=weight).sum())


def _advice(learning_rate: float, stable: float | None, *, whole: bool) -> str:
    """Say what to do about a divergence."""
    if stable is None:
        return (
            "Use a smaller one, a tenth of it to begin with; on features of very "
            "different units, standardize=True as well."
        )
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
        "features of very different units, standardize=True as well, without which "
        "that takes very many epochs."
    )


def _blame_on_loss(
    batches: FullBatch | MiniBatches,
    objective: Objective,
    coef: np.ndarray,
    intercept: np.ndarray | None,
) -> str:
    """Say of which finite prediction a loss of the user's own made no number."""
    if not isinstance(objective.loss, CustomLoss):
        return ""
    with np.errstate(over="ignore", invalid="ignore"):
        for X, y, _ in batches.rows:
            prediction = _predicted(X, coef, intercept)
            found = objective.loss.bad_value(prediction, y)
            if found:
                return f" {found}."
    return ""


def _predicted(X: Any, coef: np.ndarray, intercept: np.ndarray | None) -> np.ndarray:
    """Predict rows in the coordinates of the descent."""
    return X @ coef + (0 if intercept is None else intercept)
