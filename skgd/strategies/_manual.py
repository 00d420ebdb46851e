"""Gradient descent by hand: the derived formula."""

from __future__ import annotations

from typing import Any

from skgd._objective.objective import Objective
from skgd.strategies._base import GradientStrategy


class ManualStrategy(GradientStrategy):
    """Everything by hand: prediction, loss, the derived gradient and the update.

    For squared error on n rows, with residuals ``r = X w + b - y``::

        dF/dw = (2/n) X' r        dF/db = (2/n) sum(r)

    For Huber's loss, r is clipped to [-epsilon, epsilon]; an L2 penalty adds ``2 l2 w``
    to the first. It has no parameters. On the CPU it computes with NumPy and never
    imports torch; on other devices the same formula runs on torch tensors. Its
    attributes are those of `GradientStrategy`.

    See Also
    --------
    AutogradStrategy : The same loss, differentiated by torch.
    ModuleStrategy : ``nn.Linear``, ``nn.MSELoss`` and ``torch.optim.SGD``.

    Examples
    --------
    >>> from skgd import GDLinearRegressor
    >>> X, y = [[1.0], [2.0], [3.0], [4.0]], [2.0, 4.0, 6.0, 8.0]
    >>> model = GDLinearRegressor("manual", learning_rate=0.01, fit_intercept=False,
    ...                           max_iter=3, tol=None)
    >>> model.fit(X, y).loss_curve_
    [30.0, 21.67..., 15.66...]
    """

    losses = ("squared_error", "huber")
    penalizes = True

    def start(self, coef: Any, intercept: Any, objective: Objective) -> None:
        """Keep the arrays as they are: they are changed in place.

        For the parameters see `GradientStrategy.start`.
        """
        self.coef, self.intercept = coef, intercept
        self.objective = objective

    def evaluate(self, X: Any, y: Any, weight: Any) -> Any:
        """Compute the losses and the gradients by the derived formula.

        For the parameters see `GradientStrategy.evaluate`.
        """
        prediction = (self.coef.T @ X.T).T  # column-major, as y is
        if self.intercept is not None:
            prediction += self.intercept
        value, influence = self.objective.loss.value_and_influence(prediction, y)
        if weight is not None:
            value *= weight[:, None]
            influence *= weight[:, None]
        n_rows, l2 = len(y), self.objective.l2
        losses = value.sum(0) / n_rows
        coef_gradient = X.T @ influence * (2 / n_rows)
        if l2 is not None:
            losses += (l2 * self.coef**2).sum(0)
            coef_gradient += 2 * l2 * self.coef
        self.gradients = (
            coef_gradient,
            None if self.intercept is None else influence.sum(0) * (2 / n_rows),
        )
        return losses

    def update(self, learning_rate: float) -> None:
        """Step by ``-learning_rate * gradient``.

        For the parameters see `GradientStrategy.update`.
        """
        coef_gradient, intercept_gradient = self.gradients
        self.coef -= learning_rate * coef_gradient
        if self.intercept is not None:
            self.intercept -= learning_rate * intercept_gradient
