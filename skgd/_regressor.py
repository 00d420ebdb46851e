"""The estimator: a thin face on validation, coordinates, strategy and descent."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skgd._coordinates import (
    Coordinates,
    standardized_coordinates,
    users_coordinates,
)
from skgd._descent import Descent, Steps, descend
from skgd._moments import Moments
from skgd._objective import Objective
from skgd._placement import Placement, placement_of, to_numpy
from skgd._progress import TrainingLog
from skgd._rows import Rows
from skgd._scatter import dense_scatter
from skgd._step_size import largest_stable_learning_rate
from skgd._stopping import StoppingRule
from skgd._validation import (
    checked_rows,
    in_working_dtype,
    unchanged_on_error,
    validated_features,
    validated_rows,
    validated_start,
)
from skgd._verdict import (
    errors_noted,
    raise_if_diverged,
    raise_if_too_large,
    warn_unless_arrived,
)
from skgd.strategies import STRATEGY_NAMES, GradientStrategy, strategy_from


class GDLinearRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear regression by batch gradient descent.

    Minimises the mean squared error ``1/n |X w + b - y|^2`` (weighted by
    `sample_weight`, summed over targets) by full-batch gradient descent, where the
    gradient comes from one of three interchangeable strategies. On the same data, from
    the same start, with the same learning rate, all three walk the same iterates to
    rounding.

    Parameters
    ----------
    strategy : {"manual", "autograd", "module"} or GradientStrategy, default="manual"
        Where the gradient comes from: "manual" is the derived formula in NumPy,
        "autograd" is torch autograd on leaf tensors, "module" is ``nn.Linear``,
        ``nn.MSELoss`` and ``torch.optim.SGD``. Or an instance of a strategy, such as
        ``skgd.strategies.ModuleStrategy(optimizer=torch.optim.Adam)`` or one of your
        own.
    device : str or torch.device, default="cpu"
        "cpu", "cuda", "cuda:N", "mps", or "auto" for the first of cuda, mps (float32
        data only) and cpu that is there. The descent runs there; the fitted
        attributes and predictions are NumPy arrays on every device.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    learning_rate : float or "auto", default="auto"
        A float is the textbook: plain gradient descent on the coefficients and the
        intercept jointly, in the data's own units, unless `standardize` or `momentum`
        is asked for. "auto" is for work, and switches both on; the rate is 1/L, where
        L is the largest eigenvalue of the Hessian of the objective.
    standardize : bool or "auto", default="auto"
        Whether to descend on ``(X - mean) / scale`` and ``y - mean(y)``, where scale is
        the standard deviation; without an intercept on ``X / scale``, where it is the
        root mean square. Coefficients, intercept and the lines of `verbose` are in the
        data's units all the same. A column that does not vary about its mean keeps the
        coefficient that it started with, zero. "auto": where ``learning_rate="auto"``.
    momentum : float in [0, 1) or "auto", default="auto"
        How far each step is carried on along the last one (Nesterov's extrapolation).
        A float is constant, and 0.0 is none. "auto" is none where `learning_rate` is a
        float; where that is "auto", it is ``k / (k + 3)`` after step k = 0, 1, ...; and
        k is 0 again whenever the step went uphill, against the gradient that it was
        taken by [2]_: the number of epochs then grows with the square root only of the
        Hessian's condition number. The momentum of an optimizer of torch's is its own
        (``optimizer_params={"momentum": 0.9}``).
    precompute : bool or "auto", default="auto"
        Whether to descend on a condensed dataset instead of the rows: as many rows as
        there are features and targets, and one, that have the same moments and
        therefore the same loss, gradient and iterates, to rounding (see `Moments`). It
        is float64 (float32 on "mps"). An epoch's cost then does not depend on the
        number of samples. "auto" does so where it pays: with more than 1000 samples,
        ten times as many as there are features and targets, and at most 2000 of these.
    max_iter : int, default=1000
        Largest number of epochs. An epoch is one pass over the data and one step, but
        for the one that finds `tol` met, which takes no step.
    tol : float or None, default=1e-4
        The descent stops when, for each target, no feature correlates with the residual
        by more than `tol`, ``max_j |x_j' r| / (|x_j| |r|) <= tol``, or the target is
        met, ``|r| <= tol^2 |y|`` [1]_ (``|y - mean(y)|`` where an intercept is fitted;
        up to sqrt(eps) where rounding asks for it). Neither depends on units. At 1e-4
        the loss is good to several digits, but coefficients of correlated features only
        to a few percent; 1e-8 takes about three times the epochs. None: exactly
        `max_iter` epochs.
    warm_start : bool, default=False
        Whether `fit` goes on from the coefficients of the last fit. The state of an
        optimizer, such as its momentum, starts anew.
    verbose : int, default=0
        Print a line every so many epochs, and one at the end: epoch, loss, norm of the
        gradient and, where there is one feature, the coefficient and the intercept, in
        the data's units; those of an epoch are before its update.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, in the units and the floating dtype of the data.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0.0 where ``fit_intercept=False``.
    n_iter_ : int
        Number of epochs, ``len(loss_curve_)``.
    loss_curve_ : list of float
        ``loss_curve_[k]`` is the objective at the start of epoch k, before its update:
        the mean squared error, summed over targets. Where `tol` was met, the last one
        is that of the model. With ``standardize=True`` and an intercept, it starts from
        the mean of y, at y's variance. With momentum it is the loss at the extrapolated
        parameters, and may rise at times.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Defined only when `X` has feature names
        that are all strings.

    See Also
    --------
    sklearn.linear_model.LinearRegression : Least squares by a direct solver.
    sklearn.linear_model.SGDRegressor : One sample at a time.
    skgd.strategies.GradientStrategy : The contract for a gradient of your own.

    References
    ----------
    .. [1] C. C. Paige and M. A. Saunders, "LSQR: An algorithm for sparse linear
       equations and sparse least squares", ACM TOMS 8(1), 1982.
    .. [2] B. O'Donoghue and E. Candes, "Adaptive restart for accelerated gradient
       schemes", Foundations of Computational Mathematics 15, 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDLinearRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> round(GDLinearRegressor().fit(X, y).score(X, y), 4)
    0.5177
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "strategy": [StrOptions(set(STRATEGY_NAMES)), GradientStrategy],
        "device": "no_validation",  # asked of torch, when it is needed
        "fit_intercept": ["boolean"],
        "learning_rate": [
            StrOptions({"auto"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "standardize": ["boolean", StrOptions({"auto"})],
        "momentum": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
        "precompute": ["boolean", StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        strategy: str | GradientStrategy = "manual",
        *,
        device: Any = "cpu",
        fit_intercept: bool = True,
        learning_rate: float | str = "auto",
        standardize: bool | str = "auto",
        momentum: float | str = "auto",
        precompute: bool | str = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-4,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        self.strategy = strategy
        self.device = device
        self.fit_intercept = fit_intercept
        self.learning_rate = learning_rate
        self.standardize = standardize
        self.momentum = momentum
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose

    # A strategy's own parameters are checked by the strategy.
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
    ) -> GDLinearRegressor:
        """Fit the model by gradient descent.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training data: arrays, lists, pandas and polars frames, CPU torch tensors.
            float32 stays float32; anything else becomes float64.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; converted to the dtype of X.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights. Weight 2 equals the row twice, weight 0 the row left
            out.
        coef_init : array-like of the shape of `coef_`, default=None
            Where to start. None: at zero, or at the last fit with ``warm_start=True``.
        intercept_init : float or array-like of shape (n_targets,), default=None
            Where to start. None: at zero, or at the last fit with ``warm_start=True``;
            on standardized data, at the best intercept for the coefficients.

        Returns
        -------
        self : GDLinearRegressor
            The fitted estimator.

        Raises
        ------
        DivergenceError
            When the learning rate is too large for the data. It names the largest
            stable one.
        ValueError
            On bad input or parameters. Whatever is raised, the estimator stays as it
            was before.
        TypeError
            On sparse X.

        Warns
        -----
        ConvergenceWarning
            When `tol` was not reached in `max_iter` epochs.
        """
        with unchanged_on_error(self):
            going_on = self.warm_start and self.__sklearn_is_fitted__()
            rows, dtype, y_is_1d = validated_rows(
                self, X, y, sample_weight, reset=not going_on
            )
            strategy = strategy_from(self.strategy)
            placement = placement_of(
                self.device, dtype, needs_tensors=strategy.needs_tensors
            )
            rows, coordinates = self._prepared(rows, dtype, placement)
            start = self._validated_start(
                rows, coordinates, coef_init, intercept_init, going_on=going_on
            )

            log = TrainingLog(self.verbose, coordinates) if self.verbose else None
            stopping = self._stopping_rule(rows)
            with errors_noted(strategy), placement.gradients_on():
                coef, intercept = map(placement.put, start)
                strategy.start(coef, intercept, Objective())
                steps = self._resolve_steps(rows, strategy)
                descent = descend(
                    strategy,
                    placement.put_rows(rows),
                    steps,
                    max_iter=self.max_iter,
                    stopping=stopping,
                    report=log.epoch if log else None,
                )
                if log:
                    log.end(descent.n_epochs, sum(descent.last_losses), strategy)
                raise_if_diverged(descent, strategy, rows, steps)
                coef, intercept = map(to_numpy, (strategy.coef, strategy.intercept))
                model = coordinates.to_user(coef, intercept, dtype)
                raise_if_too_large(*model)
            self._store(descent, *model, y_is_1d=y_is_1d)
            warn_unless_arrived(descent, strategy, stopping, self._faster(strategy))
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict with the linear model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            Predictions; float32 where the model and X are.
        """
        check_is_fitted(self)
        X = validated_features(self, X)
        return X @ self.coef_.T + self.intercept_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def _prepared(
        self, rows: Rows, dtype: np.dtype, placement: Placement
    ) -> tuple[Rows, Coordinates]:
        """Condense and standardize the rows, as far as that is asked for.

        They are cast last: shifted to the origin, float32 has all its digits for the
        rest. Condensed, they are so few that float64 costs no more.
        """
        if self._pays_to_condense(rows):
            moments = Moments(*dense_scatter(*rows), n_features=rows.n_features)
            coordinates = self._choose_coordinates(moments)
            rows = Rows(*coordinates.moments(moments).condense(), weight=None)
            if placement.has_float64:
                return rows, coordinates
        else:
            rows = checked_rows(rows, dtype)
            coordinates = self._choose_coordinates(rows)
            rows = coordinates.rows(rows)
        return in_working_dtype(rows, dtype), coordinates

    def _pays_to_condense(self, rows: Rows) -> bool:
        """Decide on `precompute`.

        Below 1000 rows an epoch is all overhead; and rows have to be many more than
        columns to be worth the products of each column with each (3000 x 1000: twice
        the time).
        """
        if self.precompute != "auto":
            return bool(self.precompute)
        n_columns = rows.n_features + rows.n_targets
        return len(rows.y) > max(1000, 10 * n_columns) and n_columns <= 2000

    def _choose_coordinates(self, data: Rows | Moments) -> Coordinates:
        """Decide on `standardize`: a float learning rate is the textbook's."""
        standardize = self.standardize
        if standardize == "auto":
            standardize = isinstance(self.learning_rate, str)
        if standardize:
            return standardized_coordinates(data, fit_intercept=self.fit_intercept)
        return users_coordinates(data)

    def _validated_start(
        self,
        rows: Rows,
        coordinates: Coordinates,
        coef_init: ArrayLike | None,
        intercept_init: ArrayLike | None,
        *,
        going_on: bool,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Give the coefficients and the intercept to start from, in `coordinates`."""
        n_features, n_targets = rows.n_features, rows.n_targets
        coef = np.zeros((n_features, n_targets))
        intercept = None
        coef_name, intercept_name = "coef_init", "intercept_init"
        if going_on and coef_init is None:
            coef_name, coef_init = "coef_ (warm_start=True)", self.coef_
        if going_on and intercept_init is None and self.fit_intercept:
            intercept_name = "intercept_ (warm_start=True)"
            intercept_init = self.intercept_
        if coef_init is not None:
            shapes: list[tuple[int, ...]]
            shapes = [(n_features,)] if n_targets == 1 else []
            shapes.append((n_targets, n_features))
            values = validated_start(coef_name, coef_init, shapes)
            coef = values.reshape(n_targets, n_features).T
        if intercept_init is not None:
            values = validated_start(intercept_name, intercept_init, [(), (n_targets,)])
            if not self.fit_intercept and values.any():
                raise ValueError(
                    f"intercept_init={intercept_init!r} has no effect with "
                    "fit_intercept=False. Leave it out, or set fit_intercept=True."
                )
            intercept = np.broadcast_to(values, n_targets)
        coef, intercept = coordinates.from_user(coef, intercept)
        if intercept is None:
            intercept = np.zeros(n_targets)
        coef, intercept = (a.astype(rows.X.dtype) for a in (coef, intercept))
        return coef, intercept if self.fit_intercept else None

    def _stopping_rule(self, rows: Rows) -> StoppingRule | None:
        """Give the rule that `tol` stands for, if any."""
        if self.tol is None:
            return None
        return StoppingRule(self.tol, rows, fit_intercept=self.fit_intercept)

    def _resolve_steps(self, rows: Rows, strategy: GradientStrategy) -> Steps:
        """Give the float learning rate or 1/L, and the momentum that goes with it."""
        auto = isinstance(self.learning_rate, str)
        momentum: float | str
        if isinstance(self.momentum, str):
            momentum = "adaptive" if auto else 0.0
        else:
            momentum = float(self.momentum)
        if not strategy.plain:
            self._refuse_derived_steps(strategy)
        if not auto:
            return Steps(float(self.learning_rate), momentum)
        largest = largest_stable_learning_rate(rows, fit_intercept=self.fit_intercept)
        return Steps(largest / 2, momentum)

    def _faster(self, strategy: GradientStrategy) -> str:
        """Say what takes fewer epochs than these parameters."""
        if not strategy.plain:
            return "or try a larger learning_rate."
        if not isinstance(self.learning_rate, str):
            return "or use learning_rate='auto', which takes fewer epochs."
        if not isinstance(self.momentum, str):
            return "or use momentum='auto', which takes fewer epochs."
        if not self.standardize:
            return "or use standardize=True, which takes fewer epochs."
        return (
            "or, where columns are nearly collinear, use a direct solver such as "
            "sklearn.linear_model.LinearRegression."
        )

    def _refuse_derived_steps(self, strategy: GradientStrategy) -> None:
        """Raise where parameters presume plain gradient steps."""
        if isinstance(self.learning_rate, str):
            raise ValueError(
                "learning_rate='auto' is derived for plain gradient steps on the "
                f"coefficients, and {strategy!r} takes others. Pass a float; several "
                "powers of ten in a GridSearchCV find one that fits."
            )
        if not isinstance(self.momentum, str) and self.momentum != 0:
            raise ValueError(
                f"momentum={self.momentum!r} extrapolates plain gradient steps on the "
                f"coefficients, and {strategy!r} takes others. Leave it at 'auto', and "
                "give the optimizer a momentum of its own: "
                "ModuleStrategy(optimizer_params={'momentum': 0.9})."
            )

    def _store(
        self,
        descent: Descent,
        coef: np.ndarray,
        intercept: np.ndarray | None,
        *,
        y_is_1d: bool,
    ) -> None:
        """Set the fitted attributes, shaped as y was."""
        self.coef_ = coef[:, 0].copy() if y_is_1d else coef.T.copy()
        self.intercept_: Any = 0.0
        if intercept is not None:
            self.intercept_ = intercept[0] if y_is_1d else intercept
        self.loss_curve_ = descent.loss_curve
        self.n_iter_ = descent.n_epochs
