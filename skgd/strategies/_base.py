"""The contract between the descent loop and a gradient strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from skgd._objective.objective import Objective


class GradientStrategy(BaseEstimator, ABC):
    """How the loss, its gradient and the step along it are computed.

    A strategy holds the parameters of the linear model during a descent. The loop calls
    `start` once, and then `evaluate` and `update` for each batch. A strategy of your
    own is a subclass with these three methods;
    :func:`skgd.testing.check_gradient_strategy` tells whether it keeps the contract.

    A strategy is a :class:`~sklearn.base.BaseEstimator`: `__init__` stores its
    arguments and does nothing else, so that it can be cloned and its parameters can be
    searched over (``strategy__...``). `fit` works on a clone.

    Attributes
    ----------
    needs_tensors : bool, default=False
        Class attribute. True: all arrays are torch tensors, on every device. False:
        NumPy arrays when the estimator's `device` is "cpu", torch tensors on other
        devices. All arrays of a descent have the same dtype, float32 or float64.
    losses : tuple of str, default=("squared_error",)
        Class attribute. The losses that `evaluate` can differentiate. "squared_error"
        and "huber": those of `GDLinearRegressor`. "custom": the user's own, a function
        of tensors that torch differentiates. For the last two, `evaluate` has to use
        ``objective.loss``. `fit` refuses a loss that is not listed here.
    penalizes : bool, default=False
        Class attribute. Whether `evaluate` adds the L2 penalty,
        ``(objective.l2 * coef**2).sum(0)``, where ``objective.l2`` is not None. If
        False, `fit` refuses an L2 penalty. L1 penalties and bounds at zero need
        nothing of a strategy: the loop takes care of them.
    plain : bool, default=True
        Whether `update` moves the coefficients themselves by ``-learning_rate *
        gradient`` and does nothing else. If False, `fit` refuses
        ``learning_rate="auto"``, a `momentum`, L1 penalties and bounds, which all
        presume such a step. Read after `start`.
    coef : array of shape (n_features, n_targets)
        Current coefficients. If `plain`, the loop may change this array in place
        (momentum, proximal steps); the next `evaluate` must use the changed values. Of
        a torch tensor that requires gradients, give its ``detach()``.
    intercept : array of shape (n_targets,) or None
        Current intercept, changed in place in the same way. None: the model has none.
    gradients : tuple of (array, array or None)
        Gradients of the sum of the objectives of all targets with respect to `coef` and
        `intercept`, in their shapes. Valid from one `evaluate` to the next, also after
        `update`.

    See Also
    --------
    skgd.testing.check_gradient_strategy : Check a strategy against this contract.
    Objective : What a strategy descends on.

    Examples
    --------
    The derived formula of squared error:

    >>> from skgd import GDLinearRegressor
    >>> from skgd.strategies import GradientStrategy
    >>> class ShortStrategy(GradientStrategy):
    ...     def start(self, coef, intercept, objective):
    ...         self.coef, self.intercept = coef, intercept
    ...
    ...     def evaluate(self, X, y, weight):
    ...         weight = 1.0 if weight is None else weight[:, None]
    ...         b = 0.0 if self.intercept is None else self.intercept
    ...         residual = X @ self.coef + b - y
    ...         slope = 2 * weight * residual / len(y)
    ...         b_gradient = None if self.intercept is None else slope.sum(axis=0)
    ...         self.gradients = X.T @ slope, b_gradient
    ...         return (weight * residual**2).mean(axis=0)
    ...
    ...     def update(self, learning_rate):
    ...         self.coef -= learning_rate * self.gradients[0]
    ...         if self.intercept is not None:
    ...             self.intercept -= learning_rate * self.gradients[1]
    >>> from skgd.testing import check_gradient_strategy
    >>> check_gradient_strategy(ShortStrategy())
    >>> X, y = [[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0]
    >>> model = GDLinearRegressor(ShortStrategy(), learning_rate=0.1).fit(X, y)
    >>> model.predict([[10.0]]).round(1)
    array([20.])
    """

    needs_tensors: ClassVar[bool] = False
    losses: ClassVar[tuple[str, ...]] = ("squared_error",)
    penalizes: ClassVar[bool] = False
    plain: bool = True
    coef: Any
    intercept: Any
    gradients: Any

    @abstractmethod
    def start(self, coef: Any, intercept: Any, objective: Objective) -> None:
        """Put the parameters where this strategy keeps them.

        Called once before each descent, also on a strategy that has been used before.

        Parameters
        ----------
        coef : array of shape (n_features, n_targets)
            Where to start. The strategy may keep this array and change it in place.
        intercept : array of shape (n_targets,) or None
            Where to start; it may be kept, too. None: the model has no intercept.
        objective : Objective
            What to descend on: the loss of an element, and the weights of the L2
            penalty.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import ManualStrategy, Objective
        >>> strategy = ManualStrategy()
        >>> strategy.start(np.zeros((2, 1)), np.zeros(1), Objective())
        >>> strategy.coef.shape, strategy.intercept.shape
        ((2, 1), (1,))
        """

    @abstractmethod
    def evaluate(self, X: Any, y: Any, weight: Any) -> Any:
        """Compute the objective and its gradients at the current parameters.

        The parameters do not move, so that a second call gives the same. The gradients
        are then in `gradients`.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
            All rows, or those of a batch; not to be written into. If the user's X is
            sparse, it may be a SciPy ``csr_array``, or, among tensors, an object that
            works in ``@``, ``.T`` and ``nn.Linear`` as a tensor does.
        y : array of shape (n_rows, n_targets)
            Targets, two-dimensional also for one target; not to be written into.
        weight : array of shape (n_rows,) or None
            Weights of the rows. The objective is the mean of ``weight * loss`` over the
            rows, plus the L2 penalty. They average one over all rows, but not over
            each batch: do not divide by their sum. None: all ones.

        Returns
        -------
        losses : array of shape (n_targets,)
            The objective of each target, without L1 penalties.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import ManualStrategy, Objective
        >>> X, y = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])
        >>> strategy = ManualStrategy()
        >>> strategy.start(np.ones((1, 1)), None, Objective())
        >>> strategy.evaluate(X, y, None)
        array([2.5])
        >>> strategy.gradients
        (array([[-5.]]), None)
        """

    @abstractmethod
    def update(self, learning_rate: float) -> None:
        """Take one step against the gradients of the last `evaluate`.

        Parameters
        ----------
        learning_rate : float
            What the gradients are multiplied by. If `plain`, the step is
            ``-learning_rate * gradient``.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import ManualStrategy, Objective
        >>> X, y = np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])
        >>> strategy = ManualStrategy()
        >>> strategy.start(np.ones((1, 1)), None, Objective())
        >>> losses = strategy.evaluate(X, y, None)
        >>> strategy.update(0.1)  # 1 - 0.1 * (-5)
        >>> strategy.coef
        array([[1.5]])
        """
