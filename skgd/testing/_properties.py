"""The properties that a gradient strategy is held to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from skgd._data.batches import ReadyRows
from skgd._data.rows import Rows
from skgd._descent.step_size import largest_stable_learning_rate
from skgd._regressor import GDLinearRegressor
from skgd.strategies import GradientStrategy, ManualStrategy
from skgd.testing._problems import (
    Problem,
    expected_losses,
    finite_differences,
    near_a_kink,
)
from skgd.testing._trial import BrokenError, Trial

#: Holds a strategy to a property on a problem and a device, or raises.
Check = Callable[[GradientStrategy, Problem, Any], None]

SPARSE_ROWS = "sparse rows give what dense ones do"

#: What a strategy is held to, and the check of it, in the order of this file.
CHECKS: dict[str, Check] = {}


def _property(title: str) -> Callable[[Check], Check]:
    """Register a check under the property that it stands for."""

    def register(check: Check) -> Check:
        CHECKS[title] = check
        return check

    return register


@_property("starts where it is told, and starts afresh each time")
def _starts_where_told(strategy: Any, problem: Problem, device: Any) -> None:
    trial = Trial(strategy, problem, device)
    if not trial.strategy.plain:
        return
    expected = [a for a in (problem.coef, problem.intercept) if a is not None]
    _compare_all(trial.parameters, expected, "parameters after start", problem.rounding)
    trial.evaluate()
    trial.strategy.update(0.01)
    trial.start(problem.coef, problem.intercept)
    _compare_all(
        trial.parameters, expected, "parameters after a restart", problem.rounding
    )


@_property("losses are the objective")
def _losses(strategy: Any, problem: Problem, device: Any) -> None:
    trial = Trial(strategy, problem, device)
    losses = trial.evaluate()
    expected = expected_losses(problem, problem.rows, trial.parameters)
    _compare(losses, expected, "losses", problem.rounding)


@_property("gradients are those of finite differences")
def _differences(strategy: Any, problem: Problem, device: Any) -> None:
    trial = Trial(strategy, problem, device)
    trial.evaluate()
    if near_a_kink(problem, problem.rows, trial.parameters):
        return
    expected = finite_differences(problem, problem.rows, trial.parameters)
    _compare_all(trial.gradients, expected, "gradients", problem.differences_tolerance)


@_property("gradients are those of the derived formula")
def _derived_formula(strategy: Any, problem: Problem, device: Any) -> None:
    if problem.objective.loss.kind not in ManualStrategy.losses:
        return
    trial = Trial(strategy, problem, device)
    trial.evaluate()
    manual = Trial(ManualStrategy(), problem, "cpu")
    coef, *intercept = trial.parameters
    manual.start(coef, intercept[0] if intercept else None)
    manual.evaluate()
    _compare_all(trial.gradients, manual.gradients, "gradients", problem.tolerance)


@_property("evaluating twice gives the same, and moves nothing")
def _evaluates_twice(strategy: Any, problem: Problem, device: Any) -> None:
    trial = Trial(strategy, problem, device)
    before = trial.parameters
    losses, gradients = trial.evaluate(), trial.gradients
    _compare_all(
        trial.parameters, before, "parameters before and after", problem.rounding
    )
    _compare(trial.evaluate(), losses, "losses", problem.rounding)
    _compare_all(trial.gradients, gradients, "gradients", problem.rounding)


@_property("weight 2 equals the row twice, weight 0 the row left out")
def _weights(strategy: Any, problem: Problem, device: Any) -> None:
    rows = problem.rows
    if rows.weight is None:
        return
    trial = Trial(strategy, problem, device)
    losses, gradients = trial.evaluate(), trial.gradients
    times = np.arange(len(rows.y)) % 4
    repeated = Rows(rows.X.repeat(times, axis=0), rows.y.repeat(times, axis=0), None)
    _compare(trial.evaluate(repeated), losses, "losses", problem.rounding)
    _compare_all(trial.gradients, gradients, "gradients", problem.tolerance)


@_property("losses of a part of the rows are the mean of weight * loss over them")
def _parts(strategy: Any, problem: Problem, device: Any) -> None:
    trial = Trial(strategy, problem, device)
    trial.evaluate()
    # As in mini-batches, the weights of a part need not average one.
    half = slice(len(problem.rows.y) // 2 + 1)
    X, y, weight = problem.rows
    part = Rows(X[half], y[half], None if weight is None else weight[half])
    expected = expected_losses(problem, part, trial.parameters)
    _compare(trial.evaluate(part), expected, "losses", problem.rounding)
    if near_a_kink(problem, part, trial.parameters):
        return
    _compare_all(
        trial.gradients,
        finite_differences(problem, part, trial.parameters),
        "gradients",
        problem.differences_tolerance,
    )


@_property(SPARSE_ROWS)
def _sparse(strategy: Any, problem: Problem, device: Any) -> None:
    trial = Trial(strategy, problem, device)
    losses, gradients = trial.evaluate(), trial.gradients
    rows = problem.rows._replace(X=csr_array(problem.rows.X))
    _compare(trial.evaluate(rows), losses, "losses", problem.rounding)
    _compare_all(trial.gradients, gradients, "gradients", problem.tolerance)


@_property("targets do not mix")
def _targets(strategy: Any, problem: Problem, device: Any) -> None:
    trial = Trial(strategy, problem, device)
    if not trial.strategy.plain:
        return
    losses = trial.evaluate()
    gradients = trial.gradients
    for t in range(len(losses)):
        one = problem._replace(
            rows=problem.rows._replace(y=problem.rows.y[:, [t]]),
            coef=problem.coef[:, [t]],
            intercept=None if problem.intercept is None else problem.intercept[[t]],
        )
        alone = Trial(strategy, one, device)
        _compare(
            alone.evaluate(), losses[[t]], f"losses of target {t}", problem.rounding
        )
        _compare_all(
            alone.gradients,
            [g[..., [t]] for g in gradients],
            f"gradients of target {t}",
            problem.tolerance,
        )


@_property("writes into none of the data")
def _data_untouched(strategy: Any, problem: Problem, device: Any) -> None:
    copies = [None if part is None else part.copy(order="K") for part in problem.rows]
    trial = Trial(strategy, problem._replace(rows=Rows(*copies)), device)
    trial.evaluate()
    trial.strategy.update(0.01)
    trial.evaluate()
    for name, before, after in zip(Rows._fields, problem.rows, copies, strict=True):
        if before is not None and not (before == after).all():
            raise BrokenError(f"{name} was changed")


@_property("a plain step is -learning_rate * gradient")
def _plain_step(strategy: Any, problem: Problem, device: Any) -> None:
    trial = Trial(strategy, problem, device)
    if not trial.strategy.plain:
        return
    trial.evaluate()
    pairs = zip(trial.parameters, trial.gradients, strict=True)
    expected = [p - 0.01 * gradient for p, gradient in pairs]
    gradients = trial.gradients
    trial.strategy.update(0.01)
    _compare_all(trial.gradients, gradients, "gradients after update", problem.rounding)
    _compare_all(
        trial.parameters,
        expected,
        "parameters after update",
        problem.tolerance,
    )


@_property("what is written into coef and intercept is where it evaluates next")
def _live_parameters(strategy: Any, problem: Problem, device: Any) -> None:
    trial = Trial(strategy, problem, device)
    if not trial.strategy.plain:
        return
    trial.evaluate()
    for array in (trial.strategy.coef, trial.strategy.intercept):
        if array is not None:
            array += 1
    expected = [a + 1 for a in (problem.coef, problem.intercept) if a is not None]
    _compare(
        trial.evaluate(),
        expected_losses(problem, problem.rows, expected),
        "losses after moving the parameters",
        problem.tolerance,
    )


@_property("keeps float32")
def _dtype(strategy: Any, problem: Problem, device: Any) -> None:
    trial = Trial(strategy, problem, device)
    losses = trial.evaluate()
    gradients = trial.gradients
    trial.strategy.update(0.01)
    found = {array.dtype for array in (losses, *gradients, *trial.parameters)}
    if found != {problem.rows.X.dtype}:
        raise BrokenError(f"losses, gradients and parameters have dtypes {found}")


@_property("clones share nothing")
def _clones(strategy: Any, problem: Problem, device: Any) -> None:
    one = Trial(strategy, problem, device)
    before = one.parameters
    other = Trial(one.strategy, problem, device)
    other.evaluate()
    other.strategy.update(0.01)
    _compare_all(
        one.parameters, before, "parameters after another's step", problem.rounding
    )


@_property('in an estimator, walks the iterates of strategy="manual"')
def _descent(strategy: Any, problem: Problem, device: Any) -> None:
    objective = problem.objective
    known = objective.loss.kind in ManualStrategy.losses
    if not known or not Trial(strategy, problem, device).strategy.plain:
        return
    rows = problem.rows
    fit_intercept = problem.intercept is not None
    stable = largest_stable_learning_rate(
        ReadyRows(rows), objective, fit_intercept=fit_intercept
    )
    manual, model = (
        GDLinearRegressor(
            each,
            device=where,
            loss=problem.loss,
            epsilon=problem.epsilon,
            alpha=problem.alpha,
            l1_ratio=problem.l1_ratio,
            fit_intercept=fit_intercept,
            learning_rate=stable / 2,
            max_iter=20,
            tol=None,
        ).fit(rows.X, rows.y, rows.weight)
        for each, where in (("manual", "cpu"), (strategy, device))
    )
    actual, expected = (
        [fitted.coef_, fitted.intercept_][: 1 + fit_intercept]
        for fitted in (model, manual)
    )
    _compare_all(actual, expected, "the model after 20 epochs", problem.tolerance)


def _compare_all(
    actual: list[np.ndarray], expected: list[np.ndarray], what: str, tolerance: float
) -> None:
    """Compare what belongs to the coefficients, and what to the intercept.

    Relative to the largest of both: the terms of either may happen to cancel, and leave
    little but their rounding.
    """
    names = "coef", "intercept"
    scale = max(1e-3, *(float(np.abs(other).max()) for other in expected))
    for name, one, other in zip(names, actual, expected, strict=False):
        _compare(one, other, f"{what} ({name})", tolerance, scale)


def _compare(
    actual: np.ndarray,
    expected: np.ndarray,
    what: str,
    tolerance: float,
    scale: float = 1e-3,
) -> None:
    """Compare arrays, relative to the largest expected value, or to a larger scale."""
    scale = max(float(np.abs(expected).max()), scale)
    difference = float(np.abs(actual - expected).max()) / scale
    if difference <= tolerance:
        return
    factor = float((actual * expected).sum() / ((expected**2).sum() or np.nan))
    if float(np.abs(actual - factor * expected).max()) / scale <= tolerance:
        raise BrokenError(f"{what} are {factor:.4g} times what they should be")
    raise BrokenError(
        f"{what} are off by {difference:.2g}, as a fraction of the largest value; "
        f"{tolerance:.0e} is allowed"
    )
