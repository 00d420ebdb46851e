"""Errors of skgd's own."""

from __future__ import annotations

from collections.abc import Sequence


class DivergenceError(ValueError):
    """Raised by `fit` and `partial_fit` when the descent leaves the minimum behind.

    It is raised in the epoch in which the loss stops being finite, and at the end of a
    run whose loss has risen:

    - of the full batch, above the loss at the start, by more than rounding explains
      (with a custom loss, or steps that are not plain, such as Adam's: above the loss
      of the zero model, too);
    - of mini-batches, whose steps are noisy, above 10 times the loss at the start and
      10 times the loss of the zero model (for a custom loss below zero, 9 times its
      size above it). The loss is the mean over the last epoch.

    The estimator is left as it was before the call. Being a ValueError, the error makes
    a candidate of :class:`~sklearn.model_selection.GridSearchCV` score nan, and the
    search goes on.

    Parameters
    ----------
    message : str
        What happened and what to do.
    epoch, learning_rate, largest_stable_learning_rate : default=None
        See the attributes.
    loss_curve : sequence of float, default=()
        See the attributes.

    Attributes
    ----------
    epoch : int or None
        The last epoch that was run, counted from 0. Of a loss that stopped being
        finite, it is the epoch in which that was found.
    learning_rate : float or None
        The largest learning rate of the steps taken; a `schedule` may change it from
        step to step.
    largest_stable_learning_rate : float or None
        The rate below which this descent converges: 2/L. L is the largest eigenvalue of
        the objective's Hessian (Nesterov, *Lectures on Convex Optimization*, 2018,
        section 2.1.5) or, with mini-batches, their expected smoothness (Gower et al.,
        *SGD: General Analysis and Improved Rates*, 2019), both of the rows that are
        descended on: with ``standardize=True``, the standardized ones. A constant
        momentum mu multiplies it by ``(1 + mu) / (1 + 2 mu)``. None with a custom loss,
        whose curvature is not known, and where the steps are not plain gradient steps
        on the coefficients, such as those of another optimizer.
    loss_curve : list of float
        The objective at the start of each epoch, as in `loss_curve_` of
        `GDLinearRegressor`. The last value may be inf or nan.

    See Also
    --------
    GDLinearRegressor : With ``learning_rate="auto"`` the rate is below the largest
        stable one.

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
