"""The contract between the descent loop and a gradient strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from copy import deepcopy
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from skgd._data.rows import Rows
from skgd._objective.objective import Objective
from skgd._typing import Array, Parameters


class GradientStrategy(BaseEstimator, ABC):
    """How the loss, its gradient and the step along it are computed.

    A strategy holds the parameters of the linear model during a descent. The loop calls
    `start` once, and then `evaluate` and `update` for each batch. A strategy of your
    own is a subclass that defines `evaluate` and `update`;
    :func:`skgd.testing.check_gradient_strategy` checks whether it keeps the contract.

    A strategy is a :class:`~sklearn.base.BaseEstimator`: `__init__` stores its
    arguments and does nothing else, so that the strategy can be cloned and its
    parameters can be searched over (``strategy__...``). `fit` works on a clone.

    Attributes
    ----------
    needs_tensors : bool, default=False
        Class attribute. If True, all arrays are torch tensors, on every device. If
        False, they are NumPy arrays on the CPU and torch tensors on other devices. All
        arrays of a descent have the same dtype, float32 or float64.
    losses : tuple of str, default=("squared_error",)
        Class attribute. The losses that `evaluate` can differentiate. "squared_error"
        and "huber" are those of `GDLinearRegressor`; "custom" is a loss of the user's
        own, a function of tensors that torch differentiates. For the last two,
        `evaluate` has to use the `objective`, whose `value_and_residual` computes all
        three, also without torch. `fit` refuses a loss that is not listed here.
    penalizes : bool, default=False
        Class attribute. Whether `evaluate` adds the L2 penalty, as the methods of
        `objective` do. If False, `fit` refuses an L2 penalty. The loop takes care of L1
        penalties and of bounds at zero, which need nothing from a strategy.
    plain : bool, default=True
        Whether `update` moves the coefficients themselves by ``-learning_rate *
        gradient`` and does nothing else. If False, `fit` refuses
        ``learning_rate="auto"``, a `momentum`, L1 penalties and bounds, which all
        presume such a step. Read after `start`.
    sums_gradients : bool
        Whether `update` needs nothing of the last rows except `gradients`, so that
        these may be sums over parts of the rows which other processes have evaluated.
        By default it equals `plain`. If False, `fit` takes Dask collections only for
        squared error, and in mini-batches.
    parameters : tuple of arrays
        (coef,) or, if the model has an intercept, (coef, intercept), of shapes
        (n_features, n_targets) and (n_targets,). If `plain`, the loop may change these
        arrays in place (momentum, proximal steps); the next `evaluate` must use the
        changed values. For a torch tensor that requires gradients, return its
        ``detach()``.
    gradients : tuple of arrays
        Gradients of the sum of the objectives of all targets with respect to
        `parameters`, in their shapes. `evaluate` sets them, and they are valid until
        the next `evaluate`, also after `update`. If `plain`, the loop may replace them
        between the two, by the gradients of several parts of the rows together:
        `update` must use this attribute, and no private copy.
    objective : Objective
        The loss and the L2 penalty, as passed to `start`.

    See Also
    --------
    skgd.testing.check_gradient_strategy : Check a strategy against this contract.
    Objective : What a strategy descends on.

    Examples
    --------
    The derived formula (`objective.add_l2_gradient` would add an L2 penalty to it):

    >>> from skgd import GDLinearRegressor
    >>> from skgd.strategies import GradientStrategy
    >>> class ShortStrategy(GradientStrategy):
    ...     def evaluate(self, rows):
    ...         coef, *intercept = self.parameters
    ...         prediction = sum(intercept, start=rows.X @ coef)
    ...         losses, residual = self.objective.value_and_residual(
    ...             prediction, rows, coef
    ...         )
    ...         slope = 2 / len(rows.y) * residual
    ...         self.gradients = rows.X.T @ slope, *(slope.sum(0) for _ in intercept)
    ...         return losses
    ...
    ...     def update(self, learning_rate):
    ...         for parameter, gradient in zip(self.parameters, self.gradients):
    ...             parameter -= learning_rate * gradient
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
    parameters: Parameters
    gradients: Parameters
    objective: Objective

    def start(self, parameters: Parameters, objective: Objective) -> None:
        """Keep the parameters to start from, and the objective.

        The loop calls it once before each descent, also on a strategy that was used
        before.

        Parameters
        ----------
        parameters : tuple of arrays
            (coef,) or (coef, intercept), of shapes (n_features, n_targets) and
            (n_targets,). The strategy may keep these arrays and change them in place.
        objective : Objective
            The loss and the L2 penalty to descend on.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import ManualStrategy, Objective
        >>> strategy = ManualStrategy()
        >>> strategy.start((np.zeros((2, 1)), np.zeros(1)), Objective())
        >>> [parameter.shape for parameter in strategy.parameters]
        [(2, 1), (1,)]
        """
        self.parameters, self.objective = parameters, objective

    @property
    def sums_gradients(self) -> bool:
        """Whether `update` needs nothing of the last rows except `gradients`."""
        return self.plain

    def state(self) -> Any:
        """Return the state from which `resume` goes on.

        Where rows lie in several processes (Dask), a descent goes on in another
        process: there a clone of the strategy is started at zero, and resumes. If
        `plain`, the state is a copy of the parameters. Other strategies define both
        methods, and add what one step leaves to the next, such as the state of an
        optimizer.

        Returns
        -------
        state : object
            An object that can be pickled, and does not change with the next step.

        Raises
        ------
        NotImplementedError
            If not `plain`, and the subclass does not define it.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import ManualStrategy, Objective
        >>> strategy = ManualStrategy()
        >>> strategy.start((np.ones((1, 1)),), Objective())
        >>> strategy.state()
        (array([[1.]]),)
        """
        if not self.plain:
            raise NotImplementedError(
                f"{type(self).__name__} takes steps of its own, so that its parameters "
                "may not be all that a descent goes on from in another process. Let it "
                "define `state` and `resume` (without super().state()), or pass data "
                "that fit into memory."
            )
        return deepcopy(self.parameters)

    def resume(self, state: Any) -> None:
        """Go on from the state of another strategy of the same kind.

        Parameters
        ----------
        state : object
            The return value of the other strategy's `state`. This strategy was started
            with parameters of the same shapes, and the same objective.

        Raises
        ------
        NotImplementedError
            If the state is not that of this class, since the subclass defines `state`
            alone.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import ManualStrategy, Objective
        >>> strategy, other = ManualStrategy(), ManualStrategy()
        >>> strategy.start((np.ones((1, 1)),), Objective())
        >>> other.start((np.zeros((1, 1)),), Objective())
        >>> other.resume(strategy.state())
        >>> other.parameters
        (array([[1.]]),)
        """
        shapes = [parameter.shape for parameter in self.parameters]
        if [getattr(value, "shape", None) for value in state] != shapes:
            raise NotImplementedError(
                f"The state of {type(self).__name__} is not that of GradientStrategy, "
                "copies of the parameters. Let it define `resume` as well as `state`."
            )
        for parameter, value in zip(self.parameters, state, strict=True):
            parameter[...] = value

    @abstractmethod
    def evaluate(self, rows: Rows) -> Array:
        """Compute the objective and its gradients at the current parameters.

        It sets `gradients`, and leaves the parameters as they are, so that a second
        call gives the same result.

        Parameters
        ----------
        rows : Rows
            All rows, or those of a batch: a named tuple of `X`, (n_rows, n_features),
            `y`, (n_rows, n_targets), and `weight`, (n_rows,) or None. Do not write into
            them. They are not the user's rows, but standardized, or condensed to a few
            with the same gradient (see `standardize` and `precompute`). Divide by
            ``len(rows.y)``, not by the sum of the weights: the weights average one over
            all rows, but not over each batch. The methods of `objective` apply the
            weights.

            If the user's X is sparse, `X` may be a SciPy array in CSR or CSC format, or
            an object that works in ``@`` and ``.T`` as an array does: centred sparse
            rows, which are not stored as a dense array. Among tensors, such an object
            also works in ``nn.Linear``. Reverse-mode ``torch.func`` does not go through
            it: differentiate with respect to the prediction, and multiply by
            ``rows.X.T``.

        Returns
        -------
        losses : array of shape (n_targets,)
            The objective of each target, without L1 penalties.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import ManualStrategy, Objective, Rows
        >>> strategy = ManualStrategy()
        >>> strategy.start((np.ones((1, 1)),), Objective())
        >>> strategy.evaluate(Rows(np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]])))
        array([2.5])
        >>> strategy.gradients
        (array([[-5.]]),)
        """

    @abstractmethod
    def update(self, learning_rate: float | Array) -> None:
        """Take one step against `gradients`.

        Parameters
        ----------
        learning_rate : float or array of shape (n_targets,)
            The factor of the gradients: one number, or one for each target, in an array
            of the strategy's library and dtype. If `plain`, the step is
            ``-learning_rate * gradient``.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd.strategies import ManualStrategy, Objective, Rows
        >>> strategy = ManualStrategy()
        >>> strategy.start((np.ones((1, 1)),), Objective())
        >>> rows = Rows(np.array([[1.0], [2.0]]), np.array([[2.0], [4.0]]))
        >>> losses = strategy.evaluate(rows)
        >>> strategy.update(0.1)  # 1 - 0.1 * (-5)
        >>> strategy.parameters
        (array([[1.5]]),)
        """
