"""What the end of a descent means to the user: nothing, a warning, or an error."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skgd._batches import FullBatch, MiniBatches, targets_of
from skgd._descent import Descent, Outcome, Steps, Watch
from skgd._exceptions import DivergenceError
from skgd._placement import to_numpy
from skgd._rows import peaks
from skgd._step_size import largest_stable_learning_rate
from skgd.strategies import GradientStrategy

# From warn_unless_arrived to the line that called fit: fit, and the decorator of fit.
_FRAMES_TO_USER = 4

# Largest loss of stable mini-batches over that of the zero model.
_NOISE_OF_BATCHES = 10


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
    *,
    of_a_stream: bool = False,
) -> None:
    """Raise where the loss overflowed, or ended above where it may.

    What rows a stream brings next may be anywhere, so that of it only overflow tells.
    """
    first, last = descent.first_loss, sum(descent.last_losses)
    epoch = descent.n_epochs - 1
    if descent.first_step == 0 and not np.isfinite(first):
        raise ValueError(
            f"The loss at the start is {first}: X or y hold NaN, or the squares of the "
            f"values in X, y, coef_init or intercept_init overflow {batches.dtype}. "
            "Rescale the data"
            f"{', or pass X as float64' if batches.dtype == np.float32 else ''}."
        )
    if descent.outcome is Outcome.OVERFLOW:
        happened = f"became {last} at epoch {epoch}"
    elif of_a_stream:
        return
    elif last > first and last > _acceptable(first, batches, strategy):
        happened = f"rose from {first:.4g} to {last:.4g} by the end of epoch {epoch}"
    else:
        return

    learning_rate = steps.pace.largest
    constant = steps.momentum if isinstance(steps.momentum, float) else 0.0
    stable = None
    if strategy.plain:
        stable = largest_stable_learning_rate(
            batches.parts,
            fit_intercept=strategy.intercept is not None,
            batch_size=None if batches.whole else batches.batch_size,
            momentum=constant,
        )
    raise DivergenceError(
        f"Gradient descent diverged: the loss {happened}, with learning_rate="
        f"{learning_rate:.6g}{f' and momentum={constant:g}' if constant else ''}. "
        f"{_advice(learning_rate, stable, whole=batches.whole)}",
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
    descent: Descent, strategy: GradientStrategy, watch: Watch, advice: str
) -> None:
    """Warn where the epochs were used up before what was watched ended the descent."""
    stopping, plateau, validation, _ = watch
    if descent.outcome is not Outcome.OUT_OF_EPOCHS:
        return
    if plateau is not None and plateau.ends_descent:
        what = "loss" if validation is None else "validation score"
        state = f"The {what} still improves by more than tol now and then"
    elif stopping is not None:
        reached, what = stopping.achieved(descent.last_losses, strategy.gradients)
        state = f"The {what} is {reached:.2g}, and tol={stopping.tol:g}"
    else:
        return
    warnings.warn(
        f"Gradient descent used up max_iter={descent.n_epochs} epochs. {state}. "
        f"Increase max_iter; {advice} With tol=None all epochs are run, without this "
        "warning.",
        ConvergenceWarning,
        stacklevel=_FRAMES_TO_USER,
    )


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
            f"{stable:.6g}. Use learning_rate='auto', or a float below that, a quarter "
            "of it for instance, or a larger batch_size."
        )
    return (
        f"The largest stable learning rate for this data is {stable:.6g}. Use "
        "learning_rate='auto', or a float below that, half of it for instance; on "
        "features of very different units even that takes very many epochs."
    )


def _acceptable(
    first: float, batches: FullBatch | MiniBatches, strategy: GradientStrategy
) -> float:
    """Give the largest loss at which a run that began at `first` may end.

    Plain full-batch steps of a stable length only descend, but for rounding: a residual
    is rounded to eps times the sizes of what it is the sum of, however small it is
    itself. Other optimizers may climb from near the minimum, but not above the loss of
    the zero model. So may mini-batches, whose noise at stable rates, where y is nothing
    but noise, takes them above that as well, but not far.
    """
    if not (strategy.plain and batches.whole):
        y, weight = targets_of(batches.parts)
        zero_model = float(np.average(y**2, axis=0, weights=weight).sum())
        return max(first, zero_model) * (1 if batches.whole else _NOISE_OF_BATCHES)
    (rows,) = batches.parts
    eps = float(np.finfo(batches.dtype).eps)
    terms = peaks(rows.X) @ np.abs(to_numpy(strategy.coef))
    rounding = 32 * eps * max(float(peaks(rows.y).max()), float(terms.max()))
    return (np.sqrt(first * (1 + np.sqrt(eps))) + rounding) ** 2
