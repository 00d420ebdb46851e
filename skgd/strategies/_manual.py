"""Gradient descent by hand: the derived formula."""

from __future__ import annotations

from skgd._data.rows import Rows
from skgd._typing import Array
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

    def evaluate(self, rows: Rows) -> Array:
        """Compute the losses and the gradients by the derived formula.

        For the parameters see `GradientStrategy.evaluate`.
        """
        X, n = rows.X, len(rows.y)
        coef, *intercept = self.parameters
        prediction = (coef.T @ X.T).T  # column-major, as y is
        for b in intercept:
            prediction += b
        losses, r = self.objective.value_and_residual(prediction, rows, coef)
        gradients = [(2 / n) * (X.T @ r)]
        self.objective.add_l2_gradient(coef, to=gradients[0])
        if intercept:
            gradients.append((2 / n) * r.sum(0))
        self.gradients = tuple(gradients)
        return losses

    def update(self, learning_rate: float | Array) -> None:
        """Step by ``-learning_rate * gradient``.

        For the parameters see `GradientStrategy.update`.
        """
        for parameter, gradient in zip(self.parameters, self.gradients):
            parameter -= learning_rate * gradient
