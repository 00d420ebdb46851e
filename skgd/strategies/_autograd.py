"""Gradient descent on leaf tensors: torch differentiates, the rest is by hand."""

from __future__ import annotations

import torch

from skgd._data.rows import Rows
from skgd._objective.objective import Objective
from skgd._typing import Array, Parameters
from skgd.strategies._base import GradientStrategy


class AutogradStrategy(GradientStrategy):
    """Gradient by torch autograd; prediction, loss and update by hand.

    The coefficients and the intercept are leaf tensors. `evaluate` clears the last
    gradients, computes the loss and calls ``backward()``; `update` steps under
    ``no_grad``. The strategy has no parameters, and also differentiates losses of the
    user's own. Its attributes are those of `GradientStrategy`.

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

        Parameters
        ----------
        parameters : tuple of Tensor
            (coef,) or (coef, intercept); see `GradientStrategy.start`.
        objective : Objective
            The loss and the L2 penalty to descend on.

        Examples
        --------
        >>> import torch
        >>> from skgd.strategies import AutogradStrategy, Objective
        >>> strategy = AutogradStrategy()
        >>> strategy.start((torch.zeros(2, 1), torch.zeros(1)), Objective())
        >>> [tuple(parameter.shape) for parameter in strategy.parameters]
        [(2, 1), (1,)]
        """
        self._leaves = [parameter.requires_grad_() for parameter in parameters]
        # The same memory outside the graph, for the loop to read and to move.
        super().start(tuple(leaf.detach() for leaf in self._leaves), objective)

    def evaluate(self, rows: Rows) -> Array:
        """Compute the losses, and the gradients by ``backward()``.

        Parameters
        ----------
        rows : Rows
            All rows, or those of a batch, as tensors; see `GradientStrategy.evaluate`.

        Returns
        -------
        losses : Tensor of shape (n_targets,)
            The objective of each target, without L1 penalties.

        Examples
        --------
        >>> import torch
        >>> from skgd.strategies import AutogradStrategy, Objective, Rows
        >>> strategy = AutogradStrategy()
        >>> strategy.start((torch.zeros(1, 1),), Objective())
        >>> rows = Rows(torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [4.0]]))
        >>> strategy.evaluate(rows)
        tensor([10.])
        >>> strategy.gradients
        (tensor([[-10.]]),)
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

        Parameters
        ----------
        learning_rate : float or Tensor of shape (n_targets,)
            The factor of the gradients, one for all targets or one for each.

        Examples
        --------
        >>> import torch
        >>> from skgd.strategies import AutogradStrategy, Objective
        >>> strategy = AutogradStrategy()
        >>> strategy.start((torch.zeros(1, 1),), Objective())
        >>> strategy.gradients = (torch.tensor([[-10.0]]),)
        >>> strategy.update(0.1)
        >>> strategy.parameters
        (tensor([[1.]]),)
        """
        for leaf, gradient in zip(self._leaves, self.gradients):
            leaf -= learning_rate * gradient
