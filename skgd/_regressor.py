"""The estimator: its parameters, and a thin face on the modules that do the work.

A fit goes ``X, y, sample_weight -> validated (_data) -> a problem (_preparation, or of
Dask's collections _partitioned) -> descended (_fit, _descent) -> a model in the user's
units``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextlib import closing
from dataclasses import replace
from functools import cache, lru_cache
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.metrics import get_scorer_names
from sklearn.utils._param_validation import (
    Interval,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import check_is_fitted

from skgd._convergence import Fitted
from skgd._data.array_api import on_devices, origin_of, without_devices
from skgd._data.containers import readable
from skgd._data.dask_collections import (
    Collection,
    is_collection,
    refuse_beside_rows_in_memory,
    refuse_collections,
)
from skgd._data.partitions import Partitions, validated_data
from skgd._data.user_input import (
    check_targets,
    fitting,
    shaped_as_targets,
    start_of,
    validated_validation_rows,
)
from skgd._descent.steps import SCHEDULE_NAMES
from skgd._fit import fit
from skgd._objective.losses import LOSS_NAMES
from skgd._observers import FitTask, begin_fit_task
from skgd._partitioned import problem_of_data
from skgd._predictions import predict_here, predict_lazily, score_where_it_lies
from skgd._settings import settings_of
from skgd._stream import (
    merge_and_fit,
    merges_moments,
    step_over_chunk,
    step_over_partitions,
)
from skgd._typing import ArrayLike, Matrix, SparseLike, _fit_context, available_if
from skgd.strategies import GradientStrategy
from skgd.strategies._registry import STRATEGY_NAMES

if TYPE_CHECKING:
    from typing import Self

    import torch
    from sklearn.utils import Tags

    from skgd._data.array_api import Origin
    from skgd._data.rows import Rows
    from skgd._descent.problem import Problem
    from skgd._settings import Settings
    from skgd._typing import NumpyParameters


def _check_partial_fit_available(estimator: GDLinearRegressor) -> bool:
    """Raise if early_stopping is set: a chunk is too little to hold rows out of."""
    if estimator.early_stopping:
        raise AttributeError(
            "partial_fit does not support early_stopping=True: it sees no more of the "
            "data than a chunk to hold rows out of. Set early_stopping=False, and "
            "score rows of your own between the calls."
        )
    return True


#: Types of parameters whose validity cannot change.
_IMMUTABLE = {str, int, float, bool, type(None), np.float64}

#: Fitted attributes that not every fit sets.
_OF_SOME_FITS = "moments_", "validation_scores_", "best_validation_score_", "_stream"


def _stepped_over_chunk(
    estimator: GDLinearRegressor, *chunk: Matrix
) -> GDLinearRegressor:
    """Return an estimator, whatever its class, once it has stepped over a chunk."""
    return GDLinearRegressor.partial_fit(estimator, *chunk)


class GDLinearRegressor(
    CallbackSupportMixin, MultiOutputMixin, RegressorMixin, BaseEstimator
):
    """Linear regression by batch or mini-batch gradient descent.

    The model minimises the mean of a loss over the rows, plus a penalty on the
    coefficients ::

        mean_i loss(x_i w + b, y_i)
            + alpha (1 - l1_ratio) |w|^2  +  2 alpha l1_ratio |w|_1

    The mean is weighted by `sample_weight`, and the objectives of several targets are
    summed up. Each gradient step uses all rows, or a batch of them. The gradient comes
    from one of three interchangeable strategies: given the same data, start and
    learning rate, all three have the same iterates to rounding.

    The default loss is the squared error ``(x w + b - y)^2``. With it, the objective is
    twice that of :class:`~sklearn.linear_model.ElasticNet`, and has the same minimum
    for the same `alpha` and `l1_ratio`. For ``l1_ratio=0`` that is also the minimum of
    ``Ridge(alpha * n_samples)``.

    Parameters
    ----------
    strategy : {"manual", "autograd", "module"} or GradientStrategy, default="manual"
        How the gradient is computed. "manual" uses the derived formula in NumPy (in
        torch on a device other than the CPU), "autograd" uses torch autograd on leaf
        tensors, and "module" uses ``nn.Linear``, ``nn.MSELoss`` and
        ``torch.optim.SGD``. An instance of a strategy is also accepted, such as
        ``skgd.strategies.ModuleStrategy(optimizer=torch.optim.Adam)`` or one of your
        own. Once torch has computed in several threads, it hangs in forked child
        processes, with or without this library: start processes by "spawn", or by loky,
        which is joblib's default.
    device : str, torch.device or None, default=None
        Where the descent runs. With None, rows are descended on where they lie, which
        is the CPU except for tensors under scikit-learn's array API dispatch (see
        Notes), and condensed rows on the CPU. "auto" does the same for these tensors;
        for X on the CPU, it takes the first of cuda, mps (float32 data only) and cpu
        that is available. With "cpu", "cuda", "cuda:N" or "mps" the descent runs there:
        the condensed rows, or all of X where nothing is condensed, are copied from the
        CPU to that device. Tensors on a device other than the one named raise a
        ValueError. "mps" takes no sparse X, and has not been tested on a machine that
        has it.
    loss : {"squared_error", "huber"}, torch.nn.Module or callable, \
            default="squared_error"
        The loss of a prediction. "huber" is the squared error for residuals up to
        `epsilon`, and linear beyond, so that outliers have less influence on the model
        [4]_. A loss of your own is a torch criterion (an instance or its class, used
        with ``reduction="none"``), or a function ``(prediction, target) -> loss`` that
        maps tensors of shape (n_rows, n_targets) to the loss of each element; the
        estimator applies the weights and the mean over rows. Torch differentiates such
        a loss: it needs ``strategy="autograd"`` or ``"module"`` (or one of your own
        that declares it), and a float `learning_rate`. To check `tol`, its derivative
        is computed once more in each epoch. If the loss has kinks, as the pinball loss
        has, `tol` may never be met: use ``tol=None``. To search in parallel or to
        pickle, use a named function.
    epsilon : float, default=0.1
        For ``loss="huber"``: the size, in the units of y, above which a residual counts
        as an outlier, as in SGDRegressor. If it is far below the size of most
        residuals, the loss is nearly their absolute value and takes more epochs: on the
        wine data of scikit-learn, in raw units with proline as y, 256 epochs with the
        default, and 21 with a tenth of the standard deviation of y.
    alpha : float or array-like of shape (n_targets,), default=0.0
        Weight of the penalty on the coefficients, in the data's units; 0.0 is no
        penalty. The intercept is not penalised. The penalty is added to the mean of the
        loss, whatever the loss; the objective is comparable to ElasticNet's only for
        squared error. An array holds the weight of each target, which gets the model
        that it would get alone. Where the weights differ by orders of magnitude, a
        descent with L1, `positive`, Huber's loss or mini-batches takes more epochs than
        each target would take alone.
    l1_ratio : float in [0, 1], default=0.0
        Share of the L1 penalty: 0.0 is ridge, 1.0 is the lasso (ElasticNet's default is
        0.5). With L1, each gradient step is followed by soft thresholding, the proximal
        step of L1 [5]_, which sets coefficients to exactly 0.0; gradient steps then
        have to be plain ones (no Adam, no stacked layers). Mini-batches with
        ``learning_rate="auto"`` end with one such step over all rows. With a float
        rate, `average`, `early_stopping` or `partial_fit` they do not, and many
        coefficients that would be zero are only near it. L2 is part of what the
        strategy differentiates. With a penalty and ``l1_ratio=1``,
        :class:`~sklearn.feature_selection.SelectFromModel` selects the coefficients
        that are not zero, as it does for the lasso. With a smaller `l1_ratio`, as for
        ElasticNet, and for `positive` without a penalty, its threshold is the mean
        absolute coefficient: pass ``threshold=1e-5``.
    positive : bool, default=False
        Whether to keep all coefficients at zero or above. After each gradient step,
        which has to be a plain one (no Adam, no stacked layers), negative coefficients
        are set to zero.
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    learning_rate : float, array-like of shape (n_targets,) or "auto", default="auto"
        A float is textbook gradient descent: plain steps on the coefficients and the
        intercept jointly, in the data's own units, unless you set `standardize`,
        `whiten` or `momentum`. "auto" chooses what converges fast.

        For the full batch, "auto" switches on `standardize`, `whiten` and `momentum`,
        and the rate is 1/L, where L is the largest eigenvalue of the objective's
        Hessian. With more than 500 features, or more features than rows, L is an
        estimate that is accurate to some percent. The Hessian of Huber's loss is
        largest where all residuals are within `epsilon`, and L is taken there; where
        fewer are, steps are longer than 1/L (see `momentum`). For mini-batches, "auto"
        switches on `standardize`, `whiten` and an adaptive `schedule`, and the rate is
        1/(2 L_b), where L_b is the expected smoothness of batches of that size [3]_; if
        `momentum` is a float, the rate is multiplied by ``1 - momentum``. Where the
        rows are not condensed (see `precompute`), "auto" makes one white or
        standardized copy of X for the full batch.

        An array holds a float for each target, which takes the steps that it would take
        alone (except with several `alpha` on standardized columns, which then share a
        scale). The steps have to be plain gradient steps (no Adam, no stacked layers).
    standardize : bool or "auto", default="auto"
        Whether to descend on ``(X - mean) / scale`` and ``y - mean(y)``, where scale is
        the standard deviation. Without an intercept, the descent is on ``X / scale``
        and y, where scale is the root mean square. Sparse X in mini-batches is not
        centred either, unless it is whitened, but y is if there is an intercept. A
        sparse column that has a large offset and few zeros then costs epochs. For text
        use ``standardize=False``, since otherwise words that occur once or twice are
        scaled up as all columns are. With an L2 penalty, the scale is ``sqrt(variance +
        alpha * (1 - l1_ratio))``, so that every coefficient has the same curvature;
        without centring, the mean square replaces the variance. For several `alpha`,
        the scale uses a weight between the smallest and the largest. For Huber's loss,
        the median of y replaces its mean. Coefficients, intercept, penalty and the
        lines of `verbose` are in the data's units in any case. A column that becomes
        zero keeps the coefficient that it starts with, 0.0 by default; if penalised, it
        gets 0.0. "auto" is True if ``learning_rate="auto"`` or ``whiten=True``, and
        otherwise False.
    whiten : bool or "auto", default="auto"
        Whether to descend in white coordinates, in which the columns of X do not
        correlate and all have variance one (without an intercept: mean square one)
        [7]_. This includes standardizing. Gradient descent is then preconditioned: for
        squared error the Hessian is a multiple of the identity, the least-squares or
        ridge solution is one step away, and that step is Newton's. Everything is
        reported in the data's units.

        The coordinates come from the moments of the rows and, where columns are nearly
        collinear, from a QR decomposition of the rows, which tells columns apart down
        to 1e-13 of their spread. Columns that differ by less, or only by the rounding
        of their last digits, count as collinear, without a warning. The coordinates
        take a dense matrix of n_features x n_features, and sparse rows that are not
        condensed become dense.

        Without whitening, correlated columns cost epochs: about as many as the
        condition number of the standardized features, or its square with a float
        `learning_rate` and no `momentum`. `tol` then looks at one column at a time, so
        that a fit may stop before it has found how the coefficients of two nearly equal
        columns differ, without a warning.

        Whitening is refused with L1 or ``positive=True``, which act on the user's
        columns one by one. "auto" is True if ``learning_rate="auto"``, unless
        ``standardize=False``, L1, `positive` or `early_stopping` is set (early stopping
        regularizes by the path of the descent, and whitening changes that path). "auto"
        is False beyond 2000 features (500 for mini-batches, and where there are fewer
        samples than features), and for sparse rows that are not condensed and have more
        than some 250,000 values, zeros included.
    momentum : float in [0, 1) or "auto", default="auto"
        Nesterov's extrapolation: the next gradient is taken at the parameters moved on
        by ``momentum`` times the last step. A float is a constant momentum; 0.0 is
        none. "auto" is none if `learning_rate` is a float, and for mini-batches, whose
        noise it would amplify. For the full batch with ``learning_rate="auto"`` it is
        ``k / (k + 3)``, where k counts the steps from 0, and restarts at 0 whenever a
        step goes uphill by the gradient that it was taken with [2]_. The number of
        epochs then grows only with the square root of the Hessian's condition number.

        The Hessian of Huber's loss differs from place to place. For it, "auto" derives
        the lengths of the steps and their momentum from the changes of the gradient
        along the last five steps, as L-BFGS does [6]_; a step after which the loss is
        higher is shortened in the next epoch. With a `schedule` other than "constant",
        `average`, `early_stopping`, an L1 penalty or `positive`, "auto" is the same for
        Huber's loss as for squared error. A torch optimizer has a momentum of its own
        (``optimizer_params={"momentum": 0.9}``).
    batch_size : int, float or None, default=None
        Number of rows per gradient step; a float is a fraction of the rows. None is the
        full batch, all rows. Least squares then reads the rows only once
        (`precompute`), so that the full batch is faster than mini-batches. An epoch
        goes through all rows; the last batch may be shorter, and its step is shortened
        in proportion. Rows are gathered, and standardized, one batch at a time: there
        is no copy of X on the CPU. An int larger than the number of rows is the full
        batch, with a UserWarning.
    shuffle : bool, default=True
        Whether each epoch goes through the rows of mini-batches in a new random order.
    random_state : int, RandomState instance or None, default=None
        Determines the random order of mini-batches, and the rows that `early_stopping`
        holds out. Pass an int for the same results each time.
    schedule : {"auto", "constant", "invscaling", "adaptive"} or callable, \
            default="auto"
        How the learning rate changes from step to step. Each batch is one step; in the
        full batch, each epoch is one. "invscaling" divides the rate by ``t**power_t``
        at the t-th step. "adaptive" divides it by 5 at a plateau, which is reached when
        `n_iter_no_change` epochs in a row have not improved on the best loss by `tol`
        times that loss, or with `early_stopping` on the best validation score by `tol`
        (``tol=None``: by any amount). A plateau that is no better than the one before,
        by the same measure, ends the descent, unless ``tol=None``. A callable gets the
        number of the step, from 0 on, and returns the factor of the learning rate.
        "auto" is "adaptive" for mini-batches with ``learning_rate="auto"``
        ("invscaling" in `partial_fit`), and otherwise "constant".
    power_t : float, default=0.25
        Exponent of the "invscaling" schedule.
    average : bool or int, default=False
        Whether the model is the average of the parameters after each step (Polyak and
        Ruppert). With an int, averaging begins when that many rows have been seen; 0 is
        False. If the full batch meets `tol`, the model is the last iterate instead of
        the average.
    precompute : bool or "auto", default="auto"
        Whether to descend on a condensed dataset instead of the rows: ``n_features +
        n_targets + 1`` rows that have the same moments, and therefore the same squared
        error, gradient and iterates, to rounding (see `Moments`). The cost of an epoch
        then does not depend on the number of samples. The condensed dataset is float64
        (float32 on "mps"), also for float32 data. Where squares of X leave the range of
        float64, "auto" does not condense, and True raises a ValueError; the squares of
        y have to be within that range in any case.

        "auto" condenses for the full batch and squared error, if features and targets
        together are at most 2000, in two cases: wherever it whitens, and where it saves
        time, which is from 1000 samples on, if these are more than ten times as many as
        features and targets. Sparse X must also store at least ``(n_features +
        n_targets)**2`` values, or `learning_rate` be "auto". True with mini-batches or
        another loss raises a ValueError.
    max_iter : int, default=1000
        Largest number of epochs. An epoch is one pass over the data, with a step for
        each batch. The epoch that finds `tol` met takes no step, except for a proximal
        one.
    tol : float or None, default=1e-4
        When to stop. None runs exactly `max_iter` epochs.

        The full batch stops when, for each target with the residual r, either the
        features do not correlate with the residual, or the residual is negligible,
        ``|r| <= tol^2 |y|`` [1]_. In white coordinates, the first rule is about the
        multiple correlation with all features together: for squared error, the excess
        loss is then at most ``tol^2 / (1 - tol^2)`` of the smallest possible loss. In
        other coordinates it is about each feature alone, ``max_j |x_j' r| / (|x_j| |r|)
        <= tol``, which leaves an excess where features correlate. The intercept counts
        as a feature of ones; with it, ``x_j`` and y are taken about their means.
        Neither rule depends on units.

        With another loss, half its derivative replaces r; for a loss of your own, and
        with a penalty, the second rule is left out. With an L2 penalty, X and y have
        one more row for each feature, whose squared residuals are the penalty. With L1
        or ``positive=True`` the proximal gradient mapping replaces the gradient. A
        residual that is no more than rounding meets both rules. Where rounding alone
        keeps a correlation above `tol`, the descent ends, with a warning (except for
        ``tol=0``).

        Mini-batches stop when `n_iter_no_change` epochs in a row have not improved the
        best loss of any target by `tol` times that loss.
    early_stopping : bool, default=False
        Whether to hold out rows, drawn at random or passed to `fit` as `X_val` and
        `y_val`, and to stop when `n_iter_no_change` epochs in a row have not improved
        the best score on them by `tol`, which is absolute, in the units of the score.
        The model is that of the best score. The full batch stops by the rules of `tol`
        as well. To leave rows out, `fit` gathers a few MB of them at a time (of tensors
        on a device, a 32nd part), and keeps a few numbers per row; so it does where
        rows have the weight zero.
    scoring : str, callable or None, default=None
        How `early_stopping` scores the rows held out; greater is better. It is ignored
        without `early_stopping`. None is R^2, averaged over targets. A str is a name of
        ``sklearn.metrics.get_scorer_names()``, and a callable is called as
        ``scorer(estimator, X, y)`` and returns a number; it also gets
        ``sample_weight=...`` where the rows have weights. The estimator that it gets is
        a copy with the model of the epoch, in the data's units, and X and y are NumPy
        or CSR arrays, or tensors where X lies on another device. R^2 and the (root)
        mean squared error are computed by the descent; other scores cost one prediction
        per epoch, which may take longer than the epoch itself. Where a score is in the
        units of y, choose `tol` in these units.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that `early_stopping` holds out, unless they are passed to
        `fit`. At least two are held out. Rows are counted, whatever they weigh.
    n_iter_no_change : int, default=5
        Number of epochs in a row without improvement that are a plateau.
    warm_start : bool, default=False
        Whether `fit` starts from the coefficients and the intercept of the last fit. An
        optimizer starts without the state, such as momentum, of the last fit.
    verbose : int, default=0
        Print a line every `verbose` epochs, and one at the end; 0 prints nothing. A
        line holds the epoch, the loss, the norm of the gradient (full batch), the last
        score (with `early_stopping`) and, if there is one feature, the coefficient and
        the intercept, in the data's units. All are those before the update of the
        epoch, or with mini-batches before its last update (the loss is the mean over
        them).

    Attributes
    ----------
    penalty : {"l1", "l2", "elasticnet"} or None
        The penalty that results from `alpha` and `l1_ratio`, by its name in
        SGDRegressor. It is not a parameter, and cannot be set.
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        Coefficients, in the units and the floating dtype of the data. Where many
        coefficients give the same predictions, as with collinear columns and no
        penalty, these are the shortest (in the Euclidean norm) for standardized
        columns; LinearRegression's are the shortest for the user's columns about their
        means. With ``standardize=False`` (the default of a float `learning_rate`) they
        are the shortest for the user's columns and a column of ones for the intercept.
        A part of the starting point that predicts zero for all rows stays in the
        coefficients: with `warm_start` and `partial_fit`, that is a part of the last
        model.
    intercept_ : float or array of shape (n_targets,)
        Intercept; 0.0 if ``fit_intercept=False``. For tensors, the intercept of one
        target is an array of no dimensions.
    n_iter_ : int
        Number of epochs run, ``len(loss_curve_)``. With `early_stopping`, the model may
        be that of an earlier epoch. After `partial_fit`, the epochs of the last call.
    loss_curve_ : list of float
        ``loss_curve_[k]`` is the whole objective at the start of epoch k, before its
        update, summed over targets. With mini-batches it is the mean over the batches
        of epoch k, each before its update. If the full batch stopped by `tol`, the last
        value is that of the model (before the last proximal step, if there is one). On
        standardized data with an intercept, the descent starts with the mean of y as
        prediction, so that squared error starts at the variance of y; Huber's loss
        starts at the median. With momentum, the values are losses at the extrapolated
        parameters, or after a step that is about to be shortened, and may rise at
        times.
    validation_scores_ : list of float
        ``validation_scores_[k]`` is the score (`scoring`) on the rows held out, after
        epoch k. Defined only with ``early_stopping=True``.
    best_validation_score_ : float
        The largest of `validation_scores_`, which is the score of the model. Defined
        only with ``early_stopping=True``.
    moments_ : Moments
        Moments of all rows the model was fitted on, including earlier `partial_fit`
        calls; the next call goes on from them. Defined only for the full batch and
        squared error, without early stopping, if the rows were condensed, or have at
        most 100 features and targets and ``precompute="auto"``.
    n_features_in_ : int
        Number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during `fit`. Defined only when `X` has feature names
        that are all strings.

    See Also
    --------
    skgd.callback.DescentHistory : Records the descent, for `set_callbacks`.
    LossCurveDisplay, DescentPathDisplay : Pictures of the descent.
    sklearn.linear_model.LinearRegression : Least squares by a direct solver.
    sklearn.linear_model.SGDRegressor : One sample at a time.
    sklearn.linear_model.ElasticNet : The same penalties, by coordinate descent.
    sklearn.linear_model.HuberRegressor : Huber's loss with a scale that is fitted.
    Moments : What `partial_fit` adds up.
    skgd.strategies.GradientStrategy : The contract for a gradient of your own.

    Notes
    -----
    Arrays of other libraries: under ``sklearn.set_config(array_api_dispatch=True)``
    (with ``SCIPY_ARRAY_API=1`` in the environment before SciPy is imported), X may be a
    torch tensor on any device, or an array of another library that scikit-learn's array
    API support knows. y, weights and validation rows follow X. `coef_`, `intercept_`
    and predictions are arrays of the library and the dtype of X, on its device. Tensors
    of float16 and bfloat16 are computed on in float32, and give float32 results.
    Without dispatch, tensors on the CPU are read as well, and results are NumPy arrays.

    Arrays on the CPU are read without a copy. Other arrays stay where they lie, and
    torch computes there: one pass sums up the moments of the rows, a block at a time.
    Only these moments come to the CPU, where the descent on the few condensed rows runs
    (unless `device` names the device of X). Where rows are not condensed, the descent
    runs on the device: mini-batches are gathered there, and the full batch (Huber's
    loss, ``precompute=False``) is one prepared copy of X there, in float64 where
    columns nearly repeat each other. Integers and float16 are copied as well, to become
    floats of 64 or 32 bits. Tensors of a subclass
    are computed on by torch's functions in the same way, also on the CPU.

    Tensors that require gradients are detached: no gradient goes through a fit or a
    prediction. Pickles and skops' files hold fitted tensors in NumPy; loading brings
    them back to their device, and leaves them in NumPy where the machine has no such
    device. Where torch may use TensorFloat-32, moments and predictions of float32 are
    computed in float64, and a descent on rows that are not condensed causes a warning.
    `move_estimator_to` in ``sklearn.utils._array_api`` moves a fitted model to another
    library or device.

    MPS has no float64. Moments of float32 columns are multiplied there in float32 and
    summed up on the CPU in float64. What takes more digits is computed on the CPU,
    block by block. A descent on rows that are not condensed runs in float32.

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
    .. [6] D. C. Liu and J. Nocedal, "On the limited memory BFGS method for large scale
       optimization", Mathematical Programming 45, 1989.
    .. [7] Y. LeCun, L. Bottou, G. B. Orr and K.-R. Mueller, "Efficient BackProp", in
       Neural Networks: Tricks of the Trade, Springer, 1998.

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
        "alpha": [Interval(Real, 0, None, closed="left"), "array-like"],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "positive": ["boolean"],
        "fit_intercept": ["boolean"],
        "learning_rate": [
            StrOptions({"auto"}),
            Interval(Real, 0, None, closed="neither"),
            "array-like",  # more of arrays is checked where targets are known
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
        "whiten": ["boolean", StrOptions({"auto"})],
        "momentum": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="left")],
        "precompute": ["boolean", StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "early_stopping": ["boolean"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        strategy: Literal["manual", "autograd", "module"] | GradientStrategy = "manual",
        *,
        device: str | torch.device | None = None,
        loss: str | Callable[..., Any] = "squared_error",
        epsilon: float = 0.1,
        alpha: float | ArrayLike = 0.0,
        l1_ratio: float = 0.0,
        positive: bool = False,
        fit_intercept: bool = True,
        learning_rate: float | ArrayLike | Literal["auto"] = "auto",
        standardize: bool | Literal["auto"] = "auto",
        whiten: bool | Literal["auto"] = "auto",
        momentum: float | Literal["auto"] = "auto",
        batch_size: float | None = None,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        schedule: str | Callable[[int], float] = "auto",
        power_t: float = 0.25,
        average: bool | int = False,
        precompute: bool | Literal["auto"] = "auto",
        max_iter: int = 1000,
        tol: float | None = 1e-4,
        early_stopping: bool = False,
        scoring: str | Callable[..., float] | None = None,
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
        self.whiten = whiten
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
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.verbose = verbose

    # A strategy's own parameters are checked by the strategy.
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike | SparseLike | Collection,
        y: ArrayLike | Collection,
        sample_weight: ArrayLike | Collection | None = None,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        *,
        X_val: ArrayLike | SparseLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Fit the model by gradient descent.

        Parameters
        ----------
        X : {array-like, sparse matrix or array, Dask collection} of shape \
                (n_samples, n_features)
            Training data: arrays, memory maps, lists, frames that narwhals knows
            (pandas, polars, pyarrow, modin, ...), torch tensors (on devices other than
            the CPU under array API dispatch; see Notes of the class), or SciPy's sparse
            matrices of all layouts (CSR is read as it is, and CSC where it is
            condensed; others are converted). No strategy makes sparse X dense; only
            `whiten` does, and sums over nearly full columns, a block of rows at a time.
            float32 stays float32, though the descent is in float64 where that costs
            little (condensed, or up to some 250,000 values), and where squares leave
            the range of float32. Tensors of float16 and bfloat16 become float32, and
            anything else float64. Arrays and frames of Dask are not brought into memory
            (see Notes).
        y : array-like or Dask collection of shape (n_samples,) or \
                (n_samples, n_targets)
            Targets.
        sample_weight : array-like or Dask collection of shape (n_samples,), \
                default=None
            Nonnegative weights. None is a weight of one for each row. Weight 2 equals
            the row twice, and weight 0 equals the row left out. With mini-batches that
            is true of the minimum, but not of the steps towards it: a row of weight 2
            is drawn once, and its gradient counts twice. With `early_stopping`, other
            rows are held out than if the row was there twice.
        coef_init : array-like of shape (n_features,) or (n_targets, n_features), \
                default=None
            Coefficients to start from; (n_features,) for one target. None starts at
            zero, or with ``warm_start=True`` at those of the last fit.
        intercept_init : float or array-like of shape (n_targets,), default=None
            Intercept to start from. None starts at zero, or with ``warm_start=True`` at
            that of the last fit. On standardized data, None starts at the intercept
            that predicts the mean of y for the mean of X (for sparse X that is not
            condensed: for X = 0; for Huber's loss: the median of y).
        X_val : {array-like, sparse matrix or array} of shape (n_val, n_features), \
                default=None
            With `early_stopping`: the rows to score, instead of rows that are held out
            at random, which is not valid for time series or grouped rows. All rows of X
            are then trained on. In a :class:`~sklearn.pipeline.Pipeline` with
            ``transform_input=["X_val"]``, it is transformed as X is.
        y_val : array-like of shape (n_val,) or (n_val, n_targets), default=None
            Targets of the rows of `X_val`, shaped as y.
        sample_weight_val : array-like of shape (n_val,), default=None
            Nonnegative weights of the rows of `X_val`. None is a weight of one for each
            row.

        Returns
        -------
        self : GDLinearRegressor
            The fitted estimator.

        Raises
        ------
        DivergenceError
            If the learning rate is too large for the data. The message names the
            largest stable rate, where it is known.
        ValueError
            On bad input or parameters. The message names columns that hold text, dates
            beside numbers, or missing values. Whatever is raised, the estimator stays
            as it was before.
        TypeError
            Where scikit-learn raises one, as on objects that are not numbers.

        Warns
        -----
        ConvergenceWarning
            If `tol` was not reached in `max_iter` epochs, or cannot be reached because
            of rounding; if mini-batches, or an adaptive schedule, came to a plateau far
            from the minimum; if `early_stopping` ended a descent that had hardly begun,
            as it does where the learning rate is far too small; if coefficients are so
            large that rounding spoils the predictions, since columns are nearly
            collinear or lie far from zero; and if the descent was interrupted (see
            Notes).
        UserWarning
            If `batch_size` is larger than the number of rows to train on; if torch is
            allowed TensorFloat-32 where it descends on float32 rows; if
            `early_stopping` scores by R^2, and the targets held out do not vary; if
            columns are dates, which are fitted as numbers in the unit of their dtype;
            if columns are integers that float64 does not hold, such as ids above 2**53;
            and if a Dask array is cut along its columns, so that its chunks have to be
            put together.

        Notes
        -----
        Dask: the rows of a Dask collection stay where they lie, and tasks run where the
        user has Dask run them. For squared error, a task sums up the moments of each
        partition, and a tree of tasks merges them. That is one pass over the data, and
        (n_features + n_targets)^2 numbers per partition are sent. The model is that of
        rows in memory, to rounding.

        For other losses, with ``precompute=False``, and with more than 2000 features
        and targets, workers keep a prepared copy of the rows until the fit ends. In
        each epoch, the coefficients are sent to the workers, a task evaluates each
        partition at them, and the gradients are summed up. On a GPU, workers copy their
        rows there anew in each epoch. The steps have to follow from the sum of the
        gradients: optimizers that need a closure, such as L-BFGS, and stacked layers
        are refused, except in mini-batches. Huber's loss starts at the median of the
        medians of the partitions, so that its epochs are not those of rows in memory.
        In mini-batches, the model goes from partition to partition, in a new random
        order, with a step after each batch of a partition; the last batch of a
        partition may be shorter, and its step is shortened in proportion. With
        ``learning_rate="auto"`` and more than 500 columns, the rate of mini-batches
        comes from all rows, and for rows in memory from a sample.

        Without a cluster, ``scheduler="processes"`` starts new processes for each
        epoch, which takes seconds: for losses other than squared error, use a
        `distributed.Client`. `early_stopping` and `X_val` need rows in memory.

        Callbacks (`set_callbacks`; :mod:`sklearn.callback`) are told of the fit, and of
        each epoch as a subtask. The model that they get at the end of an epoch is what
        `fit` would return if it ended there, except for what may follow the last epoch:
        the proximal step of mini-batches with L1 over all rows, and for Huber's loss a
        step back. A callback that asks to stop at the end of an epoch ends the descent,
        without a warning. A :class:`~sklearn.callback.ProgressBar` shows the percentage
        of `max_iter`, at most 20 times a second. The `estimator` that callbacks get
        stays as it was before the fit until the fit ends, and attributes that they set
        on it in an epoch are not kept. `partial_fit` does not call callbacks.

        Ctrl-C during the descent ends it after the current batch (the full batch: after
        the current epoch), as `max_iter` would. The model is then the current one, the
        average so far, or with `early_stopping` the best so far, and a
        ConvergenceWarning names the epoch. A search goes on with its next candidate. At
        any other moment, and the second time within five seconds, Ctrl-C raises
        KeyboardInterrupt, and the estimator stays as it was before. A handler of SIGINT
        other than Python's own is called at once, and what it raises is raised.

        Examples
        --------
        >>> from skgd import GDLinearRegressor
        >>> X, y = [[1.0], [2.0], [3.0], [4.0]], [3.0, 5.0, 7.0, 100.0]
        >>> model = GDLinearRegressor().fit(X, y, sample_weight=[1, 1, 1, 0])
        >>> print(f"{model.coef_[0]:.3f} {model.intercept_:.3f}")
        2.000 1.000
        """
        task, origin = begin_fit_task(self, X, y, sample_weight), origin_of(X)
        with fitting(self, X) as model:
            going_on = model.warm_start and model.__sklearn_is_fitted__()
            rows, dtype, y_is_1d = validated_data(
                model, X, y, sample_weight, reset=not going_on
            )
            refuse_collections(
                X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val
            )
            if model.early_stopping and isinstance(rows, Partitions):
                raise ValueError(
                    "early_stopping=True scores rows in memory, and X is a collection "
                    "of Dask. Set it to False: the full batch ends by itself where it "
                    "has converged. Or pass rows that fit into memory."
                )
            validation = validated_validation_rows(
                model,
                X_val,
                y_val,
                sample_weight_val,
                rows=rows,
                y_is_1d=y_is_1d,
            )
            settings = model._settings_for(rows, dtype, y_is_1d, origin)
            start = start_of(model, rows, coef_init, intercept_init, going_on=going_on)
            with settings.device.gradients_on():  # tensors are made here
                problem = problem_of_data(rows, settings, validation)
            with closing(problem.batches):
                model._descend(settings, problem, start, task, interruptible=True)
        return self

    @available_if(_check_partial_fit_available)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike | SparseLike | Collection,
        y: ArrayLike | Collection,
        sample_weight: ArrayLike | Collection | None = None,
    ) -> Self:
        """Go on with one more chunk of a stream of rows.

        The rows are taken to be new: rows that were passed before count twice. To go on
        with the same rows, call `fit` with ``warm_start=True``.

        For the full batch (``batch_size=None``), the `Moments` of the chunk are merged
        into those of all rows before. The descent then goes on over all rows so far,
        from the current model, until `tol` is met. After the last chunk the model is,
        within `tol`, that of one `fit` on everything, however the rows were split.
        Memory does not grow. An int `average` then counts the weight of the rows, since
        their number is not known.

        The chunk gets one epoch instead, as in
        :class:`~sklearn.linear_model.SGDRegressor`, if any of these holds: a
        `batch_size` is set; the loss is not squared error; ``precompute=False``; or
        ``precompute="auto"`` and there are more than 2000 features and targets. Without
        a `batch_size`, that epoch is one step. The learning rate schedule, the average
        and the random order go on from call to call. A chunk shorter than an int
        `batch_size` is one batch, whose step is shortened in proportion.

        In these epochs, `standardize` and `whiten` use the means, scales and
        correlations of all rows so far, and whitening begins once there are three times
        as many rows as features. Where means, scales or correlations change, the
        predictions of the model stay the same. Where a spread grows by more than a
        tenth, what was learned from the smaller spread counts for less: coefficients
        along it shrink where that fits the new rows better [1]_, and earlier steps and
        iterates count for less in the schedule and the average. The automatic learning
        rate is 1/(2 L_b), where L_b is the expected smoothness of the chunk, or that of
        all rows so far if it is larger; its schedule is "invscaling".

        Parameters
        ----------
        X : {array-like, sparse matrix or array, Dask collection} of shape \
                (n_samples, n_features)
            The chunk's rows. Where a chunk gets one epoch, each partition of a Dask
            collection is a chunk, one after the other: the estimator is sent to where
            the partition lies, and `loss_curve_` is that of the last one.
        y : array-like or Dask collection of shape (n_samples,) or \
                (n_samples, n_targets)
            Targets of the chunk, with as many columns as those before.
        sample_weight : array-like or Dask collection of shape (n_samples,), \
                default=None
            Nonnegative weights, in the same unit for all chunks. None is a weight of
            one for each row.

        Returns
        -------
        self : GDLinearRegressor
            The estimator. `loss_curve_` and `n_iter_` are those of this call, and
            `coef_` has the dtype of the chunk's X.

        Raises
        ------
        AttributeError
            With ``early_stopping=True``, as the method is looked up.
        DivergenceError
            As from `fit`; if a chunk is a single step, only if the loss overflows.
        ValueError
            On bad input or parameters, on other features or targets than before, and if
            the model comes from a `fit` that left no `moments_` to go on from. Whatever
            is raised, the model, and what it knows of earlier chunks, stay as they
            were.

        Warns
        -----
        ConvergenceWarning
            For the full batch, as `fit`.

        Notes
        -----
        A torch optimizer, such as Adam, starts with a new state in each chunk. A module
        of stacked layers is refused from the second chunk on.

        Moments tell columns apart down to 1e-6 of their spread, while `fit` on all rows
        tells them apart down to 1e-13.

        In the full batch, `partial_fit` after `fit` goes on from the `moments_` of that
        fit. These are kept where the rows were condensed, or have at most 100 features
        and targets.

        Ctrl-C raises KeyboardInterrupt; the chunk is then not taken, and the estimator
        stays as it was before.

        References
        ----------
        .. [1] S. Ross, P. Mineiro and J. Langford, "Normalized online learning", UAI
           2013.

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
        origin = origin_of(X)
        with fitting(self, X) as model:
            going_on = model.__sklearn_is_fitted__()
            if going_on:  # the context validates parameters at the first call alone
                model._validate_params()
            rows, dtype, y_is_1d = validated_data(
                model, X, y, sample_weight, reset=not going_on
            )
            if going_on:
                check_targets(model, rows, y_is_1d)
            settings = model._settings_for(rows, dtype, y_is_1d, origin)
            if merges_moments(rows, settings):
                fitted, moments = merge_and_fit(
                    model, rows, settings, going_on=going_on
                )
                model._store(fitted, settings)
                model.moments_ = moments
            elif isinstance(rows, Partitions):
                stepped = step_over_partitions(self, rows, _stepped_over_chunk)
                if isinstance(self.random_state, np.random.RandomState):
                    self.random_state.set_state(stepped.random_state.get_state())
                model.__dict__ = {**vars(stepped), **self.get_params(deep=False)}
            else:
                fitted, stream = step_over_chunk(
                    model, rows, settings, going_on=going_on
                )
                model._store(fitted, settings)
                model._stream = stream
        return self

    def predict(
        self, X: ArrayLike | SparseLike | Collection
    ) -> np.ndarray | Collection:
        """Predict with the linear model.

        Parameters
        ----------
        X : {array-like, sparse matrix or array, Dask collection} of shape \
                (n_samples, n_features)
            Samples.

        Returns
        -------
        y : array or Dask collection of shape (n_samples,) or (n_samples, n_targets)
            Predictions, shaped as the y of `fit`; float32 if the model and X are
            float32. Under array API dispatch they are of the library of X, on its
            device. For a Dask array they are an array with the same chunks. For a Dask
            frame they are a series with the same index (for several targets a frame of
            columns "y0", "y1", ...). Dask's predictions are lazy: nothing is computed
            yet.

        Raises
        ------
        NotFittedError
            If neither `fit` nor `partial_fit` was called.
        ValueError
            If X has other features than those of `fit`, or holds NaN or infinity; under
            array API dispatch, if it is of another library or device than `coef_`.

        Warns
        -----
        UserWarning
            If predictions overflow their dtype.

        Examples
        --------
        >>> from skgd import GDLinearRegressor
        >>> X, y = [[1.0], [2.0], [3.0]], [3.0, 5.0, 7.0]
        >>> model = GDLinearRegressor().fit(X, y)
        >>> model.predict([[10.0], [20.0]]).round(3)
        array([21., 41.])
        >>> round(model.score(X, y), 6)
        1.0
        """
        check_is_fitted(self)
        return predict_lazily(self, X) if is_collection(X) else predict_here(self, X)

    def score(
        self,
        X: ArrayLike | SparseLike | Collection,
        y: ArrayLike | Collection,
        sample_weight: ArrayLike | Collection | None = None,
    ) -> float:
        """Return the coefficient of determination R^2 of the predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix or array, Dask collection} of shape \
                (n_samples, n_features)
            Samples. Dask collections are read once, where they lie.
        y : array-like or Dask collection of shape (n_samples,) or \
                (n_samples, n_targets)
            Targets of the samples.
        sample_weight : array-like or Dask collection of shape (n_samples,), \
                default=None
            Nonnegative weights. None is a weight of one for each row.

        Returns
        -------
        score : float
            One minus the mean squared error over the variance of y, as from
            :func:`~sklearn.metrics.r2_score`; for several targets, their mean.

        Examples
        --------
        >>> from skgd import GDLinearRegressor
        >>> X, y = [[1.0], [2.0], [3.0]], [3.0, 5.0, 7.0]
        >>> round(GDLinearRegressor().fit(X, y).score(X, y), 6)
        1.0
        """
        if is_collection(X):
            if type(self).predict is not GDLinearRegressor.predict:
                raise ValueError(
                    f"{type(self).__name__} has a predict of its own, and of Dask "
                    "collections the score is that of coefficients. Pass y and "
                    "predict(X), both computed, to sklearn.metrics.r2_score."
                )
            return score_where_it_lies(self, X, y, sample_weight)
        refuse_beside_rows_in_memory(y=y, sample_weight=sample_weight)
        y, weight = readable("y", y), readable("sample_weight", sample_weight)
        origin = origin_of(X)
        if origin is not None:
            y = origin.back(y)
            weight = None if weight is None else origin.back(weight)
        return super().score(X, y, weight)

    def _validate_params(self) -> None:
        """Check the parameters, unless equal ones were found to be valid before.

        scikit-learn builds its constraints anew each time, which takes a fifth of a
        `partial_fit` of one row.
        """
        values = [getattr(self, name) for name in self._get_param_names()]
        if all(type(value) in _IMMUTABLE for value in values):
            self._validate_values(*values)
        else:
            super()._validate_params()

    @classmethod
    @lru_cache(maxsize=1024, typed=True)
    def _validate_values(cls, *values: Hashable) -> None:
        """Check parameters in the order of their names."""
        validate_parameter_constraints(
            cls._parameter_constraints,
            dict(zip(cls._get_param_names(), values, strict=True)),
            caller_name=cls.__name__,
        )

    @property
    def penalty(self) -> Literal["l1", "l2", "elasticnet"] | None:
        """Name of the penalty; ``SelectFromModel`` selects by zero if it is "l1"."""
        if not np.any(self.alpha):
            return None
        if self.l1_ratio == 0:
            return "l2"
        return "l1" if self.l1_ratio == 1 else "elasticnet"

    @classmethod
    @cache
    def _get_param_names(cls) -> list[str]:
        """Return the names, which scikit-learn would look up for each `fit`."""
        names: list[str] = super()._get_param_names()
        return names

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "coef_")

    def __getstate__(self) -> dict[str, Any]:
        return without_devices(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(on_devices(state))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.array_api_support = True
        return tags

    def _settings_for(
        self,
        rows: Rows | Partitions,
        dtype: np.dtype,
        y_is_1d: bool,
        origin: Origin | None,
    ) -> Settings:
        """Return the settings of a fit to validated rows, which are from `origin`."""
        return settings_of(
            self,
            dtype,
            n_targets=rows.n_targets,
            y_is_1d=y_is_1d,
            origin=origin,
            device_of_rows=rows.device,
        )

    def _descend(
        self,
        settings: Settings,
        problem: Problem,
        start: NumpyParameters,
        task: FitTask | None = None,
        *,
        interruptible: bool = False,
    ) -> Fitted:
        """Descend on a problem, set all fitted attributes, and tell of the end."""
        observers = [] if task is None else task.observers(self, settings)
        fitted = fit(
            settings,
            problem,
            start,
            observers=observers,
            interruptible=interruptible,
        )
        self._store(fitted, settings)
        if fitted.stopping.held_out is not None:
            self.validation_scores_ = fitted.stopping.held_out.scores
            self.best_validation_score_ = max(self.validation_scores_)
        if problem.moments is not None:
            self.moments_ = replace(problem.moments, y_is_1d=settings.y_is_1d)
        if task is not None:
            task.end(self)
        return fitted

    def _store(self, fitted: Fitted, settings: Settings) -> None:
        """Set the fitted attributes, shaped as y was; drop those of some fits only."""
        for name in _OF_SOME_FITS:
            self.__dict__.pop(name, None)
        self.coef_, self.intercept_ = shaped_as_targets(
            fitted.parameters, settings.y_is_1d, settings.origin
        )
        self.loss_curve_ = fitted.result.loss_curve
        self.n_iter_ = fitted.result.n_epochs
