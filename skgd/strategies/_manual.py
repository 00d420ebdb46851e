"""Gradient descent by hand: the derived formula."""

from __future__ import annotations

from skgd._data.rows import Rows
from skgd._typing import Array
from skgd.strategies._base import GradientStrategy


class ManualStrategy(GradientStrategy):
    """Derived gradient by hand, as the prediction, the loss and the update.

    For squared error on n rows, with residuals ``r = X w + b - y``::

        dF/dw = (2/n) X' r        dF/db = (2/n) sum(r)

    For Huber's loss, r is clipped to [-epsilon, epsilon]; an L2 penalty adds ``2 l2 w``
    to the first gradient. The strategy has no parameters. On the CPU it computes with
    NumPy and never imports torch; on other devices the same formula runs on torch
    tensors. Its attributes are those of `GradientStrategy`.

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

        Parameters
        ----------
        rows : Rows
            All rows, or those of a batch; see `GradientStrategy.evaluate`.

        Returns
        -------
        losses : array of shape (n_targets,)
            The objective of each target, without L1 penalties.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import ManualStrategy, Objective, Rows
        >>> strategy = ManualStrategy()
        >>> strategy.start((np.zeros((1, 1)), np.zeros(1)), Objective())
        >>> strategy.evaluate(Rows(np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])))
        array([10.])
        >>> strategy.gradients
        (array([[-10.]]), array([-6.]))
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

        Parameters
        ----------
        learning_rate : float or array of shape (n_targets,)
            The factor of the gradients, one for all targets or one for each.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import ManualStrategy, Objective
        >>> strategy = ManualStrategy()
        >>> strategy.start((np.zeros((1, 1)),), Objective())
        >>> strategy.gradients = (np.array([[-10.0]]),)
        >>> strategy.update(0.1)
        >>> strategy.parameters
        (array([[1.]]),)
        """
        for parameter, gradient in zip(self.parameters, self.gradients):
            parameter -= learning_rate * gradient
