"""The contract between the descent loop and a gradient strategy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from skgd._objective import Objective


class GradientStrategy(BaseEstimator, ABC):
    """How the loss, its gradient and the step along it are computed.

    A strategy holds the parameters of the linear model during a descent. The loop
    starts it once, and then asks it, epoch by epoch, to evaluate the objective and to
    take a step. A strategy of your own is a subclass with the three methods below;
    :func:`skgd.testing.check_gradient_strategy` tells whether it keeps the contract.

    Being a :class:`~sklearn.base.BaseEstimator`, a strategy is a bag of
    hyper-parameters until it is started: `__init__` stores its arguments and does
    nothing else, so that it can be cloned and searched over (``strategy__...``). `fit`
    works on a clone.

    Attributes
    ----------
    needs_tensors : bool, default=False
        Class attribute. True: all arrays are torch tensors, on every device. False:
        NumPy arrays when the estimator's `device` is "cpu", torch tensors on other
        devices. float32 or float64, the same for all arrays of a descent.
    losses : tuple of str, default=("squared_error",)
        Class attribute. The losses that `evaluate` can differentiate: "squared_error",
        "huber", which it needs `objective.loss` for, and "custom", those of the user's
        own, of which only ``objective.loss.value`` is there, on tensors.
    penalizes : bool, default=False
        Class attribute. Whether `evaluate` adds the squares of the coefficients,
        ``(objective.l2 * coef**2).sum(0)``, where ``objective.l2`` is not None. `fit`
        refuses what a strategy does not declare; L1 penalties and bounds at zero are
        the loop's, and need nothing of it.
    plain : bool, default=True
        Whether `update` moves the coefficients themselves by ``-learning_rate *
        gradient`` and nothing else. Only then ``learning_rate="auto"``, which is
        derived for that step, is accepted. Read after `start`.
    coef : array of shape (n_features, n_targets)
        Current coefficients, live: where `plain`, what the loop writes into them in
        place, as momentum does, is where the next `evaluate` takes place. A torch
        tensor that requires gradients is shown as its ``detach()``.
    intercept : array of shape (n_targets,) or None
        Current intercept, live in the same way; None where there is none to fit.
    gradients : tuple of (array, array or None)
        Gradients of the sum of the objectives at the last evaluated parameters, shaped
        as `coef` and `intercept`. Valid after `evaluate` and until the next one, also
        after `update`.

    See Also
    --------
    skgd.testing.check_gradient_strategy : Check a strategy against this contract.

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

        Called once before each descent, also on a strategy that has been used.

        Parameters
        ----------
        coef : array of shape (n_features, n_targets)
            Where to start. Yours to keep and to move in place.
        intercept : array of shape (n_targets,) or None
            Where to start, yours as well. None: the model has no intercept.
        objective : Objective
            What to descend on. ``objective.loss.value(prediction, y)`` is the loss
            element by element, for NumPy and torch alike;
            ``objective.loss.value_and_influence(prediction, y)`` gives half its
            derivative as well, and may overwrite `prediction`;
            ``objective.loss.criterion(reduction)`` is the same as a torch criterion.
            ``objective.l2``, of shape (n_features, 1), weighs the squares of the
            coefficients; None where they are not penalised.
        """

    @abstractmethod
    def evaluate(self, X: Any, y: Any, weight: Any) -> Any:
        """Evaluate the objective at the current parameters, and make `gradients` ready.

        The parameters stay where they are, so that evaluating twice gives the same.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
            Rows, not to be written into: all of them, or those of a batch. Where the
            user's are sparse, a SciPy ``csr_array``; among tensors, an object that
            works in ``@``, ``.T`` and ``nn.Linear`` as a tensor does.
        y : array of shape (n_rows, n_targets)
            Targets, not to be written into; two-dimensional also for one target.
        weight : array of shape (n_rows,) or None
            Weights that average one over the data, but not over each batch: the
            objective is the mean of ``weight * loss`` over the rows, and the squares
            of the coefficients. None: ones.

        Returns
        -------
        losses : array of shape (n_targets,)
            The objective of each target.
        """

    @abstractmethod
    def update(self, learning_rate: float) -> None:
        """Take one step along the gradients of the last `evaluate`.

        Parameters
        ----------
        learning_rate : float
            Length of the step in units of the gradient.
        """
