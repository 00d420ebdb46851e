"""The problems that a strategy is checked on, and the right answers to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple, TypeAlias

import numpy as np

from skgd._data.rows import Rows
from skgd._objective.losses import loss_from
from skgd._objective.objective import Objective
from skgd._objective.penalties import penalty_of
from skgd._regressor import GDLinearRegressor
from skgd._typing import Array, NumpyParameters
from skgd.strategies import GradientStrategy

#: The loss of each target, and the gradients.
Evaluation: TypeAlias = tuple[np.ndarray, NumpyParameters]

# Of finite differences. In float64, rounding makes 1e-9 of it, and a kink of Huber's
# loss between the two sides at most 1e-6.
_H = 1e-6

_PLANS = (  # name, n_rows, n_features, n_targets, weighted, alpha, loss
    ("one feature", 5, 1, 1, False, 0.0, "squared_error"),
    ("several features", 12, 4, 1, False, 0.0, "squared_error"),
    ("weights", 12, 4, 1, True, 0.0, "squared_error"),
    ("several targets", 12, 4, 3, False, 0.0, "squared_error"),
    ("weights and targets", 12, 4, 3, True, 0.0, "squared_error"),
    ("more features than rows", 3, 7, 1, False, 0.0, "squared_error"),
    ("one row", 1, 2, 1, False, 0.0, "squared_error"),
    ("a penalty", 12, 4, 3, True, 0.7, "squared_error"),
    ("Huber's loss", 12, 4, 1, False, 0.0, "huber"),
    ("Huber's loss, weights, targets", 12, 4, 3, True, 0.0, "huber"),
    ("Huber's loss and a penalty", 12, 4, 1, False, 0.7, "huber"),
    ("a loss of one's own", 12, 4, 3, True, 0.7, "custom"),
)


def problems_for(
    strategy: GradientStrategy, dtypes: Iterable[str], intercepts: Iterable[bool]
) -> Iterator[Problem]:
    """Yield the problems for the losses and the penalty that a strategy declares."""
    for plan, dtype, fit_intercept in product(_PLANS, dtypes, intercepts):
        name, n_rows, n_features, n_targets, weighted, alpha, loss = plan
        if loss in strategy.losses:
            if not strategy.penalizes:
                name = name.replace("a penalty", "an L1 penalty, which fit applies")
            normal = np.random.default_rng(0).standard_normal
            X, y = normal((n_rows, n_features)) + 1, 3 * normal((n_rows, n_targets))
            # 0, 1, 2 and 3 over their mean: rows can be repeated in place of them.
            weight = np.arange(n_rows) % 4 / 1.5 if weighted else None
            start = normal((n_features, n_targets)), normal(n_targets)
            model = GDLinearRegressor(
                loss=_log_cosh if loss == "custom" else loss,
                epsilon=2.0,  # among the sizes of the residuals
                alpha=alpha,
                l1_ratio=0.4 if strategy.penalizes else 1.0,
                fit_intercept=fit_intercept,
            )
            rows = Rows(X, y, weight).astype(np.dtype(dtype))
            parameters = tuple(p.astype(dtype) for p in start[: 1 + fit_intercept])
            yield Problem(name, rows, parameters, model)


def _log_cosh(prediction: Array, y: Array) -> Array:
    """Return a smooth loss that skgd has no name for, of tensors."""
    return (prediction - y).cosh().log()


class Problem(NamedTuple):
    """Rows and parameters to start from, in NumPy, and what to descend on."""

    name: str
    rows: Rows
    parameters: NumpyParameters
    model: GDLinearRegressor  # not fitted
    rtol: float = 0.0  # what gradients may deviate by, beyond rounding

    @property
    def objective(self) -> Objective:
        """The loss and the penalty."""
        model, coef_scale = self.model, np.ones((self.rows.n_features, 1))
        penalty = penalty_of(np.asarray(model.alpha), model.l1_ratio, False, coef_scale)
        return Objective(loss_from(model.loss, model.epsilon), penalty)

    def target(self, t: int) -> Problem:
        """Return the problem of one target alone."""
        rows = self.rows._replace(y=self.rows.y[:, [t]])
        parameters = tuple(p[..., [t]] for p in self.parameters)
        return self._replace(rows=rows, parameters=parameters)

    def evaluation(self, rows: Rows, parameters: NumpyParameters) -> Evaluation:
        """Return the objective on rows and its finite differences, in float64."""
        rows, W = rows.astype(np.dtype(float)), np.vstack(parameters).astype(float)
        n = rows.n_features
        X = np.column_stack([rows.X, np.ones(len(rows.y))])[:, : len(W)]

        def losses(W: np.ndarray) -> np.ndarray:
            return self.objective.value(X @ W, rows, W[:n])

        # Targets do not mix: a step in the parameters of all is one for each.
        steps = _H * np.eye(len(W))[:, :, None]
        rises = [losses(W + step) - losses(W - step) for step in steps]
        gradients = np.array(rises) / (2 * _H)
        return losses(W), (gradients[:n], *gradients[n:])

    def __str__(self) -> str:
        (n_rows, n_features), n_targets = self.rows.X.shape, self.rows.n_targets
        sizes = f"{n_rows=}, {n_features=}, {n_targets=}, {self.rows.y.dtype}"
        return f"{self.name} ({sizes}{', no intercept' * (len(self.parameters) == 1)})"
