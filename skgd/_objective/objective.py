"""The objective of a descent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skgd._data.arrays import Placement
from skgd._objective.losses import Loss, SquaredError
from skgd._objective.penalties import Penalty


@dataclass(frozen=True)
class Objective:
    """What a descent minimises: the mean loss over the rows, and a penalty.

    `fit` builds it and passes it to `GradientStrategy.start`. With predictions ``P = X
    W + b`` of n rows, and row weights ``w``, the objective of target t is ::

        F_t(W, b) = 1/n sum_i w_i loss(P_it, Y_it) + sum_j l2_j W_jt^2 + rest(W_t)

    A strategy computes the first two terms, and needs `loss` and `l2` for them. The
    rest is an L1 penalty or a bound at zero, which the loop takes care of. Targets do
    not mix: what minimises the sum of the ``F_t`` minimises each of them.

    Parameters
    ----------
    loss : Loss, default=squared error
        The loss of one element, with these methods:

        - ``value(prediction, y)``: the loss of each element, an array of the shape of
          the arguments, (n_rows, n_targets);
        - ``value_and_influence(prediction, y)``: the same, and half its derivative
          with respect to the prediction (of squared error, the residual). It may
          overwrite `prediction`;
        - ``criterion(reduction)``: the same loss as a function ``(prediction, y) ->
          tensor`` of torch tensors; `reduction` is "none", or "mean" for the mean of
          all elements.

        The first two take NumPy arrays or torch tensors, and return the same kind. A
        loss of the user's own is computed by torch in either case.
    penalty : Penalty, default=no penalty
        The whole penalty, for the loop. A strategy reads `l2`.

    Attributes
    ----------
    l2 : array of shape (n_features, 1) or None
        Weights of the squares of the coefficients. None: they are not penalised. A
        strategy that sets `penalizes` adds ``(l2 * coef**2).sum(0)`` to its losses,
        and ``2 * l2 * coef`` to its gradient.

    See Also
    --------
    GradientStrategy : The contract of those who descend on it.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd.strategies import ManualStrategy, Objective
    >>> objective = Objective()  # squared error, without a penalty
    >>> objective.l2 is None
    True
    >>> X, y, coef = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]]), np.ones((1, 1))
    >>> value, influence = objective.loss.value_and_influence(X @ coef, y)
    >>> value.mean(axis=0), 2 / len(y) * X.T @ influence
    (array([2.5]), array([[-5.]]))

    A strategy gives the same loss and gradient:

    >>> strategy = ManualStrategy()
    >>> strategy.start(coef, None, objective)
    >>> strategy.evaluate(X, y, None), strategy.gradients[0]
    (array([2.5]), array([[-5.]]))
    """

    loss: Loss = field(default_factory=SquaredError)
    penalty: Penalty = field(default_factory=Penalty)

    @property
    def l2(self) -> Any:
        """Weights of the squares of the coefficients, (n_features, 1), or None."""
        return self.penalty.l2

    def placed(self, placement: Placement, dtype: np.dtype) -> Objective:
        """Give the same objective with its arrays on the device of the descent.

        For the loop: the objective that a strategy gets is there already.

        Parameters
        ----------
        placement : Placement
            NumPy, or torch on a device.
        dtype : numpy.dtype
            The dtype of the descent.

        Returns
        -------
        objective : Objective
            Its `l2` is an array of that kind and dtype.
        """
        return Objective(
            self.loss.in_range_of(dtype), self.penalty.placed(placement.put, dtype)
        )
