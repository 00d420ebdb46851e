"""The problems that a strategy is checked on, and the right answers to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from skgd._data.rows import Rows
from skgd._objective.losses import loss_from
from skgd._objective.objective import Objective
from skgd._objective.penalties import penalty_of
from skgd.strategies import GradientStrategy

# Relative to the largest value compared: 45,000 roundings, and 840.
_ROUNDING = {"float64": 1e-11, "float32": 1e-4}
# Central differences, of steps _H, of a quadratic are exact but for rounding; this is
# that in float64, and more than the third derivative of the others' loss makes of _H^2.
_H, _DIFFERENCES_ROUNDING = 1e-4, 1e-7


class Problem(NamedTuple):
    """Rows to run a strategy on, what to descend on, and a place to start from."""

    name: str
    rows: Rows  # NumPy
    coef: np.ndarray
    intercept: np.ndarray | None
    loss: Any = "squared_error"  # as a parameter of the estimator
    epsilon: float = 0.1  # likewise
    alpha: float = 0.0
    l1_ratio: float = 0.0
    rtol: float = 0.0  # beyond rounding

    @property
    def objective(self) -> Objective:
        scale = np.ones((self.rows.n_features, 1))
        penalty = penalty_of(self.alpha, self.l1_ratio, False, scale)
        return Objective(loss_from(self.loss, self.epsilon), penalty)

    @property
    def rounding(self) -> float:
        return _ROUNDING[str(self.rows.X.dtype)]

    @property
    def tolerance(self) -> float:
        return max(self.rtol, self.rounding)

    @property
    def differences_tolerance(self) -> float:
        return max(self.tolerance, _DIFFERENCES_ROUNDING)

    def __str__(self) -> str:
        n_rows, n_features = self.rows.X.shape
        return (
            f"{self.name} (n_rows={n_rows}, n_features={n_features}, "
            f"n_targets={self.rows.y.shape[1]}, {self.rows.X.dtype}"
            f"{', no intercept' if self.intercept is None else ''})"
        )


def problems_for(
    strategy: GradientStrategy, dtypes: Sequence[str]
) -> Iterator[Problem]:
    """Yield the problems that every check runs on."""
    losses, l1_ratio = strategy.losses, 0.4 if strategy.penalizes else 1.0
    for dtype, fit_intercept in product(dtypes, (True, False)):
        draw = partial(_problem, dtype=dtype, fit_intercept=fit_intercept)
        if "squared_error" in losses:
            yield draw("one feature", 5, 1, 1)
            yield draw("several features", 12, 4, 1)
            yield draw("weights", 12, 4, 1, weighted=True)
            yield draw("several targets", 12, 4, 3)
            yield draw("weights and targets", 12, 4, 3, weighted=True)
            yield draw("more features than rows", 3, 7, 1)
            yield draw("one row", 1, 2, 1)
            penalized = draw("a penalty", 12, 4, 3, weighted=True)
            yield penalized._replace(alpha=0.7, l1_ratio=l1_ratio)
        if "huber" in losses:
            robust = partial(draw, loss="huber")
            yield robust("Huber's loss", 12, 4, 1)
            yield robust("Huber's loss, weights, targets", 12, 4, 3, weighted=True)
            penalized = robust("Huber's loss and a penalty", 12, 4, 1)
            yield penalized._replace(alpha=0.7, l1_ratio=l1_ratio)
        if "custom" in losses:
            own = draw("a loss of one's own", 12, 4, 3, weighted=True, loss=_log_cosh)
            yield own._replace(alpha=0.7, l1_ratio=l1_ratio)


def _problem(
    name: str,
    n_rows: int,
    n_features: int,
    n_targets: int,
    *,
    dtype: str,
    fit_intercept: bool,
    weighted: bool = False,
    loss: Any = "squared_error",
) -> Problem:
    """Draw a problem, always the same.

    Huber's epsilon is where the sizes of the residuals leave the widest gap, so that
    there are none at its kinks, and some on either side.
    """
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    weight = None
    if weighted:
        # Whole numbers, so that rows can be repeated; zero and two among them.
        weight = np.arange(n_rows).astype(dtype) % 4
        weight /= weight.mean()
    problem = Problem(
        name,
        Rows(draw(n_rows, n_features) + 1, 3 * draw(n_rows, n_targets), weight),
        coef=draw(n_features, n_targets),
        intercept=draw(n_targets) if fit_intercept else None,
        loss=loss,
    )
    start = [p for p in (problem.coef, problem.intercept) if p is not None]
    sizes = np.sort(np.abs(_residual(problem.rows, start)), axis=None)
    middle = sizes[len(sizes) // 4 : -(len(sizes) // 4) or None]
    if len(middle) < 2:
        return problem
    widest = np.diff(middle).argmax()
    return problem._replace(epsilon=float(middle[widest : widest + 2].mean()))


def _log_cosh(prediction: Any, y: Any) -> Any:
    """Give a smooth loss that skgd has no name for, on tensors."""
    return (prediction - y).cosh().log()


def expected_losses(
    problem: Problem, rows: Rows, parameters: list[np.ndarray]
) -> np.ndarray:
    """Objective on the rows, in float64, target by target."""
    objective = problem.objective
    residual = _residual(rows, parameters)
    # All losses here are of the residual alone.
    value = objective.loss.value(residual, np.zeros_like(residual))
    weight = 1.0 if rows.weight is None else rows.weight.astype(float)[:, None]
    losses = (weight * value).mean(axis=0)
    if objective.l2 is not None:
        losses += (objective.l2 * parameters[0].astype(float) ** 2).sum(axis=0)
    return losses


def near_a_kink(problem: Problem, rows: Rows, parameters: list[np.ndarray]) -> bool:
    """Whether central differences would cross from one side of Huber's to the other.

    Not so where the problem says that the descent starts, but a strategy that is not
    plain may start anywhere.
    """
    if problem.loss != "huber":
        return False
    distance = np.abs(np.abs(_residual(rows, parameters)) - problem.epsilon)
    return bool(distance.min() < 2 * _H * (1 + np.abs(rows.X).max()))


def finite_differences(
    problem: Problem, rows: Rows, parameters: list[np.ndarray]
) -> list[np.ndarray]:
    """Central differences of the sum of the objectives: exact for a quadratic."""
    parameters = [p.astype(float) for p in parameters]
    gradients = [np.empty_like(p) for p in parameters]
    h = _H
    for p, gradient in zip(parameters, gradients, strict=True):
        for index in np.ndindex(p.shape):
            value = p[index]
            p[index] = value + h
            above = expected_losses(problem, rows, parameters).sum()
            p[index] = value - h
            below = expected_losses(problem, rows, parameters).sum()
            p[index] = value
            gradient[index] = (above - below) / (2 * h)
    return gradients


def _residual(rows: Rows, parameters: list[np.ndarray]) -> np.ndarray:
    """Prediction minus target, in float64."""
    prediction = rows.X.astype(float) @ parameters[0].astype(float)
    return sum(parameters[1:], start=prediction) - rows.y
