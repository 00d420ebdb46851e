"""Errors of skgd's own."""

from __future__ import annotations

from collections.abc import Sequence


class DivergenceError(ValueError):
    """Raised by `fit` when the descent moves away from the minimum.

    It is raised as soon as the loss is not finite, and when a run ends above the loss
    where it began. The estimator is left as it was before `fit`. Being a ValueError, it
    makes a candidate of :class:`~sklearn.model_selection.GridSearchCV` score nan, and
    the search goes on.

    Parameters
    ----------
    message : str
        What happened and what to do.
    epoch : int
        The epoch, counted from 0, in which the divergence was found.
    learning_rate : float
        The learning rate that was used.
    largest_stable_learning_rate : float or None
        The rate below which this descent converges: 2/L, L being the largest eigenvalue
        of the objective's Hessian (Nesterov, *Lectures on Convex Optimization*, 2018,
        section 2.1.5) on the rows as they are descended on, which are standardized with
        ``standardize=True``; with a constant momentum mu, ``(1 + mu) / (1 + 2 mu)`` of
        that. None where the steps are not plain gradient steps on the coefficients, as
        with another optimizer.
    loss_curve : list of float
        The objective at the start of each epoch, as in `loss_curve_`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgd import DivergenceError, GDLinearRegressor
    >>> X, y = np.array([[1.0], [2.0], [3.0]]), np.array([2.0, 4.0, 6.0])
    >>> try:
    ...     GDLinearRegressor(learning_rate=1.0, fit_intercept=False).fit(X, y)
    ... except DivergenceError as error:
    ...     print(f"{error.largest_stable_learning_rate:.4f}")
    ...     print([round(loss) for loss in error.loss_curve[:3]])
    0.2143
    [19, 1296, 90021]
    """

    def __init__(
        self,
        message: str,
        *,
        epoch: int | None = None,
        learning_rate: float | None = None,
        largest_stable_learning_rate: float | None = None,
        loss_curve: Sequence[float] = (),
    ) -> None:
        super().__init__(message)
        self.epoch = epoch
        self.learning_rate = learning_rate
        self.largest_stable_learning_rate = largest_stable_learning_rate
        self.loss_curve = list(loss_curve)
