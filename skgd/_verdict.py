"""Errors and warnings about how a descent ended, with what to do about each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import issparse
from scipy.special import chdtrc
from sklearn.exceptions import ConvergenceWarning

from skgd._data.device import to_numpy
from skgd._data.rows import Rows, peaks, predicted
from skgd._data.whitening import MOST_BYTES, bytes_of_matrix
from skgd._descent.loop import Outcome, Result
from skgd._descent.problem import Problem
from skgd._descent.steps import Steps
from skgd._descent.stopping import Stopping, StoppingRule
from skgd._interrupt import SECONDS_TO_PRESS_AGAIN
from skgd._objective.losses import Huber
from skgd._settings import Settings
from skgd._typing import NumpyParameters, Parameters
from skgd._warn import warn

# Largest loss of stable mini-batches over that of the zero model: where y is nothing
# but noise, that of the steps takes them above it, but not far. For a loss below zero,
# as one of the user's own may be, the limit is 9 times its size above it.
_NOISE_OF_BATCHES = 10

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


class DivergenceError(ValueError):
    """Raised by `fit` and `partial_fit` when the descent leaves the minimum behind.

    It is raised in the epoch in which the loss stops being finite, and at the end of a
    run in which the loss of any target has risen:

    - of the full batch, above the loss at the start, by more than rounding explains
      (with a custom loss, or steps that are not plain, such as Adam's: above the loss
      of zero coefficients, too);
    - of mini-batches, whose steps are noisy, above 10 times the loss at the start and
      10 times the loss of zero coefficients (for a custom loss below zero, 9 times its
      size above it). The loss is the mean over the last epoch.

    The estimator is left as it was before the call. Being a ValueError, the error makes
    a candidate of :class:`~sklearn.model_selection.GridSearchCV` score nan, and the
    search goes on.

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
        The last epoch that was run, counted from 0. Of a loss that stopped being
        finite, it is the epoch in which that was found.
    learning_rate : float or None
        The largest learning rate of the steps taken; a `schedule` may change it from
        step to step. Of several, that of the target that diverged; if several have, of
        the one whose rate is the most above its largest stable one.
    largest_stable_learning_rate : float or None
        The rate below which this descent converges: 2/L. L is the largest eigenvalue of
        the objective's Hessian (Nesterov, *Lectures on Convex Optimization*, 2018,
        section 2.1.5) or, with mini-batches, their expected smoothness (Gower et al.,
        *SGD: General Analysis and Improved Rates*, 2019), both of the rows that are
        descended on: with ``standardize=True``, the standardized ones. Of many features
        (more than 500, or more than 50 where there are no more rows) it is an estimate,
        mostly 0 to 4% below that rate, and with mini-batches from a sample of the rows.
        A constant momentum mu multiplies it by ``(1 + mu) / (1 + 2 mu)``. None with a
        custom loss, whose curvature is not known, and where the steps are not plain
        gradient steps on the coefficients, such as those of another optimizer.
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
                last = problem.losses_at(_in_numpy(result.last))
            first = problem.losses_at(_in_numpy(result.start))
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
        f"{problem.describe_bad_loss(_in_numpy(result.last))}",
        epoch=result.n_epochs - 1,
        learning_rate=learning_rate,
        largest_stable_learning_rate=stable,
        loss_curve=result.loss_curve,
    )


def _refuse_bad_start(result: Result, problem: Problem) -> None:
    """Raise where there was nothing to descend from."""
    start, first = _in_numpy(result.start or result.last), result.loss_curve[0]
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
    with np.errstate(over="ignore", invalid="ignore"):
        largest = [
            np.nan_to_num(np.abs(predicted(X, parameters) - y), nan=np.inf).max()
            for X, y, _ in problem.rows
        ]
    return float(max(largest))


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
    (rows,) = problem.rows
    eps = float(np.finfo(problem.batches.dtype).eps)
    terms = peaks(rows.X) @ np.abs(to_numpy(result.last[0]))
    rounding = 32 * eps * np.maximum(peaks(rows.y), terms)
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
        correlations, _ = _correlations(_in_numpy(result.parameters), problem)
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
        found = _correlations(_in_numpy(result.parameters), problem)
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
        w = np.ones((len(y), 1)) if weight is None else weight[:, None]
        prediction = predicted(X, parameters)
        errors = (prediction - y) ** 2
        _, residual = loss.value_and_residual(prediction, y)
        return _Sums(
            X.T @ (w * residual),
            X.T @ w,
            X.power(2).T @ w if issparse(X) else np.einsum("ij,ij,ik->jk", X, X, w),
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


def _in_numpy(parameters: Parameters) -> NumpyParameters:
    return tuple(map(to_numpy, parameters))
