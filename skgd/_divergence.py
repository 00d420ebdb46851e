"""Errors about descents that left the minimum behind, with what to do about each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skgd._data.device import in_numpy, to_numpy
from skgd._data.rows import Rows, peaks, predicted
from skgd._descent.loop import Outcome, Result
from skgd._descent.problem import Problem
from skgd._descent.steps import Steps
from skgd._typing import NumpyParameters

# Largest loss of stable mini-batches over that of the zero model: where y is nothing
# but noise, that of the steps takes them above it, but not far. For a loss below zero,
# as one of the user's own may be, the limit is 9 times its size above it.
_NOISE_OF_BATCHES = 10


class DivergenceError(ValueError):
    """Raised by `fit` and `partial_fit` when the descent diverges.

    It is raised in the epoch in which the loss stops being finite, and at the end of a
    run in which the loss of any target has risen:

    - of the full batch, above the loss at the start, by more than rounding explains
      (with a loss of your own, or steps that are not plain, such as Adam's: also above
      the loss of zero coefficients);
    - of mini-batches, whose steps are noisy, above 10 times the loss at the start and
      10 times the loss of zero coefficients (for a loss of your own below zero, above
      it by 9 times its absolute value). The loss is the mean over the last epoch.

    The estimator is left as it was before the call. The error is a ValueError:
    :class:`~sklearn.model_selection.GridSearchCV` scores the candidate nan, and goes
    on.

    Parameters
    ----------
    message : str
        What happened and what to do.
    epoch, learning_rate, largest_stable_learning_rate : default=None
        See the attributes.
    loss_curve : sequence of float, default=()
        See the attributes.

    Attributes
    ----------
    epoch : int or None
        The last epoch that was run, counted from 0. If the loss stopped being finite,
        it is the epoch in which that was found.
    learning_rate : float or None
        The largest learning rate of the steps taken; a `schedule` may change it from
        step to step. If each target has its own rate, it is that of the target that
        diverged; if several diverged, that of the target whose rate exceeds its largest
        stable one by the largest factor.
    largest_stable_learning_rate : float or None
        The rate below which this descent converges: 2/L. L is the largest eigenvalue of
        the objective's Hessian (Nesterov, *Lectures on Convex Optimization*, 2018,
        section 2.1.5) or, with mini-batches, their expected smoothness (Gower et al.,
        *SGD: General Analysis and Improved Rates*, 2019). Both are of the rows that the
        descent is on: with ``standardize=True``, the standardized ones. With more than
        500 features, or more than 50 where there are no more rows than features, 2/L is
        an estimate, mostly 0 to 4% below that rate; with mini-batches it is then
        computed from a sample of the rows. A constant momentum mu multiplies it by ``(1
        + mu) / (1 + 2 mu)``. It is None with a loss of your own, whose curvature is not
        known, and where the steps are not plain gradient steps on the coefficients,
        such as those of another optimizer.
    loss_curve : list of float
        The objective at the start of each epoch, as in `loss_curve_` of
        `GDLinearRegressor`. The last value may be inf or nan.

    See Also
    --------
    GDLinearRegressor : With ``learning_rate="auto"`` the rate is below the largest
        stable one.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd import DivergenceError, GDLinearRegressor
    >>> X, y = np.array([[1.0], [2.0], [3.0]]), np.array([2.0, 4.0, 6.0])
    >>> try:
    ...     GDLinearRegressor(learning_rate=1.0, fit_intercept=False).fit(X, y)
    ... except DivergenceError as error:
    ...     print(f"{error.largest_stable_learning_rate:.4f}")
    ...     print([round(loss) for loss in error.loss_curve[:3]])
    0.2143
    [19, 1296, 90021]
    """

    def __init__(
        self,
        message: str,
        *,
        epoch: int | None = None,
        learning_rate: float | None = None,
        largest_stable_learning_rate: float | None = None,
        loss_curve: Sequence[float] = (),
    ) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.learning_rate = learning_rate
        self.largest_stable_learning_rate = largest_stable_learning_rate
        self.loss_curve = list(loss_curve)


DivergenceError.__module__ = "skgd"  # where it is public


def raise_if_diverged(
    result: Result, problem: Problem, steps: Steps, *, plain: bool
) -> None:
    """Raise where the loss overflowed, or ended above where it may.

    Parameters
    ----------
    result : Result
        How the descent ended.
    problem : Problem
        What it was on.
    steps : Steps
        The steps that it took.
    plain : bool
        Whether these were plain gradient steps on the coefficients.
    """
    diverged, happened = what_happened(result, problem, plain=plain)
    if diverged.any():
        raise divergence_error(diverged, happened, result, problem, steps, plain=plain)


def raise_if_out_of_range(parameters: NumpyParameters, exact: NumpyParameters) -> None:
    """Raise where the data's units put the model out of reach of their dtype.

    Parameters
    ----------
    parameters : tuple of ndarrays
        The model in the dtype of X.
    exact : tuple of ndarrays
        The same in float64.
    """
    dtype = parameters[0].dtype
    remedy = f"Rescale them{', or pass X as float64' if dtype == np.float32 else ''}."
    if not all(np.isfinite(parameter).all() for parameter in parameters):
        raise ValueError(
            f"The coefficients or the intercept overflow {dtype}, the dtype of X: the "
            f"values in X are too small for those in y. {remedy}"
        )
    if exact[0].any() and not parameters[0].any():
        raise ValueError(
            f"The coefficients underflow {dtype}, the dtype of X: the values in y are "
            f"too small for those in X, or the learning rate is too small. {remedy}"
        )


def what_happened(
    result: Result, problem: Problem, *, plain: bool
) -> tuple[np.ndarray, str]:
    """Return whose losses did what they may not do, (n_targets,), and what that is.

    Targets do not mix: where one diverges, the losses of others may hide it in the sum.
    """
    last, epoch = np.array(result.losses), result.n_epochs - 1
    if result.outcome is Outcome.OVERFLOW:
        if result.first_step == 0:
            _refuse_bad_start(result, problem)
        last = np.nan_to_num(last, nan=np.inf, posinf=np.inf)
        diverged = last == last.max()
        return diverged, f"{_of(diverged)}became {sum(result.losses)} at epoch {epoch}"
    if problem.batches.whole:
        first = np.array(result.first_losses)
        diverged = last > first
        if diverged.any():
            diverged &= last > _acceptable(result, problem, plain=plain)
    else:
        diverged = ~(last <= _with_noise(problem.losses_of_zero_coef()))
        first = last
        if diverged.any():
            if result.outcome is Outcome.INTERRUPTED:  # that of a few batches, perhaps
                last = problem.losses_at(in_numpy(result.last))
            first = problem.losses_at(in_numpy(result.start))
            diverged &= ~(last <= _with_noise(first))
    if not diverged.any():
        return diverged, ""
    before, after = (float(losses[diverged].sum()) for losses in (first, last))
    return diverged, (
        f"{_of(diverged)}rose from {before:.4g} to {after:.4g} by the end of epoch "
        f"{epoch}"
    )


def _of(targets: np.ndarray) -> str:
    """Return which targets these are; empty if they are all of them."""
    if targets.all():
        return ""
    return f"of target(s) {', '.join(map(str, np.flatnonzero(targets)))} "


def divergence_error(
    diverged: np.ndarray,
    happened: str,
    result: Result,
    problem: Problem,
    steps: Steps,
    *,
    plain: bool,
) -> DivergenceError:
    """Return the error that says what happened and what to do."""
    n_targets = len(diverged)
    # There may have been no step: a stream can go on from what overflows.
    rates = np.broadcast_to(to_numpy(steps.rate_to_measure_by()), n_targets)
    unscheduled = np.broadcast_to(to_numpy(steps.learning_rate), n_targets)
    momentum = steps.momentum if isinstance(steps.momentum, float) else 0.0
    stable = None
    target = int(np.where(diverged, rates, 0.0).argmax())
    if plain and problem.objective.loss.curvature is not None:
        stables = np.broadcast_to(
            problem.largest_stable_learning_rate(momentum), n_targets
        )
        target = int(np.where(diverged, rates / stables, 0.0).argmax())
        stable = float(stables[target])
    learning_rate, its, scheduled = float(rates[target]), "", ""
    if np.ptp(rates) > 0:
        its = f" for target {target}"
    if learning_rate > 1.001 * unscheduled[target]:
        scheduled = f", which the schedule made of {unscheduled[target]:.6g}"
    return DivergenceError(
        f"Gradient descent diverged: the loss {happened}, with learning_rate="
        f"{learning_rate:.6g}{its}{f' and momentum={momentum:g}' if momentum else ''}"
        f"{scheduled}. {_advice(learning_rate, stable, problem)}"
        f"{problem.describe_bad_loss(in_numpy(result.last))}",
        epoch=result.n_epochs - 1,
        learning_rate=learning_rate,
        largest_stable_learning_rate=stable,
        loss_curve=result.loss_curve,
    )


def _refuse_bad_start(result: Result, problem: Problem) -> None:
    """Raise where there was nothing to descend from."""
    start, first = in_numpy(result.start or result.last), result.loss_curve[0]
    if not problem.batches.whole:
        first = float(problem.losses_at(start).sum())
    if np.isfinite(first):
        return
    blame = problem.describe_bad_loss(start)
    if blame:
        raise ValueError(f"The loss at the start is {first}.{blame}")
    dtype, largest = problem.batches.dtype, _largest_residual(start, problem)
    remedy = f"Rescale X or y{', or pass X as float64' if dtype == np.float32 else ''}."
    if not np.isfinite(largest):
        raise ValueError(
            f"The predictions at the start overflow {dtype}: the coefficients or the "
            f"intercept to start from are too large for X. Leave them out. {remedy}"
        )
    raise ValueError(
        f"The losses at the start overflow {dtype}: residuals are up to {largest:.3g}. "
        f"{remedy}"
    )


def _largest_residual(parameters: NumpyParameters, problem: Problem) -> float:
    """Return the size of the largest residual of a model; inf where it overflows."""

    def largest_of(rows: Rows) -> float:
        residual = predicted(rows.X, parameters) - rows.y
        largest = float(abs(residual).max())
        return np.inf if np.isnan(largest) else largest

    with np.errstate(over="ignore", invalid="ignore"):
        return max(problem.rows.each(largest_of))


def _acceptable(result: Result, problem: Problem, *, plain: bool) -> np.ndarray:
    """Return the largest loss at which a full-batch descent may end, of each target.

    Plain steps of a stable length only descend, but for rounding: a residual is rounded
    to eps times the sizes of what it is the sum of, however small it is itself (and the
    root of squared error, as that of Huber's loss, grows no faster than the residual).
    Other optimizers may climb from near the minimum, and so may steps on a loss that
    has kinks, but not above the loss of the zero model.
    """
    first = np.array(result.first_losses)
    if not plain or problem.objective.loss.curvature is None:
        return np.maximum(first, problem.losses_of_zero_coef())

    def peaks_of(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        return peaks(rows.X), peaks(rows.y)

    X_peaks, y_peaks = (
        np.max(each, axis=0) for each in zip(*problem.rows.each(peaks_of), strict=True)
    )
    eps = float(np.finfo(problem.batches.dtype).eps)
    terms = X_peaks @ np.abs(to_numpy(result.last[0]))
    rounding = 32 * eps * np.maximum(y_peaks, terms)
    return (np.sqrt(first * (1 + np.sqrt(eps))) + rounding) ** 2


def _with_noise(losses: np.ndarray) -> np.ndarray:
    """Return the largest losses of mini-batches that are stable, from a model's."""
    return losses + (_NOISE_OF_BATCHES - 1) * np.abs(losses)


def _advice(learning_rate: float, stable: float | None, problem: Problem) -> str:
    """Return what to do about a divergence."""
    units = "; on features of very different units, standardize=True as well"
    if problem.coordinates.changes_rows:  # they are standardized
        units = ""
    if stable is None:
        return f"Use a smaller one, a tenth of it to begin with{units}."
    if learning_rate < 0.999 * stable:
        return (
            f"On this data, learning rates below {stable:.6g} are stable, so that the "
            "learning rate is not the cause: the strategy's gradient is wrong (see "
            "skgd.testing.check_gradient_strategy), or the data are too large or too "
            "ill-conditioned for their dtype (pass X as float64, or scaled)."
        )
    if not problem.batches.whole:
        return (
            "Batches of this size of this data are stable below a learning rate of "
            f"{stable:.6g}. Use learning_rate='auto' with its own schedule, or a float "
            f"below that, a quarter of it for instance, or a larger batch_size{units}."
        )
    return (
        f"On this data, learning rates below {stable:.6g} are stable. Use "
        "learning_rate='auto', or a float below that, half of it for instance"
        f"{units and f'{units}, without which that takes very many epochs'}."
    )
