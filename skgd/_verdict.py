"""What the end of a descent means to the user: nothing, a warning, or an error."""

from __future__ import annotations

import warnings
from typing import NoReturn

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skgd._descent import Descent, Outcome
from skgd._exceptions import DivergenceError
from skgd._rows import Rows
from skgd._step_size import largest_stable_learning_rate
from skgd._stopping import StoppingRule
from skgd.strategies import GradientStrategy

# From warn_unless_arrived to the line that called fit: fit, and the decorator of fit.
_FRAMES_TO_USER = 4


def raise_if_diverged(
    descent: Descent, strategy: GradientStrategy, rows: Rows, learning_rate: float
) -> None:
    """Raise where the loss overflowed, or ended above where it began.

    `rows` are those of the descent, in NumPy.
    """
    first, last = descent.loss_curve[0], sum(descent.last_losses)
    epoch = len(descent.loss_curve) - 1
    if not np.isfinite(first):
        raise ValueError(
            f"The loss at the start is {first}: the squares of the values in X, y, "
            f"coef_init or intercept_init overflow {rows.X.dtype}. Rescale the data, "
            "or pass X as float64."
        )
    if descent.outcome is Outcome.OVERFLOW:
        became = f"became {last} at epoch {epoch}"
        _raise_divergence(became, epoch, strategy, rows, learning_rate)
    if last > _rounded_up(first, rows):
        rose = f"rose from {first:.4g} to {last:.4g} by the end of epoch {epoch}"
        _raise_divergence(rose, epoch, strategy, rows, learning_rate)


def warn_unless_arrived(
    descent: Descent, strategy: GradientStrategy, stopping: StoppingRule | None
) -> None:
    """Warn where the epochs were used up before the stopping rule was met."""
    if stopping is None or descent.outcome is Outcome.ARRIVED:
        return
    reached = stopping.achieved(descent.last_losses, strategy.gradients)
    warnings.warn(
        f"Gradient descent used up max_iter={len(descent.loss_curve)} epochs and "
        f"reached {reached:.2g}, not tol={stopping.tol:g}. Increase max_iter or tol, "
        "scale the features (sklearn.preprocessing.StandardScaler), or choose another "
        "learning_rate.",
        ConvergenceWarning,
        stacklevel=_FRAMES_TO_USER,
    )


def _raise_divergence(
    what: str, epoch: int, strategy: GradientStrategy, rows: Rows, learning_rate: float
) -> NoReturn:
    """Name the epoch, the learning rate, and the largest stable one."""
    message = (
        f"Gradient descent diverged: the loss {what}, with "
        f"learning_rate={learning_rate:.6g}. "
    )
    stable = None
    if strategy.plain:
        stable = largest_stable_learning_rate(
            rows, fit_intercept=strategy.intercept is not None
        )
        message += (
            f"The largest stable learning rate for this data is {stable:.6g}. Use "
            "half of it or less, or learning_rate='auto', or scale the features "
            "(sklearn.preprocessing.StandardScaler)."
        )
    else:
        message += "Use a smaller one."
    raise DivergenceError(
        message,
        epoch=epoch,
        learning_rate=learning_rate,
        largest_stable_learning_rate=stable,
    )


def _rounded_up(loss: float, rows: Rows) -> float:
    """Give the largest value that rounding can make of `loss`.

    Each residual is rounded to about eps |y|, however small it is itself.
    """
    eps = float(np.finfo(rows.X.dtype).eps)
    rounding = 32 * eps * float(np.abs(rows.y).max())
    return (np.sqrt(loss * (1 + np.sqrt(eps))) + rounding) ** 2
