"""The estimator: a thin face on validation, coordinates, strategy and descent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skgd._losses import LOSS_NAMES
from skgd._partial_fit import descend_on_all, merges_moments, take_an_epoch
from skgd._preparation import prepared
from skgd._run import Run, run, setting_of
from skgd._schedule import SCHEDULE_NAMES
from skgd._validation import (
    check_targets,
    parameters_to_start_from,
    unchanged_on_error,
    validated_features,
    validated_rows,
)
from skgd.strategies import GradientStrategy
from skgd.strategies._registry import STRATEGY_NAMES


def _sees_every_row(params: GDLinearRegressor) -> bool:
    """Let a stream go on only where nothing is held out."""
    if params.early_stopping:
        raise AttributeError(
            "partial_fit does not support early_stopping=True: it sees no more of the "
            "data than a chunk to hold rows out of. Set early_stopping=False, and "
            "score rows of your own between the calls."
        )
    return True


#: Fitted attributes that not every fit sets.
_OF_SOME_FITS = "moments_", "validation_scores_", "best_validation_score_", "_stream"


class GDLinearRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Linear regression by batch or mini-batch gradient descent.

    Minimises the mean of a loss over the rows, and a penalty on the coefficients ::

        mean_i loss(x_i w + b, y_i)
            + alpha (1 - l1_ratio) |w|^2  +  2 alpha l1_ratio |w|_1

    (weighted by `sample_weight`, summed over targets) by gradient descent on all rows
    or a batch of them at a time, where the gradient comes from one of three
    interchangeable strategies. On the same data, from the same start, with the same
    learning rate, all three walk the same iterates to rounding. The loss is the squared
    error ``(x w + b - y)^2`` unless another is asked for. With it, the objective is
    twice that of :class:`~sklearn.linear_model.ElasticNet`, and the minimum that of the
    same `alpha` and `l1_ratio`; for ``l1_ratio=0`` also that of
    ``Ridge(alpha * n_samples)``.

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
    loss : {"squared_error", "huber"}, torch.nn.Module or callable, \
            default="squared_error"
        "huber" is squared error up to residuals of `epsilon`, and linear beyond, so
        that outliers do not draw the model after them [4]_. Or a torch criterion, built
        or its class (we see to ``reduction="none"``), or a function ``(prediction,
        target) -> loss`` of each element, of tensors of shape (n_rows, n_targets):
        weights and the mean are the estimator's. Such a loss is differentiated by
        torch: it needs ``strategy="autograd"`` or ``"module"``, and a float
        `learning_rate`. Where it has kinks, as the pinball loss, `tol` may never be met
        (``tol=None``). To search or pickle, use a named function.
    epsilon : float, default=0.1
        From what size on a residual is an outlier, in the units of y: for
        ``loss="huber"``, as in SGDRegressor. Far below the size of most residuals the
        loss is nearly their absolute value, and takes many epochs.
    alpha : float, default=0.0
        Weight of the penalty on the coefficients, in the data's units; 0.0 is none. The
        intercept is not penalised. It adds to the mean of whichever loss: only for
        squared error is it ElasticNet's.
    l1_ratio : float in [0, 1], default=0.0
        Share of the L1 penalty: 0.0 is ridge, 1.0 the lasso (ElasticNet's default is
        0.5). L1 is seen to by a
        proximal step after each gradient step [5]_: coefficients are exactly 0.0 where
        they are to be, and the steps have to be plain ones (no Adam, no stacked
        layers). Mini-batches end by one such step over all rows where
        ``learning_rate="auto"``; by themselves, in `partial_fit` and averaged, they
        leave many coefficients near zero only. L2 is part of the loss that the strategy
        differentiates.
    positive : bool, default=False
        Whether coefficients are to be nonnegative, likewise by a proximal step: a
        projection.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    learning_rate : float or "auto", default="auto"
        A float is the textbook: plain gradient descent on the coefficients and the
        intercept jointly, in the data's own units, unless `standardize` or `momentum`
        is asked for. "auto" is for work. For the full batch it switches both on, and
        the rate is 1/L, where L is the largest eigenvalue of the Hessian of the
        objective (of Huber's loss, the largest anywhere). For mini-batches it switches
        on `standardize` and an adaptive `schedule`; the rate is 1/(2 L_b), where L_b is
        the expected smoothness of batches of that size [3]_, times one minus a
        `momentum` of your own.
    standardize : bool or "auto", default="auto"
        Whether to descend on ``(X - mean) / scale`` and ``y - mean(y)``, where scale is
        the standard deviation; without an intercept on ``X / scale``, where it is the
        root mean square. With an L2 penalty its square is added to by ``alpha * (1 -
        l1_ratio)``, which makes the objective's curvature along each coefficient the
        same. For Huber's loss y is shifted by its median. Sparse X that is not
        condensed is scaled by that, too, but not centred, which would fill it.
        Coefficients, intercept and the lines of `verbose` are in the data's units all
        the same, and so is the penalty. A column that does not vary about its mean
        keeps the coefficient that it started with, zero, or where it is penalised goes
        to zero. "auto": where ``learning_rate="auto"``.
    momentum : float in [0, 1) or "auto", default="auto"
        How far each step is carried on along the last one (Nesterov's extrapolation).
        A float is constant, and 0.0 is none. "auto" is none where `learning_rate` is a
        float; where that is "auto", it is ``k / (k + 3)`` after step k = 0, 1, ...; and
        k is 0 again whenever the step went uphill, against the gradient that it was
        taken by [2]_: the number of epochs then grows with the square root only of the
        Hessian's condition number. For mini-batches, whose noise it would amplify,
        "auto" is none. The momentum of an optimizer of torch's is its own
        (``optimizer_params={"momentum": 0.9}``).
    batch_size : int, float or None, default=None
        Rows a step. None: all of them, the full batch, for which least squares need not
        see the rows more than once (`precompute`), so that it is the faster way to the
        answer. A float is a fraction of the rows. An epoch goes through all of them;
        the last batch may be shorter, and then weighs as much less. Rows are gathered,
        and standardized, a batch at a time: there is no copy of X. More rows than there
        are: the full batch, with a UserWarning.
    shuffle : bool, default=True
        Whether each epoch goes through the rows in a fresh order.
    random_state : int, RandomState instance or None, default=None
        Draws the orders, and the rows held out by `early_stopping`. Pass an int for the
        same results each time.
    schedule : {"auto", "constant", "invscaling", "adaptive"} or callable, \
            default="auto"
        How the learning rate goes on from step to step. "invscaling" divides it by
        ``t**power_t`` at the t-th step. "adaptive" divides it by 5 at a plateau, when
        `n_iter_no_change` epochs in a row have not improved by `tol` (None: at all) on
        the best loss, as a share of it, or on the best validation score; and a plateau
        no better than the one before ends the descent. A callable gets the number of
        the step, from 0 on, and gives what the learning rate is multiplied by. A step
        is a batch; in the full batch, an epoch. "auto" is "adaptive" where
        ``learning_rate="auto"`` and there are mini-batches ("invscaling" in
        `partial_fit`), and otherwise "constant".
    power_t : float, default=0.25
        Exponent of "invscaling".
    average : bool or int, default=False
        Whether the model is the average of the coefficients after each step (Polyak
        and Ruppert). An int: averaging begins when that many rows have been seen. A
        full batch that meets `tol` is where it meets it, all the same.
    precompute : bool or "auto", default="auto"
        Whether to descend on a condensed dataset instead of the rows: as many rows as
        there are features and targets, and one, that have the same moments and
        therefore the same squared error, gradient and iterates, to rounding (see
        `Moments`). It
        is float64 (float32 on "mps"). An epoch's cost then does not depend on the
        number of samples. "auto" does so where it pays: for the full batch, with more
        than 1000 samples, ten times as many as there are features and targets, and at
        most 2000 of these; where X is sparse, if it holds no fewer numbers than the
        condensed rows would. True with mini-batches or another loss is an error.
    max_iter : int, default=1000
        Largest number of epochs. An epoch is one pass over the data, with a step for
        each batch; the one that finds `tol` met takes none, but for a proximal step.
    tol : float or None, default=1e-4
        The descent stops when, for each target, no feature correlates with the residual
        by more than `tol`, ``max_j |x_j' r| / (|x_j| |r|) <= tol``, or the target is
        met, ``|r| <= tol^2 |y|`` [1]_ (``|y - mean(y)|`` where an intercept is fitted;
        up to sqrt(eps) where rounding asks for it). Neither depends on units. With
        another loss, r is half its derivative; an L2 penalty counts as a row more for
        each feature; with L1 or a bound, what is left of ``x_j' r`` is what the
        proximal step leaves of it; and a penalised target is not met. At 1e-4
        the loss is good to several digits, but coefficients of correlated features only
        to a few percent; 1e-8 takes about three times the epochs. Mini-batches stop
        when `n_iter_no_change` epochs in a row have not improved on the best loss, of
        any target, by this share of it. None: exactly `max_iter` epochs.
    early_stopping : bool, default=False
        Whether to hold out rows, drawn at random, and to stop when `n_iter_no_change`
        epochs in a row have not improved the score (R^2) on them by `tol`. The model is
        that of the best score. The full batch stops by the rules of `tol` as well.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows to hold out; at least two are.
    n_iter_no_change : int, default=5
        How many epochs without improvement are a plateau.
    warm_start : bool, default=False
        Whether `fit` goes on from the coefficients of the last fit. The state of an
        optimizer, such as its momentum, starts anew.
    verbose : int, default=0
        Print a line every so many epochs, and one at the end: epoch, loss, norm of the
        gradient (of the full batch), score (with `early_stopping`) and, where there is
        one feature, the coefficient and the intercept, in the data's units; those of an
        epoch are before its update, or the last one of its mini-batches.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,) or (n_targets, n_features)
        Coefficients, in the units and the floating dtype of the data.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept; 0.0 where ``fit_intercept=False``.
    n_iter_ : int
        Number of epochs run, ``len(loss_curve_)``; with `early_stopping` the model may
        be that of an earlier one.
    loss_curve_ : list of float
        ``loss_curve_[k]`` is the whole objective at the start of epoch k, before its
        update, summed over targets. Of mini-batches it is the mean over
        those of the epoch, each before its update. Where `tol` was met by the full
        batch, the last one is that of the model (before the last proximal step, if
        there are such). With ``standardize=True`` and an
        intercept, it starts from the mean of y, at y's variance. With momentum it is
        the loss at the extrapolated parameters, and may rise at times.
    validation_scores_ : list of float
        ``validation_scores_[k]`` is the score on the rows held out, after epoch k.
        Defined only with ``early_stopping=True``.
    best_validation_score_ : float
        The largest of them, which is that of the model.
    moments_ : Moments
        Of all rows that the model is from, also those of earlier calls of
        `partial_fit`, which goes on from them. Defined only for the full batch without
        early stopping, where the rows were condensed or have at most 100 columns (and
        ``precompute`` is not False), and the loss is squared error.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Defined only when `X` has feature names
        that are all strings.

    See Also
    --------
    sklearn.linear_model.LinearRegression : Least squares by a direct solver.
    sklearn.linear_model.SGDRegressor : One sample at a time.
    sklearn.linear_model.ElasticNet : The same penalties, by coordinate descent.
    sklearn.linear_model.HuberRegressor : Huber's loss with a scale that is fitted.
    Moments : What `partial_fit` adds up.
    skgd.strategies.GradientStrategy : The contract for a gradient of your own.

    References
    ----------
    .. [1] C. C. Paige and M. A. Saunders, "LSQR: An algorithm for sparse linear
       equations and sparse least squares", ACM TOMS 8(1), 1982.
    .. [2] B. O'Donoghue and E. Candes, "Adaptive restart for accelerated gradient
       schemes", Foundations of Computational Mathematics 15, 2015.
    .. [3] R. M. Gower, N. Loizou, X. Qian, A. Sailanbayev, E. Shulgin and P. Richtarik,
       "SGD: General analysis and improved rates", ICML 2019.
    .. [4] P. J. Huber, "Robust estimation of a location parameter", Annals of
       Mathematical Statistics 35(1), 1964.
    .. [5] A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm
       for linear inverse problems", SIAM Journal on Imaging Sciences 2(1), 2009.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skgd import GDLinearRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> round(GDLinearRegressor().fit(X, y).score(X, y), 4)
    0.5177
    >>> lasso = GDLinearRegressor(alpha=2.0, l1_ratio=1.0).fit(X, y)
    >>> lasso.feature_names_in_[lasso.coef_ == 0]
    array(['age', 's4'], dtype=object)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "strategy": [StrOptions(set(STRATEGY_NAMES)), GradientStrategy],
        "device": "no_validation",  # asked of torch, when it is needed
        "loss": [StrOptions(set(LOSS_NAMES)), callable],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "positive": ["boolean"],
        "fit_intercept": ["boolean"],
        "learning_rate": [
            StrOptions({"auto"}),
            Interval(Real, 0, None, closed="neither"),
        ],
        "schedule": [StrOptions({"auto", *SCHEDULE_NAMES}), callable],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "average": ["boolean", Interval(Integral, 0, None, closed="left")],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="right"),
            None,
        ],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "standardize": ["boolean", StrOptions({"auto"})],
        "momentum": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
        "precompute": ["boolean", StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        strategy: str | GradientStrategy = "manual",
        *,
        device: Any = "cpu",
        loss: str | Callable[..., Any] = "squared_error",
        epsilon: float = 0.1,
        alpha: float = 0.0,
        l1_ratio: float = 0.0,
        positive: bool = False,
        fit_intercept: bool = True,
        learning_rate: float | str = "auto",
        standardize: bool | str = "auto",
        momentum: float | str = "auto",
        batch_size: float | None = None,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        schedule: str | Callable[[int], float] = "auto",
        power_t: float = 0.25,
        average: bool | int = False,
        precompute: bool | str = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-4,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        warm_start: bool = False,
        verbose: int = 0,
    ) -> None:
        self.strategy = strategy
        self.device = device
        self.loss = loss
        self.epsilon = epsilon
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.learning_rate = learning_rate
        self.standardize = standardize
        self.momentum = momentum
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.random_state = random_state
        self.schedule = schedule
        self.power_t = power_t
        self.average = average
        self.precompute = precompute
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
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
        X : {array-like, sparse matrix or array} of shape (n_samples, n_features)
            Training data: arrays, memory maps, lists, pandas and polars frames, CPU
            torch tensors, SciPy's sparse matrices of all layouts (CSR is read as it is,
            CSC where it is condensed; others are converted). Sparse X is never made
            dense, whichever the strategy. float32 stays float32; anything else becomes
            float64.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets; converted to the dtype of X.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights. Weight 2 equals the row twice, weight 0 the row left
            out. In mini-batches a row of weight 2 is one row all the same, whose
            gradient counts twice: the minimum is that of the row twice, but not the
            way there. Nor are the rows the same that `early_stopping` holds out.
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

        Warns
        -----
        ConvergenceWarning
            When `tol` was not reached in `max_iter` epochs, or when mini-batches, or
            an adaptive schedule, came to a plateau far from the answer.
        UserWarning
            When `batch_size` is larger than the number of rows.
        """
        with unchanged_on_error(self):
            going_on = self.warm_start and self.__sklearn_is_fitted__()
            rows, dtype, y_is_1d = validated_rows(
                self, X, y, sample_weight, reset=not going_on
            )
            setting = setting_of(self, dtype, y_is_1d)
            random_state = check_random_state(self.random_state)
            with setting.placement.gradients_on():  # tensors are made here
                ready = prepared(
                    rows, dtype, setting.placement, setting.plan, random_state
                )
            start = parameters_to_start_from(
                self, rows, coef_init, intercept_init, going_on=going_on
            )
            done = run(self, ready, setting, start)
            self._store(done, y_is_1d)
            if ready.validation is not None:
                self.validation_scores_ = ready.validation.scores
                self.best_validation_score_ = max(ready.validation.scores)
            if ready.moments is not None:
                self.moments_ = replace(ready.moments, y_is_1d=y_is_1d)
            done.warn_unless_arrived()
        return self

    @available_if(_sees_every_row)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> GDLinearRegressor:
        """Go on with one more chunk of a stream of rows.

        For the full batch (``batch_size=None``), the chunk's `Moments` are merged into
        those of all rows before, and the descent goes on over all that was seen, from
        where it stands, up to `tol`: after the last chunk the model is that of one
        `fit` on everything, however the rows were split. Memory does not grow.

        With a `batch_size`, with another loss than squared error, or where the scatter
        of the columns does not fit (more than 2000 of them, or ``precompute=False``),
        it is one epoch over the chunk, as that
        of :class:`~sklearn.linear_model.SGDRegressor`: learning rate schedule, average
        and random order go on from call to call; a chunk shorter than `batch_size` is
        one batch, which weighs as much less; means and scales for `standardize` are
        those of the rows so far; the automatic learning rate is the least so far, and
        its schedule is "invscaling".

        Parameters
        ----------
        X : {array-like, sparse matrix or array} of shape (n_samples, n_features)
            The chunk's rows.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Nonnegative weights; what counts is how they compare with those of the other
            chunks.

        Returns
        -------
        self : GDLinearRegressor
            The estimator. `loss_curve_` and `n_iter_` are those of this call, and the
            dtype of `coef_` is that of its X.

        Raises
        ------
        ValueError
            On bad input, on other features or targets than before, and where the model
            comes from a `fit` whose moments are not known. The model, and what it knows
            of earlier chunks, then stay as they were.
        AttributeError
            With ``early_stopping=True``.
        DivergenceError
            As `fit`; of a step a chunk, only overflow tells.

        Warns
        -----
        ConvergenceWarning
            For the full batch, as `fit`.

        Notes
        -----
        The state of an optimizer, as of Adam's, starts anew with each chunk.

        Examples
        --------
        >>> import numpy as np
        >>> from skgd import GDLinearRegressor
        >>> rng = np.random.default_rng(0)
        >>> X = rng.standard_normal((5000, 3))
        >>> y = X @ [1.0, 2.0, 3.0] + rng.standard_normal(5000)
        >>> whole, model = GDLinearRegressor().fit(X, y), GDLinearRegressor()
        >>> for first in range(0, 5000, 500):
        ...     chunk = slice(first, first + 500)
        ...     model = model.partial_fit(X[chunk], y[chunk])
        >>> bool(np.allclose(model.coef_, whole.coef_, rtol=1e-3))
        True
        """
        with unchanged_on_error(self):
            going_on = self.__sklearn_is_fitted__()
            rows, dtype, y_is_1d = validated_rows(
                self, X, y, sample_weight, reset=not going_on
            )
            if going_on:
                check_targets(self, rows, y_is_1d)
            setting = setting_of(self, dtype, y_is_1d)
            if merges_moments(self, rows, setting):
                done, moments = descend_on_all(self, rows, setting, going_on=going_on)
                self._store(done, y_is_1d)
                self.moments_ = moments
                done.warn_unless_arrived()
            else:
                done, stream = take_an_epoch(self, rows, setting, going_on=going_on)
                self._store(done, y_is_1d)
                self._stream = stream
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict with the linear model.

        Parameters
        ----------
        X : {array-like, sparse matrix or array} of shape (n_samples, n_features)
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _store(self, done: Run, y_is_1d: bool) -> None:
        """Set the fitted attributes, shaped as y was; drop those of some fits only."""
        for name in _OF_SOME_FITS:
            self.__dict__.pop(name, None)
        coef, intercept = done.model
        self.coef_ = coef[:, 0].copy() if y_is_1d else coef.T.copy()
        self.intercept_: Any = 0.0
        if intercept is not None:
            self.intercept_ = intercept[0] if y_is_1d else intercept
        self.loss_curve_ = done.descent.loss_curve
        self.n_iter_ = done.descent.n_epochs
