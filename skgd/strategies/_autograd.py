"""Gradient descent on leaf tensors: torch differentiates, the rest is by hand."""

from __future__ import annotations

from typing import Any

import torch

from skgd._objective.objective import Objective
from skgd.strategies._base import GradientStrategy


class AutogradStrategy(GradientStrategy):
    """Prediction, loss and update by hand; the gradient by torch autograd.

    The coefficients and the intercept are leaf tensors. `evaluate` writes the loss and
    calls ``backward()``; `update` steps under ``no_grad`` and clears the gradients. It
    has no parameters, and differentiates losses of the user's own as well. Its
    attributes are those of `GradientStrategy`.

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

    def start(self, coef: Any, intercept: Any, objective: Objective) -> None:
        """Make the parameters leaf tensors.

        For the parameters see `GradientStrategy.start`.
        """
        self._leaves = [coef.requires_grad_()]
        if intercept is not None:
            self._leaves.append(intercept.requires_grad_())
        # The same memory outside the graph, for the loop to read and to move.
        self.coef = coef.detach()
        self.intercept = None if intercept is None else intercept.detach()
        self.objective = objective

    def evaluate(self, X: Any, y: Any, weight: Any) -> Any:
        """Compute the losses, and the gradients by ``backward()``.

        For the parameters see `GradientStrategy.evaluate`.
        """
        self._zero_gradients()
        coef, *intercept = self._leaves
        prediction = X @ coef
        if intercept:
            prediction = prediction + intercept[0]
        value = self.objective.loss.value(prediction, y)
        losses = value.mean(0) if weight is None else weight @ value / len(y)
        if self.objective.l2 is not None:
            losses = losses + (self.objective.l2 * coef**2).sum(0)
        losses.sum().backward()
        self.gradients = coef.grad, intercept[0].grad if intercept else None
        return losses.detach()

    @torch.no_grad()
    def update(self, learning_rate: float) -> None:
        """Step by ``-learning_rate * gradient``, then clear the leaves' gradients.

        For the parameters see `GradientStrategy.update`.
        """
        for leaf in self._leaves:
            leaf -= learning_rate * leaf.grad
        self._zero_gradients()

    def _zero_gradients(self) -> None:
        """Make the next ``backward()`` start from nothing."""
        for leaf in self._leaves:
            leaf.grad = None
