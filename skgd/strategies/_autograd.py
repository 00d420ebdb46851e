"""Gradient descent on leaf tensors: torch differentiates, the rest is by hand."""

from __future__ import annotations

import torch

from skgd._data.rows import Rows
from skgd._objective.objective import Objective
from skgd._typing import Array, Parameters
from skgd.strategies._base import GradientStrategy


class AutogradStrategy(GradientStrategy):
    """Prediction, loss and update by hand; the gradient by torch autograd.

    The coefficients and the intercept are leaf tensors. `evaluate` writes the loss and
    calls ``backward()``, with the last gradients cleared; `update` steps under
    ``no_grad``. It has no parameters, and differentiates losses of the user's own as
    well. Its attributes are those of `GradientStrategy`.

    See Also
    --------
    ManualStrategy : The same loss, differentiated by hand.
    ModuleStrategy : ``nn.Linear``, ``nn.MSELoss`` and ``torch.optim.SGD``.

    Examples
    --------
    >>> from skgd import GDLinearRegressor
    >>> X, y = [[1.0], [2.0], [3.0], [4.0]], [2.0, 4.0, 6.0, 8.0]
    >>> model = GDLinearRegressor("autograd", learning_rate=0.01, fit_intercept=False,
    ...                           max_iter=3, tol=None)
    >>> model.fit(X, y).loss_curve_
    [30.0, 21.67..., 15.66...]
    """

    needs_tensors = True
    losses = ("squared_error", "huber", "custom")
    penalizes = True

    def start(self, parameters: Parameters, objective: Objective) -> None:
        """Make the parameters leaf tensors.

        For the parameters see `GradientStrategy.start`.
        """
        self._leaves = [parameter.requires_grad_() for parameter in parameters]
        # The same memory outside the graph, for the loop to read and to move.
        super().start(tuple(leaf.detach() for leaf in self._leaves), objective)

    def evaluate(self, rows: Rows) -> Array:
        """Compute the losses, and the gradients by ``backward()``.

        For the parameters see `GradientStrategy.evaluate`.
        """
        for leaf in self._leaves:
            leaf.grad = None
        coef, *intercept = self._leaves
        prediction = sum(intercept, start=rows.X @ coef)
        losses = self.objective.value(prediction, rows, coef)
        losses.sum().backward()
        self.gradients = tuple(leaf.grad for leaf in self._leaves)
        return losses.detach()

    @torch.no_grad()
    def update(self, learning_rate: float | Array) -> None:
        """Step by ``-learning_rate * gradient``.

        For the parameters see `GradientStrategy.update`.
        """
        for leaf, gradient in zip(self._leaves, self.gradients):
            leaf -= learning_rate * gradient
