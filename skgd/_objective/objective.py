"""The objective of a descent: the weighted mean of a loss, and a penalty."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from skgd._data.device import Device
from skgd._data.rows import Rows
from skgd._objective.losses import Loss, SquaredError
from skgd._objective.penalties import Penalty
from skgd._typing import Array


@dataclass(frozen=True)
class Objective:
    """What a descent minimises: the mean loss over the rows, and a penalty.

    `fit` builds it and passes it to `GradientStrategy.start`. With predictions ``P = X
    W + b`` of n rows, and row weights ``w``, the objective of target t is ::

        F_t(W, b) = 1/n sum_i w_i loss(P_it, Y_it) + sum_j l2_jt W_jt^2 + rest(W_t)

    The first two terms are smooth: a strategy computes and differentiates them by the
    methods below, which take care of weights and penalties. The rest is an L1 penalty
    or a bound at zero, which the loop takes care of. The objective of a target does not
    depend on the parameters of the others: minimising the sum of the ``F_t`` minimises
    each of them.

    Parameters
    ----------
    loss : Loss, default=squared error
        The loss of one element. ``loss.value(prediction, y)`` returns it for arrays of
        shape (n_rows, n_targets).
    penalty : Penalty, default=no penalty
        The penalty on the coefficients.

    See Also
    --------
    GradientStrategy : The contract of strategies, which descend on it.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.strategies import Objective, Rows
    >>> objective = Objective()  # squared error, without a penalty
    >>> rows = Rows(X=np.array([[1.0], [2.0]]), y=np.array([[2.0], [4.0]]))
    >>> coef = np.ones((1, 1))
    >>> objective.value(rows.X @ coef, rows, coef)
    array([2.5])
    >>> losses, residual = objective.value_and_residual(rows.X @ coef, rows, coef)
    >>> 2 / len(rows.y) * rows.X.T @ residual
    array([[-5.]])
    """

    loss: Loss = field(default_factory=SquaredError)
    penalty: Penalty = field(default_factory=Penalty)

    def value(self, prediction: Array, rows: Rows, coef: Array) -> Array:
        """Return the smooth part of the objective of each target.

        Torch differentiates it where `prediction` and `coef` require gradients.

        Parameters
        ----------
        prediction : array of shape (n_rows, n_targets)
            Predictions for the rows.
        rows : Rows
            Rows with their targets and weights.
        coef : array of shape (n_features, n_targets)
            The coefficients, for the L2 penalty.

        Returns
        -------
        value : array of shape (n_targets,)
            The weighted mean of the loss, plus the L2 penalty.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import Objective, Rows
        >>> rows = Rows(np.ones((2, 1)), y=np.array([[2.0], [4.0]]))
        >>> Objective().value(np.array([[1.0], [1.0]]), rows, np.ones((1, 1)))
        array([5.])
        """
        value = self.loss.mean(prediction, rows)
        return value if self.penalty.l2 is None else value + self.penalty.l2_value(coef)

    def value_and_residual(
        self, prediction: Array, rows: Rows, coef: Array
    ) -> tuple[Array, Array]:
        """Return the value, and the residuals that make up the gradient.

        Parameters
        ----------
        prediction : array of shape (n_rows, n_targets)
            Predictions for the rows. The array may be overwritten.
        rows : Rows
            Rows with their targets and weights.
        coef : array of shape (n_features, n_targets)
            The coefficients, for the L2 penalty.

        Returns
        -------
        value : array of shape (n_targets,)
            The same as from `value`.
        residual : array of shape (n_rows, n_targets)
            Half the derivative of the loss of each element, times its weight: for
            squared error, ``weight * (prediction - y)``. The gradient of the mean loss
            is ``2 / n_rows * X.T @ residual``; `add_l2_gradient` adds the gradient of
            the penalty.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import Objective, Rows
        >>> rows = Rows(np.ones((2, 1)), y=np.array([[2.0], [4.0]]))
        >>> prediction, coef = np.array([[1.0], [1.0]]), np.ones((1, 1))
        >>> value, residual = Objective().value_and_residual(prediction, rows, coef)
        >>> value, residual.ravel()
        (array([5.]), array([-1., -3.]))
        """
        value, residual = self.loss.mean_and_residual(prediction, rows)
        if self.penalty.l2 is not None:
            value += self.penalty.l2_value(coef)
        return value, residual

    def add_l2_gradient(self, coef: Array, *, to: Array) -> None:
        """Add the gradient of the L2 penalty, ``2 * l2 * coef``, if there is one.

        Parameters
        ----------
        coef : array of shape (n_features, n_targets)
            The coefficients.
        to : array of shape (n_features, n_targets)
            The gradient of the mean loss, which is changed in place.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd import GDLinearRegressor
        >>> from skgd.strategies import ManualStrategy
        >>> class Printing(ManualStrategy):
        ...     def start(self, parameters, objective):
        ...         super().start(parameters, objective)
        ...         gradient = np.array([[0.0]])
        ...         objective.add_l2_gradient(np.array([[3.0]]), to=gradient)
        ...         print(gradient)  # 2 * alpha * 3
        >>> model = GDLinearRegressor(Printing(), alpha=0.5, learning_rate=0.1)
        >>> _ = model.fit([[1.0], [2.0]], [2.0, 4.0])
        [[3.]]
        """
        if self.penalty.l2 is not None:
            to += 2 * self.penalty.l2 * coef

    def to_device(self, device: Device, dtype: np.dtype) -> Objective:
        """Return the same objective with its arrays on the device of the descent.

        `fit` calls it before `start`: a strategy gets the objective on the device.

        Parameters
        ----------
        device : Device
            NumPy, or torch on a device.
        dtype : numpy.dtype
            The dtype of the descent.

        Returns
        -------
        objective : Objective
            The objective whose weights are arrays of that kind and dtype.
        """
        penalty = self.penalty.to_device(device, dtype)
        return Objective(self.loss.in_range_of(dtype), penalty)
